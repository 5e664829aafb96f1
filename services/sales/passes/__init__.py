"""Passes: sold, held, given back, and earned when they are over."""
