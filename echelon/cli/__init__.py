"""The command `echelon`: run teams, watch, resume, answer, explain, draw and audit runs."""

from .main import main

__all__ = ["main"]
