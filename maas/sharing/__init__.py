"""Shared bikes: stations, vehicles and rentals, in the words of GBFS."""
