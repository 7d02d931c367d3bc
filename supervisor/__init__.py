"""Who decides: plans, delegates, reviews, and keeps the journal."""
