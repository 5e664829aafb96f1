"""The demonstration city: small text tables, and the readable generator that makes feeds of them."""
