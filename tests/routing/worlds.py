"""Random small cities, as plain Python (the oracle's world) and as the feed that says the same."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
from hypothesis import strategies as st

from gtfs.tables import DTYPES, TABLES, Feed
from routing.assembly import BuildOptions
from routing.build import compile_timetable
from routing.footpaths import WalkOptions
from routing.timetable import Timetable
from tests.oracles.journeys import PlainCall, PlainTrip, PlainWorld

FIRST = date(2026, 6, 1)
DAY_COUNT = 4
CHECK_IN_S = 600
ONLY_TRANSFERS = BuildOptions(
    check_in_s=CHECK_IN_S,
    walks=WalkOptions(change_same_stop_s=0, change_same_station_s=None, beeline_m_max=0),
)


def feed_of(world: PlainWorld) -> Feed:
    """The world as GTFS tables. Stop s is `s<number>`, trip t is `t<number>`."""
    rows = {spec.name: [] for spec in TABLES}
    rows["agency"] = [{"agency_id": "A", "agency_name": "A", "agency_timezone": "Asia/Tokyo"}]
    rows["routes"] = [
        {"route_id": "R", "agency_id": "A", "route_type": 3},
        {"route_id": "F", "agency_id": "A", "route_type": 4},
    ]
    rows["stops"] = [
        {"stop_id": f"s{i}", "stop_name": f"s{i}", "stop_lat": 35 + i / 10, "stop_lon": 139.0}
        for i in range(world.stop_count)
    ]
    services = {trip.days for trip in world.trips}
    for days in services:
        rows["calendar_dates"] += [
            {"service_id": _service(days), "date": FIRST + timedelta(days=day), "exception_type": 1}
            for day in days
        ]
    for t, trip in enumerate(world.trips):
        rows["trips"].append(
            {
                "route_id": "F" if trip.check_in_s else "R",
                "service_id": _service(trip.days),
                "trip_id": f"t{t}",
            }
        )
        for p, call in enumerate(trip.calls):
            rows["stop_times"].append(
                {
                    "trip_id": f"t{t}",
                    "stop_id": f"s{call.stop}",
                    "arrival_time": call.arrives_s,
                    "departure_time": call.departs_s,
                    "stop_sequence": p,
                    "pickup_type": 0 if call.may_board else 1,
                    "drop_off_type": 0 if call.may_alight else 1,
                }
            )
    rows["transfers"] = [
        {"from_stop_id": f"s{a}", "to_stop_id": f"s{b}", "transfer_type": 2, "min_transfer_time": seconds}
        for (a, b), seconds in [*world.walks.items(), *(((s, s), v) for s, v in world.changes.items())]
    ]
    rows["transfers"] += [
        {"from_trip_id": f"t{a}", "to_trip_id": f"t{b}", "transfer_type": 4}
        for a, following in world.stay.items()
        for b in following
    ]
    tables = {}
    for spec in TABLES:
        schema = {column.name: DTYPES[column.kind] for column in spec.columns} | {"row": pl.UInt32}
        filled = [{name: row.get(name) for name in schema} for row in rows[spec.name]]
        tables[spec.name] = pl.DataFrame(filled, schema=schema)
    return Feed(feed_id="f", tables=tables)


def _service(days: frozenset[int]) -> str:
    return "d" + "-".join(map(str, sorted(days)))


def compile_world(world: PlainWorld, options: BuildOptions = ONLY_TRANSFERS) -> Timetable:
    timetable, _ = compile_timetable([feed_of(world)], version="test", options=options)
    timetable.check()
    return timetable


@st.composite
def worlds(draw: st.DrawFn, *, with_stay: bool = True) -> PlainWorld:
    """Up to 6 stops and 8 trips on few lines, some overtaking, past midnight, or with barred calls."""
    stop_count = draw(st.integers(3, 6))
    stop = st.integers(0, stop_count - 1)
    sequences = draw(st.lists(st.lists(stop, min_size=2, max_size=5), min_size=1, max_size=3))
    trips = []
    for _ in range(draw(st.integers(1, 8))):
        sequence = draw(st.sampled_from(sequences))
        at = draw(st.integers(0, 30)) * 3600 // 2 + 6 * 3600
        calls = []
        for s in sequence:
            arrives = at
            at += draw(st.sampled_from([0, 0, 60]))
            bars = draw(st.sampled_from([(True, True)] * 6 + [(False, True), (True, False)]))
            calls.append(PlainCall(s, arrives, at, *bars))
            at += draw(st.sampled_from([60, 600, 1800, 3600, 40_000]))
        days = draw(st.sampled_from([{0, 1, 2, 3}, {1}, {1, 2}, {0, 2}]))
        check_in_s = draw(st.sampled_from([0, 0, 0, CHECK_IN_S]))
        trips.append(PlainTrip(tuple(calls), frozenset(days), check_in_s))
    pairs = draw(st.lists(st.tuples(stop, stop), max_size=4))
    walks = {(a, b): draw(st.sampled_from([60, 300, 900])) for a, b in pairs if a != b}
    changes = {s: draw(st.sampled_from([0, 120])) for s in range(stop_count)}
    world = PlainWorld(stop_count, trips, walks, changes)
    if with_stay:
        world.stay = draw(st.sampled_from([{}, _possible_stays(world)]))
    return world


def _possible_stays(world: PlainWorld) -> dict[int, list[int]]:
    """Some vehicle goes on as another trip, later the same service day."""
    stay: dict[int, list[int]] = {}
    for a, first in enumerate(world.trips):
        for b in range(a + 1, len(world.trips)):
            second = world.trips[b]
            is_kin = first.check_in_s == second.check_in_s and (a + b) % 2
            if second.calls[0].departs_s >= first.calls[-1].arrives_s and is_kin:
                stay.setdefault(a, []).append(b)
    return stay


def at(day: int, seconds: int) -> datetime:
    """That many seconds into a day of the world (Tokyo has no summer time)."""
    return datetime(2026, 6, 1, tzinfo=UTC) + timedelta(days=day, seconds=seconds - 9 * 3600)
