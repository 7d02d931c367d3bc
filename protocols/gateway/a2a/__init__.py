"""The teams as agents of the Agent2Agent protocol: a card each, and tasks that are runs."""
