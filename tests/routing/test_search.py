"""Searches against the oracle that tries everything."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.bounds import build_bounds
from routing.errors import OutsideDates
from routing.journey import Access, FoundJourney, TripLeg, resolve
from routing.raptor import Query, Router
from routing.timetable import Timetable
from tests.oracles.journeys import DAY_S, PlainCall, PlainTrip, PlainWorld, earliest, latest
from tests.routing.worlds import at, compile_world, worlds

RIDES_MAX = 4


def ends(stop: int, walk_s: int = 0) -> list[Access]:
    return [Access(stop=stop, walk_s=walk_s, via=stop)]


def local(timetable: Timetable, stop: int) -> int | None:
    return timetable.find_stop(f"f:s{stop}")


def find(
    timetable: Timetable, source: int, target: int, time_s: int, *, arrive_by: bool = False, walk_s: int = 0
) -> tuple[dict[int, int], list[FoundJourney]]:
    """{rides: arrival} (or departure), in seconds of day 1; and the journeys."""
    a, b = local(timetable, source), local(timetable, target)
    if a is None or b is None:
        return {}, []
    query = Query(
        at=at(1, time_s),
        access=ends(a, walk_s),
        egress=ends(b),
        arrive_by=arrive_by,
        ride_count_max=RIDES_MAX,
    )
    found = Router(timetable, bounds=build_bounds(timetable)).find_journeys(query)
    key = (lambda journey: journey.departs_s) if arrive_by else (lambda journey: journey.arrives_s)
    return {len(journey.rides): key(journey) for journey in found}, found


def shifted(answer: dict[int, int]) -> dict[int, int]:
    """The oracle counts from the first day, the search from the day searched (day 1)."""
    return {k: value - DAY_S for k, value in answer.items()}


def expect_earliest(world: PlainWorld, source: int, target: int, time_s: int) -> dict[int, int]:
    """On day 1: through day 2; and day 3 where nothing is found, or what is found arrives that late."""
    access, egress = {source: 0}, {target: 0}
    for last in (2, 3):
        days = range(last + 1)
        answer = earliest(world, access, egress, time_s + DAY_S, ride_count_max=RIDES_MAX, days=days)
        if answer and min(answer.values()) < (last + 1) * DAY_S:
            return shifted(answer)
    return shifted(answer)


@settings(max_examples=120, deadline=None)
@given(worlds(), st.data())
def test_forward_search_equals_trying_everything(world: PlainWorld, data: st.DataObject) -> None:
    timetable = compile_world(world)
    source = data.draw(st.integers(0, world.stop_count - 1))
    target = data.draw(st.integers(0, world.stop_count - 1).filter(lambda s: s != source))
    time_s = data.draw(st.integers(0, 24 * 4 - 1)) * 900
    got, journeys = find(timetable, source, target, time_s)
    assert got == expect_earliest(world, source, target, time_s)
    for journey in journeys:
        check_journey(timetable, journey, leaves_s=time_s)


@settings(max_examples=60, deadline=None)
@given(worlds(with_stay=False), st.data())
def test_arrive_by_leaves_as_late_as_any_departure_that_works(world: PlainWorld, data: st.DataObject) -> None:
    timetable = compile_world(world)
    source = data.draw(st.integers(0, world.stop_count - 1))
    target = data.draw(st.integers(0, world.stop_count - 1).filter(lambda s: s != source))
    time_s = data.draw(st.integers(0, 24 * 4 - 1)) * 900
    got, journeys = find(timetable, source, target, time_s, arrive_by=True)
    wanted = latest(world, {source: 0}, {target: 0}, time_s + DAY_S, ride_count_max=RIDES_MAX, days=range(4))
    # Day 1 is searched and day 0 is the world's first, so no window is too narrow.
    assert got == shifted(wanted)
    for journey in journeys:
        check_journey(timetable, journey, leaves_s=journey.departs_s)
        assert journey.arrives_s <= time_s


@settings(max_examples=40, deadline=None)
@given(worlds(), st.data())
def test_back_from_an_arrival_and_forth_again_is_the_same(world: PlainWorld, data: st.DataObject) -> None:
    timetable = compile_world(world)
    source = data.draw(st.integers(0, world.stop_count - 1))
    target = data.draw(st.integers(0, world.stop_count - 1).filter(lambda s: s != source))
    got, journeys = find(timetable, source, target, 6 * 3600)
    for journey in journeys:
        if journey.arrives_s < DAY_S:
            back, _ = find(timetable, source, target, journey.arrives_s, arrive_by=True)
            assert max(back.values()) >= journey.departs_s
            assert back.get(len(journey.rides), journey.departs_s) >= journey.departs_s
    assert sorted(got.values(), reverse=True) == [got[k] for k in sorted(got)], "each ride pays"


@settings(max_examples=40, deadline=None)
@given(worlds(with_stay=False), worlds(with_stay=False), st.data())
def test_another_trip_never_worsens_anything(
    world: PlainWorld, other: PlainWorld, data: st.DataObject
) -> None:
    trip = PlainTrip(
        tuple(call for call in other.trips[0].calls if call.stop < world.stop_count),
        other.trips[0].days,
    )
    if len(trip.calls) < 2:
        return
    source = data.draw(st.integers(0, world.stop_count - 1))
    target = data.draw(st.integers(0, world.stop_count - 1).filter(lambda s: s != source))
    before, _ = find(compile_world(world), source, target, 5 * 3600)
    richer = PlainWorld(world.stop_count, [*world.trips, trip], world.walks, world.changes)
    after, _ = find(compile_world(richer), source, target, 5 * 3600)
    for k, arrives_s in before.items():
        assert min((v for j, v in after.items() if j <= k), default=None) <= arrives_s


def check_journey(timetable: Timetable, journey: FoundJourney, *, leaves_s: int) -> None:
    """It leaves in time, its legs follow one another in time and place, and every ride is one that runs."""
    assert journey.departs_s >= leaves_s
    legs = resolve(timetable, journey)
    for before, after in pairwise(legs):
        assert before.arrives_at <= after.departs_at
        here = before.calls[-1].stop if isinstance(before, TripLeg) else before.destination
        there = after.calls[0].stop if isinstance(after, TripLeg) else after.origin
        assert here == there or after.in_seat
    for ride in journey.rides:
        lines = timetable.lines
        begin = int(lines.stop_offsets[ride.line])
        assert timetable.days.active[lines.patterns[ride.line], ride.day]
        assert lines.flags[begin + ride.board] & 1
        assert lines.flags[begin + ride.alight] & 2
        assert ride.board < ride.alight


def test_a_day_outside_the_network_is_refused() -> None:
    world = PlainWorld(2, [], {}, {})
    world.trips = [PlainTrip(_calls((0, 8 * 3600), (1, 9 * 3600)), frozenset({1}))]
    timetable = compile_world(world)
    query = Query(at=at(400, 0), access=ends(0), egress=ends(1))
    with pytest.raises(OutsideDates, match="outside"):
        Router(timetable).find_journeys(query)


def _calls(*stops: tuple[int, int]) -> tuple[PlainCall, ...]:
    return tuple(PlainCall(stop, seconds, seconds) for stop, seconds in stops)


def test_kernels_without_compilation_agree_with_the_oracle() -> None:
    """The kernels are plain Python too: a few of the same examples with the compiler off."""
    root = Path(__file__).parents[2]
    code = "from tests.routing import plain_python; plain_python.main()"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=root,
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "25 worlds agree" in result.stdout
