"""What the server and its worker process agree on without importing one another."""

from pathlib import Path

TARIFFS = "tariffs"
"""The folder of fare tables inside a network's folder."""

STREETS = "streets"
"""The folder of compiled streets inside a network's folder."""


def feed_id_of(path: Path) -> str:
    """The feed's id: its file's name without the ending. It may not hold the colon of public ids."""
    return path.name.removesuffix(".zip").replace(":", "_") or "feed"
