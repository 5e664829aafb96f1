"""Every ride that the demonstration city offers has a fare, or is a gap that we know of."""

import csv
import io
import itertools
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import date

import pytest

from maas.errors import FareNotFound
from maas.fares.engine import FareEngine
from services.demo.city.build import build_city
from tests.support.fares import ADULT, IC, TARIFFS, TICKET, ride, total

DAY = date(2026, 11, 20)
ENGINE = FareEngine.from_folder(TARIFFS)

# Routes on which some port pairs have no published fare in hand; every other route must be priced throughout.
SHIPS_WITH_GAPS = ("[06]", "[13]", "[14]")


@pytest.fixture(scope="module")
def rides(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str, str, str]]:
    """(operator, route, origin, destination) of every pair of stops that some trip calls at in this order."""
    city = build_city(tmp_path_factory.mktemp("city"), around=DAY)
    with zipfile.ZipFile(city.demo) as feed:
        operators = {row["route_id"]: row["agency_id"] for row in rows(feed, "routes.txt")}
        routes = {row["trip_id"]: row["route_id"] for row in rows(feed, "trips.txt")}
        calls: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for row in rows(feed, "stop_times.txt"):
            if row["stop_id"]:
                calls[row["trip_id"]].append((int(row["stop_sequence"]), row["stop_id"]))
    patterns = {
        (routes[trip_id], tuple(stop for _, stop in sorted(stops))) for trip_id, stops in calls.items()
    }
    return {
        (operators[route_id], route_id, *stops)
        for route_id, pattern in patterns
        for stops in itertools.combinations(pattern, 2)
        if station(stops[0]) != station(stops[1])
    }


def rows(feed: zipfile.ZipFile, name: str) -> Iterator[dict[str, str]]:
    return csv.DictReader(io.StringIO(feed.read(name).decode("utf-8-sig")))


def station(stop_id: str) -> str:
    return stop_id.removesuffix(".1")


def test_every_ride_of_the_demonstration_city_is_priced(rides: set[tuple[str, str, str, str]]) -> None:
    assert len({route_id for _, route_id, _, _ in rides}) > 12
    unpriced = set()
    for operator, route_id, origin, destination in rides:
        leg = ride(route_id, f"={origin}", f"={destination}", operator=operator, day=DAY)
        try:
            assert total(ENGINE, [leg], ADULT, TICKET) > 0
        except FareNotFound:
            unpriced.add((route_id, origin, destination))
    assert {each for each in unpriced if not each[0].startswith(SHIPS_WITH_GAPS)} == set()
    # What the travellers of the demonstration need is among the priced.
    pier, oshima = "[05]東京・竹芝", "[12]大島"
    assert not {
        each for each in unpriced if each[1].startswith((pier, oshima)) and each[2].startswith(oshima)
    }


def test_ic_fares_are_missing_only_where_jrs_are(rides: set[tuple[str, str, str, str]]) -> None:
    missing = set()
    for operator, route_id, origin, destination in rides:
        leg = ride(route_id, f"={origin}", f"={destination}", operator=operator, day=DAY)
        try:
            total(ENGINE, [leg], ADULT, IC)
        except FareNotFound:
            missing.add(route_id)
    assert {route_id for route_id in missing if not route_id.startswith(SHIPS_WITH_GAPS)} == {
        "JR-East.Yamanote"
    }


def test_a_stop_of_a_parent_station_is_known_by_its_platform() -> None:
    # The demonstration's 元町 berth is [12]大島.1, the real feed's only stop is [12]大島.
    fares = [
        total(ENGINE, [ride("[13]x", "=[05]東京・竹芝", f"={stop}", operator="3010401020097")])
        for stop in ("[12]大島", "[12]大島.1")
    ]
    assert fares == [5750, 5750]
