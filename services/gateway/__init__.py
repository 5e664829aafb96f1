"""The public face: who you are, how fast you may ask, and which service answers."""
