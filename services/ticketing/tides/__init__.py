"""Taps in the form that transit agencies exchange: TIDES fare transactions, out and in."""
