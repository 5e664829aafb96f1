import re
from typing import Any

import pytest

from services.compose import SERVICES
from services.platform.settings import Settings
from tests.conftest import ROOT
from tests.support.compose_file import INFRASTRUCTURE, list_our_services, read_compose_file

SECRETS = {"MAAS_SERVICE_SECRET": "s", "POSTGRES_PASSWORD": "p"}


def settings_of(service: dict[str, Any]) -> Settings:
    """What the container's process will read, with docker's ${NAME:?message} and ${NAME:-default} filled."""
    environ = {
        name: re.sub(
            r"\$\{(\w+)(?::-([^}]*)|[^}]*)\}",
            lambda found: SECRETS.get(found[1], found[2] or ""),
            str(value),
        )
        for name, value in service["environment"].items()
    }
    return Settings.from_environment(environ)


def test_every_service_has_a_container_and_every_container_a_service() -> None:
    assert set(list_our_services()) == set(SERVICES)


@pytest.mark.parametrize("name", sorted(list_our_services()))
def test_a_container_runs_its_service_and_finds_the_others(name: str) -> None:
    service = list_our_services()[name]
    assert service["command"] == ["maas", "up", name]
    settings = settings_of(service)
    assert set(settings.service_urls) == set(SERVICES)
    # A container answers on the network under its own name.
    assert settings.service_urls == {other: f"http://{other}:{settings.port}" for other in SERVICES}
    assert settings.database_url == "postgresql://maas:p@postgres:5432/maas"
    assert settings.redis_url == "redis://redis:6379/0"
    assert settings.service_secret == "s"  # noqa: S105 - the test's own
    assert settings.host == "0.0.0.0"  # noqa: S104 - inside a container
    assert set(service["depends_on"]) == set(INFRASTRUCTURE)


@pytest.mark.parametrize("name", sorted(list_our_services()))
def test_a_container_keeps_its_data_in_a_volume_that_the_image_has_made_room_for(name: str) -> None:
    document = read_compose_file()
    folder = settings_of(document["services"][name]).data_dir
    assert f"{name}:{folder}" in document["services"][name]["volumes"]
    assert name in document["volumes"]
    made = re.search(r"for name in ([\w ]+);", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    assert made is not None
    assert name in made[1].split()


def test_planners_read_the_networks_of_feeds_under_the_path_that_feeds_tells() -> None:
    services = list_our_services()
    folder = settings_of(services["feeds"]).data_dir
    assert f"feeds:{folder}:ro" in services["planner"]["volumes"]


def test_only_the_gateway_is_open_to_the_outside() -> None:
    services = read_compose_file()["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["gateway"]


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    uses = re.findall(r"\$\{(?:MAAS_SERVICE_SECRET|POSTGRES_PASSWORD)(.)", text)
    assert uses
    assert set(uses) == {":"}
    assert text.count(":?set it to a long random value") == len(uses)
