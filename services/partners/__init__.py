"""Owns what we know and hold at other operators' systems: ship berths, sailings, shared bikes."""
