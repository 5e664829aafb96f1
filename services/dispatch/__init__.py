"""Owns on-demand vehicles, their schedules, and what was promised to whom."""
