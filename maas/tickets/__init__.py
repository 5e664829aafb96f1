"""Tickets that prove themselves: small, signed, checked without a network."""
