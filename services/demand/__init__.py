"""Owns the city's demand: counts of what was searched, not found, ordered and ridden, released safely."""
