"""The public JavaScript client of the MOTIS API, unchanged, against a running house.

The package is pinned in motis_client/package-lock.json and installed here by `npm ci`, once. Without Node the
test is skipped; with it, a client that cannot be installed is a failure.
"""

import asyncio
import fcntl
import hashlib
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker

from maas.ports import NetworkPort, PublishedNetwork
from services.partners.service import build as build_partners
from services.planner.service import build as build_planner
from services.platform.clock import FixedClock
from tests.services.planner.conftest import EVENING, NetworkOnPaper
from tests.support.house import TestHouse, running_house

FOLDER = Path(__file__).parent / "motis_client"
PATHS = {
    "health": "/api/v1/health",
    "initial": "/api/v1/map/initial",
    "geocode": "/api/v1/geocode",
    "geocodeTo": "/api/v1/geocode",
    "reverseGeocode": "/api/v1/reverse-geocode",
    "plan": "/api/v6/plan",
    "nextPage": "/api/v6/plan",
    "trip": "/api/v6/trip",
    "stoptimes": "/api/v6/stoptimes",
    "stopInfo": "/api/v6/stop",
    "oneToAll": "/api/v6/one-to-all",
    "oneToMany": "/api/v1/one-to-many",
    "stops": "/api/v6/map/stops",
    "trips": "/api/v6/map/trips",
    "rentals": "/api/v1/rentals",
}
pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or shutil.which("npm") is None, reason="needs Node with npm"
)


@pytest.fixture(scope="session")
def client_folder() -> Path:
    """The folder with the client installed as locked; done again only when the lock changes."""
    locked = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    stamp = FOLDER / "node_modules" / ".installed"
    with (FOLDER / "package.json").open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != locked:
            done = subprocess.run(
                ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],  # noqa: S607 - the machine's own
                cwd=FOLDER,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert done.returncode == 0, f"npm could not install the client: {done.stderr[-2000:]}"
            stamp.write_text(locked)
    return FOLDER


@pytest.fixture
async def house(
    database_url: str, city_network: PublishedNetwork, tmp_path: Path
) -> AsyncIterator[TestHouse]:
    async with running_house(
        database_url,
        {"planner": build_planner, "partners": build_partners},
        clock=FixedClock(EVENING),
        data_dir=tmp_path,
        ports={NetworkPort: NetworkOnPaper(city_network)},
    ) as house:
        yield house


@pytest.fixture
async def answers(house: TestHouse, client_folder: Path) -> dict[str, Any]:
    """Operation -> status, data and error, as the client gives them to its application."""
    process = await asyncio.create_subprocess_exec(
        "node", "ask.mjs", str(house.client.make_url("")).rstrip("/"), cwd=client_folder,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()[-2000:]
    answers: dict[str, Any] = json.loads(out)
    return answers


def test_the_lock_is_pinned_and_names_no_registry() -> None:
    """As for the Python locks: a hash for every package, and whoever installs says from where."""
    packages = json.loads((FOLDER / "package-lock.json").read_text())["packages"]
    locked = [package for name, package in packages.items() if name]
    assert locked
    assert all(package["integrity"].startswith("sha512-") for package in locked)
    assert not any("resolved" in package for package in locked)


async def test_the_client_gets_what_it_asks_for(answers: dict[str, Any]) -> None:
    refused = answers.pop("refused")
    assert answers.keys() == PATHS.keys()
    assert {name: answer["status"] for name, answer in answers.items()} == dict.fromkeys(PATHS, 200)
    data = {name: answer["data"] for name, answer in answers.items()}
    empty = [name for name, answer in data.items() if not answer]
    assert empty == []
    # The trip that the client looked up is the one of its plan's leg.
    leg = next(leg for leg in data["plan"]["itineraries"][0]["legs"] if "tripId" in leg)
    assert data["trip"]["legs"][0]["tripId"] == leg["tripId"]
    last = max(each["startTime"] for each in data["plan"]["itineraries"])
    assert all(each["startTime"] > last for each in data["nextPage"]["itineraries"])
    assert data["reverseGeocode"][0]["id"] == data["geocode"][0]["id"]
    # 0.001 degrees of latitude are 111 m, 145 m with the detour, two minutes; a whole degree is too far.
    assert data["oneToMany"] == [{"duration": 121}, {}]
    assert data["rentals"] == {
        "providerGroups": [], "providers": [], "stations": [], "vehicles": [], "zones": [],
    }  # fmt: skip
    assert (refused["status"], "data" in refused) == (422, False)
    assert "passengers" in refused["error"]["error"]


@pytest.mark.real
async def test_what_the_client_gets_has_the_shape_of_the_motis_api(
    answers: dict[str, Any], real_data: Path
) -> None:
    api = yaml.safe_load((real_data / "motis" / "openapi.yaml").read_text())
    for name, path in PATHS.items():
        content = api["paths"][path]["get"]["responses"]["200"]["content"]
        schema = {"components": api["components"], **content["application/json"]["schema"]}
        validator = Draft202012Validator(schema, format_checker=FormatChecker())
        errors = [
            (list(each.path), each.message[:200]) for each in validator.iter_errors(answers[name]["data"])
        ]
        assert not errors, (name, errors[:5])
    error = {"components": api["components"], "$ref": "#/components/schemas/Error"}
    Draft202012Validator(error).validate(answers["refused"]["error"])
