"""docker-compose.yml as the tests see it."""

from pathlib import Path
from typing import Any

import yaml

PATH = Path(__file__).parent.parent.parent / "docker-compose.yml"
INFRASTRUCTURE = ("postgres", "redis")


def read_compose_file() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    return document


def list_our_services() -> dict[str, dict[str, Any]]:
    """The containers that run our image, by name."""
    services = read_compose_file()["services"]
    return {name: service for name, service in services.items() if name not in INFRASTRUCTURE}
