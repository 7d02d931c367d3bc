"""How we know: recordings replayed, scored, compared and asked what if; and crashes simulated."""
