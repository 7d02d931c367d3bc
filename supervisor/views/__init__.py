"""What a journal shows: bill, route, explanation, drawings; all folds over its events."""
