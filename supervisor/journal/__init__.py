"""Where a run's events are kept: the chain that binds them, a store in memory, a store in an SQLite file."""
