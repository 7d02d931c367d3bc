"""Measured claims: Echelon beside hand-written loops, one command, `make bench`."""
