"""The report as one HTML page that loads nothing and runs nothing."""
