"""Fares as dated tables, and the engine that prices a journey with them."""
