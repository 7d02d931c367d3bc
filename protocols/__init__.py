"""What is said between workers, models, people and the journal; imports nothing else of ours."""
