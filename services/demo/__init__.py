"""The demonstration: a synthetic city, its trip, and what only it needs."""
