"""都庁前 in the evening -> 大島 元町 next morning, followed by a search that shares no code with ours."""

import csv
import io
import zipfile
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from services.demo.city.build import build_city

PIER, MOTOMACHI = "[05]東京・竹芝", "101_01"
NEVER = 10**9


class PlainSearch:
    """Earliest arrival by scanning all connections of two days, in order of departure."""

    def __init__(self, path: Path, day: date) -> None:
        with zipfile.ZipFile(path) as archive:
            read = {
                name: list(csv.DictReader(io.StringIO(archive.read(f"{name}.txt").decode(), newline="")))
                for name in ("trips", "stop_times", "calendar", "calendar_dates", "transfers")
            }
        service = {row["trip_id"]: row["service_id"] for row in read["trips"]}
        days = [day, day + timedelta(days=1)]
        running = [runs_on(read["calendar"], read["calendar_dates"], each) for each in days]
        self.connections: list[tuple[int, int, str, str, str]] = []
        for before, after in pairwise(read["stop_times"]):
            trip = before["trip_id"]
            if trip != after["trip_id"] or not before["stop_id"]:
                continue
            for offset, services in enumerate(running):
                if service[trip] in services:
                    shift = offset * 24 * 60
                    self.connections.append(
                        (
                            minutes(before["departure_time"]) + shift,
                            minutes(after["arrival_time"]) + shift,
                            before["stop_id"],
                            after["stop_id"],
                            f"{trip}@{offset}",
                        )
                    )
        self.connections.sort()
        self.walks = [
            (row["from_stop_id"], row["to_stop_id"], int(row["min_transfer_time"]) // 60)
            for row in read["transfers"]
            if row["transfer_type"] == "2"
        ]

    def arrival(self, origins: Iterable[str], at: int, target: str, avoid: str = "") -> int:
        """Minute of the earliest arrival, without trips and walks that start with `avoid`."""
        ready = dict.fromkeys(origins, at)
        boarded: set[str] = set()
        walks: dict[str, list[tuple[str, int]]] = {}
        for one, other, walk_min in self.walks:
            if not (avoid and one.startswith(avoid)):
                walks.setdefault(one, []).append((other, walk_min))
        best = NEVER
        for departs, arrives, one, other, trip in self.connections:
            if avoid and trip.startswith(avoid):
                continue
            if trip in boarded or ready.get(one, NEVER) <= departs:
                boarded.add(trip)
                if other == target:
                    best = min(best, arrives)
                for stop, walk_min in walks.get(other, []):
                    ready[stop] = min(ready.get(stop, NEVER), arrives + walk_min)
                    if stop == target:
                        best = min(best, arrives + walk_min)
        return best


def runs_on(calendar: list[dict[str, str]], exceptions: list[dict[str, str]], day: date) -> set[str]:
    weekday = f"{day:%A}".lower()
    services = {row["service_id"] for row in calendar if row[weekday] == "1"}
    for row in exceptions:
        if row["date"] == f"{day:%Y%m%d}":
            (services.add if row["exception_type"] == "1" else services.discard)(row["service_id"])
    return services


def minutes(text: str) -> int:
    hours, mins, _ = text.split(":")
    return int(hours) * 60 + int(mins)


TOCHOMAE = ("Toei.Oedo.Tochomae", "Toei.Oedo.Tochomae.1")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_city(tmp_path_factory.mktemp("city"), around=date(2026, 5, 20)).demo


def test_the_night_ship_is_reached_by_both_ways(city: Path) -> None:
    # Wednesday: 22:00 from 竹芝, 06:00 at 岡田, the bus 06:20 -> 06:37 元町 (30:37 after the first day).
    search = PlainSearch(city, date(2026, 5, 20))
    for at in (20 * 60 + 30, 21 * 60):
        assert search.arrival(TOCHOMAE, at, MOTOMACHI) == 30 * 60 + 37
        on_foot = search.arrival(TOCHOMAE, at, PIER, avoid="Yurikamome")
        by_yurikamome = search.arrival(TOCHOMAE, at, PIER, avoid="Toei.Oedo.Daimon")
        # 都庁前 -> 大門 19 min and 11 min on foot, after at most 7 min of waiting.
        assert at + 30 <= on_foot <= at + 37
        # 都庁前 -> 汐留 21 min, 5 min to change, 3 min to 竹芝, 1 min on foot, and two waits.
        assert at + 30 <= by_yurikamome <= at + 30 + 7 + 6
        assert by_yurikamome <= 22 * 60


def test_before_a_rest_day_the_ship_leaves_at_eleven(city: Path) -> None:
    # Friday 22 May: pattern B, 23:00 -> 05:00 岡田, bus 05:20 -> 05:37; 21:45 is early enough for it.
    search = PlainSearch(city, date(2026, 5, 22))
    assert search.arrival(TOCHOMAE, 21 * 60 + 45, MOTOMACHI) == 29 * 60 + 37


def test_whoever_misses_the_ship_takes_the_jetfoil_in_the_morning(city: Path) -> None:
    # Wednesday 21:50 is too late for 22:00; Thursday's jetfoil 08:35 lands at 元町港 10:20, and the bus stop
    # there is five minutes away.
    search = PlainSearch(city, date(2026, 5, 20))
    assert search.arrival(TOCHOMAE, 21 * 60 + 50, MOTOMACHI) == 24 * 60 + 10 * 60 + 25


@pytest.mark.parametrize("day", [date(2026, 5, 18) + timedelta(days=offset) for offset in range(5)])
def test_every_weekday_evening_reaches_oshima_by_morning(city: Path, day: date) -> None:
    search = PlainSearch(city, day)
    assert search.arrival(TOCHOMAE, 20 * 60 + 30, MOTOMACHI) <= 31 * 60
