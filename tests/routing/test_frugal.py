"""Searches by arrival, rides and seconds on foot against every way there is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.bounds import build_bounds
from routing.frugal import SLACK, Slack, find_frugal, get_walked_s, limit
from routing.journey import Access, FoundJourney, Rental
from routing.raptor import Query, Router
from routing.timetable import Timetable
from tests.oracles.criteria import Way, best_of, every_arrival, every_departure
from tests.oracles.journeys import DAY_S, PlainCall, PlainTrip, PlainWorld
from tests.routing.test_cancellations import draw_cancelled, named, without
from tests.routing.test_search import check_journey, local
from tests.routing.worlds import DAY_COUNT, at, compile_world, worlds

RIDES_MAX = 3
WAYS: list[Way] = [(0, 0), (300, 300), (900, 900), (400, 20)]
"""The last is by bike: on foot to it and from it."""

Ends = dict[int, list[Way]]


def ways_of(timetable: Timetable, ends: Ends) -> list[Access]:
    """The same ends as the search has them."""
    return [
        Access(stop=here, walk_s=seconds, rental=None if seconds == foot_s else _bike(seconds, foot_s))
        for stop, ways in ends.items()
        if (here := local(timetable, stop)) is not None
        for seconds, foot_s in ways
    ]


def _bike(seconds: int, foot_s: int) -> Rental:
    return Rental(pickup="b:1", dropoff="b:2", walk_to_s=foot_s, ride_s=seconds - foot_s, walk_from_s=0)


def ends_from(data: st.DataObject, stops: list[int]) -> Ends:
    chosen = data.draw(st.lists(st.sampled_from(stops), min_size=1, max_size=2, unique=True))
    return {stop: data.draw(st.lists(st.sampled_from(WAYS), min_size=1, max_size=2)) for stop in chosen}


def told(timetable: Timetable, found: list[FoundJourney], *, arrive_by: bool) -> set[tuple[int, int, int]]:
    """(arrival, rides, seconds on foot), or departures negated, in seconds of the world's first day."""
    goals = [
        (
            -(path.departs_s + DAY_S) if arrive_by else path.arrives_s + DAY_S,
            len(path.rides),
            get_walked_s(timetable, path),
        )
        for path in found
    ]
    assert len(goals) == len(set(goals)), "no journey is told twice"
    assert goals == sorted(goals, key=lambda goal: goal[:2]), "best first"
    return set(goals)


def check(world: PlainWorld, data: st.DataObject, *, arrive_by: bool) -> None:
    timetable = compile_world(world)
    cancelled = draw_cancelled(world, data) if data.draw(st.booleans()) else set()
    access = ends_from(data, list(range(world.stop_count)))
    others = [stop for stop in range(world.stop_count) if stop not in access]
    egress = ends_from(data, others)
    time_s = data.draw(st.integers(0, 24 * 4 - 1)) * 900
    slack = data.draw(st.sampled_from([SLACK, Slack(factor=2.0, extra_s=7200, extra_rides=3)]))
    query = Query(
        at=at(1, time_s),
        access=ways_of(timetable, access),
        egress=ways_of(timetable, egress),
        arrive_by=arrive_by,
        ride_count_max=RIDES_MAX,
    )
    bounds = build_bounds(timetable) if data.draw(st.booleans()) else None
    router = Router(timetable, named(timetable, cancelled), bounds=bounds)
    plain = router.find_journeys(query)
    found = find_frugal(router, query, slack)
    if not plain:
        assert found == []
        return
    limits = limit(plain, slack, ride_count_max=RIDES_MAX, is_mirrored=arrive_by)
    # Limits are of the day searched; the oracle counts from the first day, and mirrored from it back.
    day_s = -DAY_S if arrive_by else DAY_S
    before_s = [int(each) + day_s for each in limits.before_s]
    every = every_departure if arrive_by else every_arrival
    left = without(world, cancelled)
    goals = every(left, access, egress, time_s + DAY_S, ride_count_max=RIDES_MAX, days=range(DAY_COUNT))
    got = told(timetable, found, arrive_by=arrive_by)
    assert got == best_of(goals, before_s)
    # The plain Pareto set is contained in it.
    for path in plain:
        assert (-path.departs_s if arrive_by else path.arrives_s) + day_s in {
            seconds for seconds, rides, _ in got if rides == len(path.rides)
        }
    for path in found:
        check_journey(timetable, path, leaves_s=path.departs_s if arrive_by else time_s)
        if arrive_by:
            assert path.arrives_s <= time_s
    if found and not arrive_by:
        # Nobody leaves earlier than they must.
        path = data.draw(st.sampled_from(found))
        leaving = every_departure(
            left, access, egress, path.arrives_s + DAY_S, ride_count_max=RIDES_MAX, days=range(DAY_COUNT)
        )
        walked_s = get_walked_s(timetable, path)
        latest_s = max(-s for s, rides, foot_s in leaving if rides <= len(path.rides) and foot_s <= walked_s)
        assert path.departs_s + DAY_S == latest_s


