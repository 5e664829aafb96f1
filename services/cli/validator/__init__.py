"""A validator on this machine: its lists and its memory in a folder, refreshed when there is a network."""
