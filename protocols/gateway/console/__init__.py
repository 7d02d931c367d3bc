"""A console for people with a browser: runs, what they ask, their journals, reports of evals."""
