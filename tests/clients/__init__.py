"""Real clients of other makers against our server: programs, what they need, and who runs them."""
