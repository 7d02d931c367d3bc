"""Figures over results: pure functions over plain values, each with its formula and its source."""
