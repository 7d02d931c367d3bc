"""Scenarios as files: recorded from a run, rid of secrets, written, read, and the decisions in them."""
