"""A scorecard as people and machines read it: JSON, JUnit, Markdown, rows for a terminal, and one HTML page."""
