"""Feeds: fetching, checking, compiling and publishing networks."""
