"""Shared bikes in searches: where they stand now, and the ways they make to stops and all the way."""
