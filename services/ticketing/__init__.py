"""Tickets, keys, revocations, taps and rides: what was bought, shown, and ridden."""
