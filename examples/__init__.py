"""Whole teams on real work, one package each."""
