"""Disputes: a card's owner takes money back through the bank; we answer, and the books follow."""
