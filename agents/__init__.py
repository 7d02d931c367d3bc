"""Who does the work: agents, functions, people, cascades, reviewers, and the models they ask."""
