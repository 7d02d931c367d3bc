"""Who makes plans: a fixed workflow, a router, a model."""
