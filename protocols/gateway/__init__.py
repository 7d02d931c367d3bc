"""Plugs: any team in any chat assistant; each surface is a projection of runs and their events."""
