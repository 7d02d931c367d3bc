"""Measured claims: peers side by side, one command."""
