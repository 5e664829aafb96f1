"""Bounds against their twin, on disk, and under changed runs."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.bounds import FOLDER, build_bounds, find_saved_bounds
from routing.kernels.arrays import (
    BOUND_UNIT_S,
    NOT_REACHED,
    RIDES_UNREACHABLE,
    UNREACHABLE,
    Int32,
    Lines,
    Walks,
)
from routing.kernels.bounds import find_gain, find_shortest
from routing.timetable import Timetable, open_timetable
from tests.oracles.bounds import INFINITE, PlainRun, PlainWay, bounds_to, list_rides
from tests.oracles.journeys import PlainCall, PlainTrip, PlainWorld
from tests.routing.worlds import compile_world, worlds


def ways_of(lines: Lines) -> dict[PlainWay, list[PlainRun]]:
    """The lines as the twin knows them."""
    ways: dict[PlainWay, list[PlainRun]] = {}
    for line in range(len(lines.patterns)):
        begin, end = int(lines.stop_offsets[line]), int(lines.stop_offsets[line + 1])
        way = PlainWay(
            tuple(lines.stops[begin:end].tolist()),
            tuple((bool(flag & 1), bool(flag & 2)) for flag in lines.flags[begin:end].tolist()),
            int(lines.board_early_s[line]),
            int(lines.alight_late_s[line]),
        )
        for run in range(int(lines.time_offsets[line]), int(lines.time_offsets[line + 1]), end - begin):
            here = slice(run, run + end - begin)
            calls = zip(lines.arrivals[here].tolist(), lines.departures[here].tolist(), strict=True)
            ways.setdefault(way, []).append(tuple(calls))
    return ways


def plain_walks(walks: Walks) -> tuple[dict[tuple[int, int], int], dict[int, int]]:
    pairs = {}
    for stop in range(len(walks.change_s)):
        for w in range(int(walks.offsets[stop]), int(walks.offsets[stop + 1])):
            pairs[stop, int(walks.targets[w])] = int(walks.walk_s[w])
    changes = {s: seconds for s, seconds in enumerate(walks.change_s.tolist()) if seconds != NOT_REACHED}
    return pairs, changes


@settings(max_examples=40, deadline=None)
@given(worlds(), st.booleans())
def test_bounds_are_those_of_every_ride_tried(world: PlainWorld, is_mirrored: object) -> None:
    timetable = compile_world(world)
    bounds = build_bounds(timetable)
    rows = bounds.mirror if is_mirrored else bounds.forward
    rides = list_rides(ways_of(timetable.mirror if is_mirrored else timetable.lines))
    walks, changes = plain_walks(timetable.mirror_walks if is_mirrored else timetable.walks)
    for goal in range(timetable.stop_count):
        left, fewest = bounds_to(
            goal, stop_count=timetable.stop_count, rides=rides, walks=walks, changes=changes
        )
        assert rows.times[goal].tolist() == [
            UNREACHABLE if seconds == INFINITE else seconds // BOUND_UNIT_S for seconds in left
        ]
        assert rows.rides[goal].tolist() == [
            RIDES_UNREACHABLE if count == INFINITE else count for count in fewest
        ]


@settings(max_examples=20, deadline=None)
@given(worlds(), st.integers(1, 5))
def test_a_group_is_as_near_as_its_nearest_stop(world: PlainWorld, group_count_max: int) -> None:
    timetable = compile_world(world)
    each = build_bounds(timetable).forward
    together = build_bounds(timetable, group_count_max=group_count_max).forward
    groups = together.groups
    assert len(together.times) <= group_count_max or len(together.times) == timetable.stop_count
    for g in range(len(together.times)):
        for h in range(len(together.times)):
            pairs = np.ix_(groups == g, groups == h)
            assert together.times[g, h] == each.times[pairs].min()
            assert together.rides[g, h] == each.rides[pairs].min()


def small() -> Timetable:
    """Stop 0 to 1 in 10 and in 12 minutes, by two trips of one line."""
    trips = [
        PlainTrip((PlainCall(0, at, at), PlainCall(1, at + ride_s, at + ride_s)), frozenset({1}))
        for at, ride_s in ((30_000, 600), (40_000, 720))
    ]
    return compile_world(PlainWorld(2, trips, {}, {0: 0, 1: 0}))


def test_bounds_are_found_beside_their_network_and_no_other(tmp_path: Path) -> None:
    timetable = small()
    timetable.save(tmp_path)
    opened = open_timetable(tmp_path)
    assert find_saved_bounds(tmp_path, opened) is None, "there are none yet"
    made = build_bounds(timetable)
    made.save(tmp_path, version=timetable.version)
    found = find_saved_bounds(tmp_path, opened)
    assert found is not None
    for before, after in zip((*made.forward, *made.mirror), (*found.forward, *found.mirror), strict=True):
        assert np.array_equal(before, after)
    (tmp_path / FOLDER / "manifest.json").write_text('{"format": 1, "version": "another"}')
    assert find_saved_bounds(tmp_path, opened) is None, "they belong to another network"


def test_bounds_cut_short_are_no_bounds(tmp_path: Path) -> None:
    timetable = small()
    build_bounds(timetable).save(tmp_path, version=timetable.version)
    (tmp_path / FOLDER / "mirror.rides.npy").write_bytes(b"")
    assert find_saved_bounds(tmp_path, timetable) is None


@pytest.mark.parametrize(
    ("arrives_s", "gain_s"),
    [(50_600, 0), (50_900, 0), (50_599, 1), (50_400, 200)],
    ids=["as fast as the fastest", "late", "faster than any", "much faster"],
)
def test_a_changed_run_gains_what_it_is_faster_than_the_fastest(arrives_s: int, gain_s: int) -> None:
    times_s = np.array([50_000, arrives_s], dtype=np.int32)
    assert gain_of(small().lines, times_s, times_s) == gain_s


def gain_of(lines: Lines, arrivals_s: Int32, departures_s: Int32) -> int:
    """Of a run of the first line."""
    ride_s, stand_s = np.empty_like(lines.stops), np.empty_like(lines.stops)
    find_shortest(lines, ride_s, stand_s)
    count = len(arrivals_s)
    return find_gain(ride_s[:count], stand_s[:count], arrivals_s, departures_s)


@pytest.mark.parametrize(
    ("times_s", "gain_s"),
    [
        # Planned: 0, 100-110, 200-210, 300.
        ([0, 0, 100, 110, 200, 210, 300, 300], 0),
        ([60, 60, 160, 170, 230, 240, 300, 300], 60),  # makes up for a minute in two hops of 30
        ([0, 0, 90, 110, 190, 210, 300, 300], 10),  # standing longer takes back what was gained before
        ([0, 0, 60, 200, 250, 250, 400, 400], 50),
    ],
)
def test_the_stretch_that_gains_most_counts(times_s: list[int], gain_s: int) -> None:
    calls = tuple(
        PlainCall(stop, arrives_s, departs_s)
        for stop, arrives_s, departs_s in ((0, 0, 0), (1, 100, 110), (2, 200, 210), (3, 300, 300))
    )
    world = PlainWorld(4, [PlainTrip(calls, frozenset({1}))], {}, {})
    arrivals, departures = (np.array(times_s[i::2], dtype=np.int32) for i in (0, 1))
    assert gain_of(compile_world(world).lines, arrivals, departures) == gain_s