@settings(max_examples=60, deadline=None)
@given(worlds(), st.data())
def test_all_ways_with_fewer_steps_are_found(world: PlainWorld, data: st.DataObject) -> None:
    check(world, data, arrive_by=False)


@settings(max_examples=30, deadline=None)
@given(worlds(with_stay=False), st.data())
def test_to_arrive_by_an_hour_likewise(world: PlainWorld, data: st.DataObject) -> None:
    check(world, data, arrive_by=True)


def test_ten_minutes_later_and_no_step() -> None:
    """0 to 3: change at 1 on foot to 2, there at 9:00; or stay seated until 9:10, or 9:40.

    The fastest takes an hour: up to 15 and 10 minutes later count, so 9:10 is told and 9:40 is not.
    """
    trips = [
        _trip((0, 8 * 3600), (1, 8 * 3600 + 900)),
        _trip((2, 8 * 3600 + 1800), (3, 9 * 3600)),
        _trip((0, 8 * 3600), (4, 8 * 3600 + 900)),
        _trip((4, 8 * 3600 + 1800), (3, 9 * 3600 + 600)),
        _trip((0, 8 * 3600), (3, 9 * 3600 + 2400)),
    ]
    world = PlainWorld(5, trips, {(1, 2): 600}, dict.fromkeys(range(5), 60))
    timetable = compile_world(world)
    query = Query(
        at=at(1, 8 * 3600 - 300),
        access=ways_of(timetable, {0: [(0, 0)]}),
        egress=ways_of(timetable, {3: [(0, 0)]}),
    )
    router = Router(timetable, bounds=build_bounds(timetable))
    # 9:40 with one ride is in the plain set: none arrives with so few.
    assert told(timetable, find_frugal(router, query), arrive_by=False) == {
        (DAY_S + 9 * 3600, 2, 600),
        (DAY_S + 9 * 3600 + 600, 2, 0),
        (DAY_S + 9 * 3600 + 2400, 1, 0),
    }
    hasty = Slack(factor=1.0, extra_s=599)
    assert told(timetable, find_frugal(router, query, hasty), arrive_by=False) == {
        (DAY_S + 9 * 3600, 2, 600),
        (DAY_S + 9 * 3600 + 2400, 1, 0),
    }


def test_what_does_not_fit_is_searched_again_with_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    trips = [_trip((0, 8 * 3600 + i), (1, 9 * 3600 - i)) for i in range(3)]
    timetable = compile_world(PlainWorld(2, trips, {}, {}))
    query = Query(
        at=at(1, 8 * 3600),
        access=ways_of(timetable, {0: [(0, 0)]}),
        egress=ways_of(timetable, {1: [(0, 0)]}),
    )
    expected = find_frugal(Router(timetable), query)
    monkeypatch.setattr("routing.frugal._LABELS", 1)
    assert find_frugal(Router(timetable), query) == expected
    assert len(expected) == 1


def _trip(*calls: tuple[int, int]) -> PlainTrip:
    return PlainTrip(tuple(PlainCall(stop, seconds, seconds) for stop, seconds in calls), frozenset({1}))
