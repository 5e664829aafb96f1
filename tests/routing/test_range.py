"""All journeys of some hours against every departure asked alone; and with bounds as without."""

from hypothesis import given, settings
from hypothesis import strategies as st

from routing.bounds import build_bounds
from routing.journey import FoundJourney
from routing.raptor import Query, Router
from routing.timetable import Timetable
from tests.oracles.journeys import DAY_S, PlainCall, PlainTrip, PlainWorld, pareto_range
from tests.routing.test_cancellations import draw_cancelled, named, without
from tests.routing.test_search import check_journey, ends, local
from tests.routing.worlds import DAY_COUNT, at, compile_world, worlds

RIDES_MAX = 3


def query(timetable: Timetable, source: int, target: int, time_s: int, *, arrive_by: bool) -> Query | None:
    a, b = local(timetable, source), local(timetable, target)
    if a is None or b is None:
        return None
    return Query(
        at=at(1, time_s), access=ends(a), egress=ends(b), arrive_by=arrive_by, ride_count_max=RIDES_MAX
    )


def told(journeys: list[FoundJourney]) -> set[tuple[int, int, int]]:
    """(departure, arrival, rides), in seconds of the world's first day."""
    found = [(j.departs_s + DAY_S, j.arrives_s + DAY_S, len(j.rides)) for j in journeys]
    assert len(found) == len(set(found)), "no journey is told twice"
    assert found == sorted(found, key=lambda journey: journey[:2]), "in order of departure"
    return set(found)


def expect_leaving(world: PlainWorld, source: int, target: int, time_s: int, length_s: int) -> set:
    """What leaves day 1 from time_s on: of as many days as it takes for all of it to arrive."""
    answer = set()
    for last in range(2 + (time_s + length_s > DAY_S), DAY_COUNT + 1):
        found = pareto_range(world, {source: 0}, {target: 0}, ride_count_max=RIDES_MAX, days=range(last + 1))
        begin_s = time_s + DAY_S
        later = {one for one in found if one[0] >= begin_s}
        answer = {one for one in later if one[0] <= begin_s + length_s}
        if answer and max(one[1] for one in answer) < (last + 1) * DAY_S:
            break
    return answer


@settings(max_examples=25, deadline=None)
@given(worlds(), st.data())
def test_a_range_is_every_departure_asked_alone(world: PlainWorld, data: st.DataObject) -> None:
    timetable = compile_world(world)
    cancelled = draw_cancelled(world, data) if data.draw(st.booleans()) else set()
    source = data.draw(st.integers(0, world.stop_count - 1))
    target = data.draw(st.integers(0, world.stop_count - 1).filter(lambda s: s != source))
    time_s = data.draw(st.integers(0, 24 * 4 - 1)) * 900
    length_s = data.draw(st.sampled_from([900, 7200, 24 * 3600]))
    asked = query(timetable, source, target, time_s, arrive_by=False)
    if asked is None:
        return
    bounds = build_bounds(timetable) if data.draw(st.booleans()) else None
    journeys = Router(timetable, named(timetable, cancelled), bounds=bounds).find_range(asked, length_s)
    expected = expect_leaving(without(world, cancelled), source, target, time_s, length_s)
    assert told(journeys) == expected
    for journey in journeys:
        check_journey(timetable, journey, leaves_s=time_s)


@settings(max_examples=15, deadline=None)
@given(worlds(with_stay=False), st.data())
def test_a_range_of_arrivals_is_every_departure_asked_alone(world: PlainWorld, data: st.DataObject) -> None:
    timetable = compile_world(world)
    source = data.draw(st.integers(0, world.stop_count - 1))
    target = data.draw(st.integers(0, world.stop_count - 1).filter(lambda s: s != source))
    time_s = data.draw(st.integers(0, 24 * 4 - 1)) * 900
    length_s = data.draw(st.sampled_from([900, 7200, 24 * 3600]))
    asked = query(timetable, source, target, time_s, arrive_by=True)
    if asked is None:
        return
    journeys = Router(timetable, bounds=build_bounds(timetable)).find_range(asked, length_s)
    # Day 0 is the world's first, so no window is too narrow.
    every = pareto_range(world, {source: 0}, {target: 0}, ride_count_max=RIDES_MAX, days=range(DAY_COUNT))
    end_s = time_s + DAY_S
    assert told(journeys) == {one for one in every if end_s - length_s <= one[1] <= end_s}


@settings(max_examples=25, deadline=None)
@given(worlds(), st.data())
def test_bounds_change_no_answer(world: PlainWorld, data: st.DataObject) -> None:
    """Whether or not stops share a bound with others."""
    timetable = compile_world(world)
    source = data.draw(st.integers(0, world.stop_count - 1))
    target = data.draw(st.integers(0, world.stop_count - 1).filter(lambda s: s != source))
    time_s = data.draw(st.integers(0, 24 * 4 - 1)) * 900
    asked = query(timetable, source, target, time_s, arrive_by=data.draw(st.booleans()))
    if asked is None:
        return
    plain = Router(timetable)
    bounds = build_bounds(timetable, group_count_max=data.draw(st.integers(1, 6)))
    bounded = Router(timetable, bounds=bounds)
    key = [
        [(j.departs_s, j.arrives_s, len(j.rides)) for j in router.find_journeys(asked)]
        for router in (plain, bounded)
    ]
    assert key[0] == key[1]
    assert told(plain.find_range(asked, 7200)) == told(bounded.find_range(asked, 7200))


def test_a_delayed_trip_that_nobody_takes_changes_nothing() -> None:
    """Stop 0 to 2: by trip 0 at 8:00. Trip 1 goes 0 to 3 and is of no use, whenever it runs."""

    def told_with(delay_s: int) -> set[tuple[int, int, int]]:
        trips = [_trip((0, 8 * 3600), (2, 9 * 3600)), _trip((0, 28_000 + delay_s), (3, 29_000 + delay_s))]
        timetable = compile_world(PlainWorld(4, trips, {}, dict.fromkeys(range(4), 0)))
        asked = query(timetable, 0, 2, 7 * 3600, arrive_by=False)
        assert asked is not None
        return told(Router(timetable, bounds=build_bounds(timetable)).find_range(asked, 7200))

    assert told_with(0) == told_with(600) == {(8 * 3600 + DAY_S, 9 * 3600 + DAY_S, 1)}


def test_a_weekly_ship_is_found_by_a_range_that_a_bus_leaves_in() -> None:
    """The bus to the pier leaves every day, the ship only on day 9: the last bus before it is the answer."""
    bus = _trip((0, 8 * 3600), (1, 9 * 3600), days=frozenset(range(14)))
    ship = _trip((1, 10 * 3600), (2, 20 * 3600), days=frozenset({9}))
    timetable = compile_world(PlainWorld(3, [bus, ship], {}, dict.fromkeys(range(3), 0)))
    asked = query(timetable, 0, 2, 7 * 3600, arrive_by=False)
    assert asked is not None
    router = Router(timetable, bounds=build_bounds(timetable))
    # From day 1 the ship sails 8 days later; whoever leaves today arrives then, but may leave on day 9.
    (journey,) = router.find_journeys(asked)
    assert (journey.departs_s, journey.arrives_s) == (8 * DAY_S + 8 * 3600, 8 * DAY_S + 20 * 3600)
    # So no journey that leaves today is worth telling.
    assert router.find_range(asked, 7200) == []


def _trip(*calls: tuple[int, int], days: frozenset[int] = frozenset({1})) -> PlainTrip:
    return PlainTrip(tuple(PlainCall(stop, seconds, seconds) for stop, seconds in calls), days)
