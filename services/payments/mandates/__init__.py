"""Mandates: who pays for whom, and what of it is used."""
