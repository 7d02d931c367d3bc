"""How we know: crash simulation today; scenarios, replay and scores are to come."""
