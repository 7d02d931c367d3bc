"""Plans as data: references, types, and the check before anything runs; all pure."""
