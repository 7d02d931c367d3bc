"""Importers: what other systems have recorded, as scenarios, and back."""
