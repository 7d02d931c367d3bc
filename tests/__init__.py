"""The tests, one file per module, and the rules of the house."""
