"""Searches over places on the way, against the oracle that tries everything."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.bounds import build_bounds
from routing.raptor import Query, Router
from routing.timetable import Timetable
from routing.via import Via, ViaRouter, is_via
from tests.oracles.journeys import DAY_S, PlainCall, PlainTrip, PlainWorld
from tests.oracles.via import Place, earliest_via, latest_via, range_via
from tests.routing.test_search import RIDES_MAX, check_journey, ends, local, shifted
from tests.routing.worlds import DAY_COUNT, at, compile_world, worlds


def draw_places(world: PlainWorld, data: st.DataObject) -> list[Place]:
    stop = st.integers(0, world.stop_count - 1)
    places = st.tuples(st.frozensets(stop, min_size=1, max_size=2), st.sampled_from([0, 0, 300, 3_600]))
    return data.draw(st.lists(places, min_size=1, max_size=2))


def router_of(timetable: Timetable, places: list[Place], *, is_bounded: bool) -> ViaRouter | None:
    """None where a place has no stop in the timetable: nobody can be there."""
    vias = []
    for stops, stay_s in places:
        known = frozenset(stop for each in stops if (stop := local(timetable, each)) is not None)
        if not known:
            return None
        vias.append(Via(stops=known, stay_s=stay_s))
    return ViaRouter(Router(timetable, bounds=build_bounds(timetable) if is_bounded else None), vias)


def draw_ends(world: PlainWorld, data: st.DataObject) -> tuple[int, int, int]:
    source = data.draw(st.integers(0, world.stop_count - 1))
    target = data.draw(st.integers(0, world.stop_count - 1).filter(lambda s: s != source))
    return source, target, data.draw(st.integers(0, 24 * 4 - 1)) * 900


def query(timetable: Timetable, source: int, target: int, time_s: int, *, arrive_by: bool) -> Query | None:
    a, b = local(timetable, source), local(timetable, target)
    if a is None or b is None:
        return None
    return Query(
        at=at(1, time_s), access=ends(a), egress=ends(b), arrive_by=arrive_by, ride_count_max=RIDES_MAX
    )


@settings(max_examples=150, deadline=None)
@given(worlds(), st.data())
def test_searches_over_places_equal_trying_everything(world: PlainWorld, data: st.DataObject) -> None:
    timetable, places = compile_world(world), draw_places(world, data)
    source, target, time_s = draw_ends(world, data)
    router = router_of(timetable, places, is_bounded=data.draw(st.booleans()))
    asked = query(timetable, source, target, time_s, arrive_by=False)
    if router is None or asked is None:
        return
    found = router.find_journeys(asked)
    answer: dict[int, int] = {}
    for last in (2, 3):
        answer = earliest_via(
            world,
            {source: 0},
            {target: 0},
            time_s + DAY_S,
            places,
            ride_count_max=RIDES_MAX,
            days=range(last + 1),
        )
        if answer and min(answer.values()) < (last + 1) * DAY_S:
            break
    assert {len(journey.rides): journey.arrives_s for journey in found} == shifted(answer)
    for journey in found:
        check_journey(timetable, journey, leaves_s=time_s)
        assert is_via(timetable, journey, router.vias)


@settings(max_examples=100, deadline=None)
@given(worlds(with_stay=False), st.data())
def test_to_arrive_by_an_hour_one_leaves_as_late_as_can_be(world: PlainWorld, data: st.DataObject) -> None:
    timetable, places = compile_world(world), draw_places(world, data)
    source, target, time_s = draw_ends(world, data)
    router = router_of(timetable, places, is_bounded=data.draw(st.booleans()))
    asked = query(timetable, source, target, time_s, arrive_by=True)
    if router is None or asked is None:
        return
    found = router.find_journeys(asked)
    wanted = latest_via(
        world,
        {source: 0},
        {target: 0},
        time_s + DAY_S,
        places,
        ride_count_max=RIDES_MAX,
        days=range(DAY_COUNT),
    )
    assert {len(journey.rides): journey.departs_s for journey in found} == shifted(wanted)
    for journey in found:
        check_journey(timetable, journey, leaves_s=journey.departs_s)
        assert is_via(timetable, journey, router.vias)


@settings(max_examples=40, deadline=None)
@given(worlds(with_stay=False), st.data())
def test_a_range_of_arrivals_over_places_is_every_departure_asked_alone(
    world: PlainWorld, data: st.DataObject
) -> None:
    timetable, places = compile_world(world), draw_places(world, data)
    source, target, time_s = draw_ends(world, data)
    length_s = data.draw(st.sampled_from([900, 7_200, DAY_S]))
    router = router_of(timetable, places, is_bounded=data.draw(st.booleans()))
    asked = query(timetable, source, target, time_s, arrive_by=True)
    if router is None or asked is None:
        return
    every = range_via(
        world, {source: 0}, {target: 0}, places, ride_count_max=RIDES_MAX, days=range(DAY_COUNT)
    )
    end_s = time_s + DAY_S
    found = {
        (journey.departs_s + DAY_S, journey.arrives_s + DAY_S, len(journey.rides))
        for journey in router.find_range(asked, length_s)
    }
    assert found == {one for one in every if end_s - length_s <= one[1] <= end_s}


def line(*stops: int, at_s: int, every_s: int = 600) -> PlainTrip:
    calls = (PlainCall(stop, at_s + i * every_s, at_s + i * every_s) for i, stop in enumerate(stops))
    return PlainTrip(tuple(calls), frozenset(range(4)))


HOUR = 3_600


@pytest.mark.parametrize(
    ("stay_s", "rides", "arrives_s"),
    [
        (0, 1, 9 * HOUR + 1_200),  # the train calls there: one stays seated
        (60, 2, 10 * HOUR + 600),  # it waits no minute, so one takes the next
        (3_600, 2, 11 * HOUR + 600),  # the one at 10:00 leaves after 50 minutes
    ],
)
def test_one_may_ride_through_where_no_stay_is_asked(stay_s: int, rides: int, arrives_s: int) -> None:
    trains = [line(0, 1, 2, at_s=9 * HOUR), line(1, 2, at_s=10 * HOUR), line(1, 2, at_s=11 * HOUR)]
    express = PlainTrip((PlainCall(0, 9 * HOUR, 9 * HOUR), PlainCall(2, 9 * HOUR + 60, 9 * HOUR + 60)),
                        frozenset(range(4)))  # fmt: skip
    timetable = compile_world(PlainWorld(3, [*trains, express], changes={0: 0, 1: 0, 2: 0}))
    router = router_of(timetable, [(frozenset({1}), stay_s)], is_bounded=True)
    asked = query(timetable, 0, 2, 8 * HOUR, arrive_by=False)
    assert router is not None
    assert asked is not None
    (journey,) = router.find_journeys(asked)
    assert (len(journey.rides), journey.arrives_s) == (rides, arrives_s)


def test_a_place_at_an_end_is_passed_but_nobody_stays_there() -> None:
    timetable = compile_world(PlainWorld(3, [line(0, 1, 2, at_s=9 * HOUR)], changes={0: 0, 1: 0, 2: 0}))
    asked = query(timetable, 0, 2, 8 * HOUR, arrive_by=False)
    assert asked is not None
    for stop in (0, 2):
        for stay_s, count in ((0, 1), (60, 0)):
            router = router_of(timetable, [(frozenset({stop}), stay_s)], is_bounded=True)
            assert router is not None
            assert len(router.find_journeys(asked)) == count


def test_an_interchange_does_not_move_away_from_the_place() -> None:
    """One would rather change at 1, where both lines call, than ride on to 2 and back."""
    there, back = line(0, 1, 2, at_s=9 * HOUR), line(2, 1, 3, at_s=10 * HOUR)
    timetable = compile_world(PlainWorld(4, [there, back], changes=dict.fromkeys(range(4), 0)))
    asked = query(timetable, 0, 3, 8 * HOUR, arrive_by=False)
    assert asked is not None
    plain = Router(timetable).find_journeys(asked)[0]
    router = router_of(timetable, [(frozenset({2}), 0)], is_bounded=True)
    assert router is not None
    over = router.find_journeys(asked)[0]
    assert plain.rides[0].alight == 1
    assert over.rides[0].alight == 2


def test_days_after_the_one_asked_are_looked_at_too() -> None:
    boat = PlainTrip(line(1, 2, at_s=9 * HOUR).calls, frozenset({3}))
    timetable = compile_world(
        PlainWorld(3, [line(0, 1, at_s=8 * HOUR), boat], changes=dict.fromkeys(range(3), 0))
    )
    router = router_of(timetable, [(frozenset({1}), 600)], is_bounded=True)
    asked = query(timetable, 0, 2, 7 * HOUR, arrive_by=False)
    assert router is not None
    assert asked is not None
    (journey,) = router.find_journeys(asked)
    assert timedelta(seconds=journey.arrives_s) == timedelta(days=2, hours=9, minutes=10)
