"""Trips that run otherwise: searches on the overlay against the oracle on a world that was made so."""

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.board import list_calls
from routing.bounds import build_bounds
from routing.journey import TripLeg, find_ride, resolve
from routing.kernels.arrays import MAY_ALIGHT, MAY_BOARD
from routing.live.changes import Calls, ExtraTrip, TripChange, planned_calls
from routing.live.overlay import Overlay, lay_over
from routing.raptor import Query, Router
from routing.timetable import Timetable
from tests.oracles.journeys import DAY_S, PlainCall, PlainTrip, PlainWorld, latest
from tests.routing.test_cancellations import Cancelled, answer, draw_cancelled, named, ship, without
from tests.routing.test_search import RIDES_MAX, ends, expect_earliest, local, shifted
from tests.routing.worlds import DAY_COUNT, FIRST, at, compile_world, worlds


@dataclass(frozen=True)
class Changed:
    """What becomes of trip `trip` on a day: its calls then."""

    trip: int
    day: int
    calls: tuple[PlainCall, ...]


def rising(calls: tuple[PlainCall, ...]) -> tuple[PlainCall, ...]:
    told, now_s = [], -DAY_S
    for call in calls:
        arrives_s = max(now_s, call.arrives_s)
        now_s = max(arrives_s, call.departs_s)
        told.append(replace(call, arrives_s=arrives_s, departs_s=now_s))
    return tuple(told)


def changed_world(world: PlainWorld, changes: list[Changed], extras: list[Changed]) -> PlainWorld:
    """The world in which the timetable had said so from the start."""
    there = without(world, {(each.trip, each.day) for each in changes})
    new = [
        PlainTrip(rising(each.calls), frozenset({each.day}), world.trips[each.trip].check_in_s)
        for each in [*changes, *extras]
    ]
    return replace(there, trips=[*there.trips, *new])


@st.composite
def call_changes(draw: st.DrawFn, calls: tuple[PlainCall, ...], stops: list[int]) -> tuple[PlainCall, ...]:
    """Late or early, skipped, or at another stop."""
    told = []
    delay_s = 0
    for call in calls:
        delay_s = draw(st.sampled_from([delay_s, delay_s, -300, 0, 60, 1200, 7200]))
        now = replace(call, arrives_s=call.arrives_s + delay_s, departs_s=call.departs_s + delay_s)
        if draw(st.integers(0, 7)) == 0:
            now = replace(now, may_board=False, may_alight=False)
        if draw(st.integers(0, 7)) == 0:
            now = replace(now, stop=draw(st.sampled_from(stops)))
        told.append(now)
    return tuple(told)


def draw_changes(
    timetable: Timetable, world: PlainWorld, data: st.DataObject
) -> tuple[list[Changed], list[Changed]]:
    """Changes of trips that run that day, and trips beside the timetable, made of calls of others."""
    stops = [s for s in range(world.stop_count) if local(timetable, s) is not None]
    running = [
        (t, day)
        for t, trip in enumerate(world.trips)
        for day in sorted(trip.days)
        if timetable.find_trip(f"f:t{t}") is not None
    ]
    chosen = data.draw(st.lists(st.sampled_from(running), unique=True, max_size=6))
    changes = [Changed(t, day, data.draw(call_changes(world.trips[t].calls, stops))) for t, day in chosen]
    beside = data.draw(st.lists(st.sampled_from(running), max_size=2))
    days = [day for day in range(DAY_COUNT) if is_known(timetable, day)]
    extras = [
        Changed(t, data.draw(st.sampled_from(days)), data.draw(call_changes(world.trips[t].calls, stops)))
        for t, _ in beside
    ]
    return changes, extras


def as_calls(timetable: Timetable, calls: tuple[PlainCall, ...]) -> Calls:
    return Calls(
        stops=np.array([local(timetable, call.stop) for call in calls], dtype=np.int32),
        flags=np.array(
            [MAY_BOARD * call.may_board + MAY_ALIGHT * call.may_alight for call in calls], dtype=np.uint8
        ),
        arrivals_s=np.array([call.arrives_s for call in calls], dtype=np.int32),
        departures_s=np.array([call.departs_s for call in calls], dtype=np.int32),
    )


def day_of(timetable: Timetable, day: int) -> int:
    """The world's day as the timetable counts: that begins with the first one on which anything runs."""
    return (FIRST + timedelta(days=day) - timetable.first_date).days


def is_known(timetable: Timetable, day: int) -> bool:
    return 0 <= day_of(timetable, day) < timetable.day_count


def overlay_of(
    timetable: Timetable,
    world: PlainWorld,
    changes: list[Changed],
    extras: list[Changed],
    cancelled: Cancelled = frozenset(),  # type: ignore[assignment]
) -> Overlay:
    index = {t: timetable.find_trip(f"f:t{t}") for t in range(len(world.trips))}
    return lay_over(
        timetable,
        [
            TripChange(index[each.trip] or 0, day_of(timetable, each.day), as_calls(timetable, each.calls))
            for each in changes
        ],
        [
            ExtraTrip(
                trip_id=f"f:new{i}",
                route=int(timetable.trips.routes[index[each.trip] or 0]),
                day=day_of(timetable, each.day),
                calls=as_calls(timetable, each.calls),
                headsign="extra",
                name=f"extra {i}",
                board_early_s=world.trips[each.trip].check_in_s,
            )
            for i, each in enumerate(extras)
        ],
        [(index[t] or 0, day_of(timetable, day)) for t, day in cancelled if index[t] is not None],
    )


@settings(max_examples=200, deadline=None)
@given(worlds(with_stay=False), st.data())
def test_a_changed_trip_is_as_one_that_was_compiled_so(world: PlainWorld, data: st.DataObject) -> None:
    timetable = compile_world(world)
    changes, extras = draw_changes(timetable, world, data)
    cancelled = draw_cancelled(world, data) if data.draw(st.booleans()) else set()
    overlay = overlay_of(timetable, world, changes, extras, cancelled)
    overlay.timetable.check()
    source = data.draw(st.integers(0, world.stop_count - 1))
    target = data.draw(st.integers(0, world.stop_count - 1).filter(lambda s: s != source))
    time_s = data.draw(st.integers(0, 24 * 4 - 1)) * 900
    whole = Router(timetable, bounds=build_bounds(timetable))
    before = answer(whole, source, target, time_s)
    live = whole.lay_over(overlay, named(timetable, cancelled))
    there = without(changed_world(world, changes, extras), cancelled)
    # A trip that is cancelled is not there, whatever else was said of it; the extra ones are others.
    gone = [i for i, each in enumerate(changes) if (each.trip, each.day) in cancelled]
    there = without(there, {(len(world.trips) + i, changes[i].day) for i in gone})
    assert answer(live, source, target, time_s) == expect_earliest(there, source, target, time_s)
    expected = latest(
        there, {source: 0}, {target: 0}, time_s + DAY_S, ride_count_max=RIDES_MAX, days=range(2)
    )
    by_then = answer(live, source, target, time_s, arrive_by=True)
    assert by_then == shifted(expected)
    assert answer(whole, source, target, time_s) == before, "who began before keeps the network begun with"


@settings(max_examples=60, deadline=None)
@given(worlds(), st.data())
def test_a_change_that_says_what_was_planned_changes_nothing(world: PlainWorld, data: st.DataObject) -> None:
    timetable = compile_world(world)
    running = [
        (trip, day)
        for trip in range(len(timetable.trips.routes))
        for day in range(timetable.day_count)
        if planned_calls(timetable, trip, day) is not None
    ]
    chosen = data.draw(st.lists(st.sampled_from(running), unique=True))
    changes = [TripChange(trip, day, planned_calls(timetable, trip, day)) for trip, day in chosen]  # type: ignore[arg-type]
    overlay = lay_over(timetable, changes)
    assert overlay.gain_s == 0, "what is as planned is nowhere faster"
    router = Router(timetable, bounds=build_bounds(timetable))
    live = router.lay_over(overlay, ())
    source = data.draw(st.integers(0, world.stop_count - 1))
    target = data.draw(st.integers(0, world.stop_count - 1).filter(lambda s: s != source))
    for time_s in (0, 8 * 3600, 17 * 3600):
        assert answer(live, source, target, time_s) == answer(router, source, target, time_s)
        if (stop := local(timetable, source)) is not None:
            boards = [
                list_calls(each, stops=[stop], at=at(1, time_s), count_min=5) for each in (live, router)
            ]
            assert boards[0] == boards[1]


DAYS = frozenset(range(DAY_COUNT))


def hourly(count: int) -> PlainWorld:
    """A ship an hour from stop 0 to 1, two hours under way."""
    ships = [ship(days=DAYS, departs_h=8 + i) for i in range(count)]
    return PlainWorld(2, ships, {}, {0: 0, 1: 0})


def late(world: PlainWorld, trip: int, seconds: int) -> Changed:
    calls = tuple(
        replace(call, arrives_s=call.arrives_s + seconds, departs_s=call.departs_s + seconds)
        for call in world.trips[trip].calls
    )
    return Changed(trip, 1, calls)


def test_a_late_ship_is_overtaken_and_shown_late_on_the_board_once() -> None:
    world = hourly(3)
    timetable = compile_world(world)
    overlay = overlay_of(timetable, world, [late(world, 0, 90 * 60)], [])
    live = Router(timetable).lay_over(overlay, ())
    assert answer(live, 0, 1, 8 * 3600) == {1: 11 * 3600}, "the 9:00 is there first now"
    stop = local(timetable, 0)
    assert stop is not None
    calls = list_calls(live, stops=[stop], at=at(1, 7 * 3600), count_min=3)
    assert [(call.at - at(1, 0)).total_seconds() / 3600 for call in calls] == [9, 9.5, 10]
    trip = timetable.find_trip("f:t0")
    assert trip is not None
    on = FIRST + timedelta(days=1)
    now, then = (
        find_ride(each, trip=trip, service_date=on, board_call=0, alight_call=1)
        for each in (overlay.timetable, overlay.planned)
    )
    assert now is not None
    assert then is not None
    assert now.departs_at - then.departs_at == timedelta(minutes=90)
    tomorrow = find_ride(
        overlay.timetable, trip=trip, service_date=on + timedelta(days=1), board_call=0, alight_call=1
    )
    assert tomorrow is not None
    assert tomorrow.departs_at == then.departs_at + timedelta(days=1), "other days are as planned"


def test_who_stays_seated_is_late_with_the_vehicle_and_standing_makes_up_for_it() -> None:
    """Stop 0 to 1 as t0 (8:00-8:10), on to 2 as t1 (8:30-8:40): 15 minutes late is in time, 40 is not."""
    trips = [
        PlainTrip((PlainCall(0, 28_800, 28_800), PlainCall(1, 29_400, 29_400)), DAYS),
        PlainTrip((PlainCall(1, 30_600, 30_600), PlainCall(2, 31_200, 31_200)), DAYS),
    ]
    world = PlainWorld(3, trips, {}, dict.fromkeys(range(3), 0), {0: [1]})
    timetable = compile_world(world)
    arrivals = {}
    for minutes in (0, 15, 40):
        overlay = overlay_of(timetable, world, [late(world, 0, minutes * 60)], [])
        live = Router(timetable).lay_over(overlay, ())
        arrivals[minutes] = answer(live, 0, 2, 7 * 3600)
        [journey] = live.find_journeys(_query(overlay.timetable))
        legs = [leg for leg in resolve(overlay.timetable, journey) if isinstance(leg, TripLeg)]
        assert [leg.in_seat for leg in legs] == [False, True]
    assert arrivals == {0: {1: 31_200}, 15: {1: 31_200}, 40: {1: 31_800}}
    # The vehicle that brings t1 is cancelled: t1 runs as it says, from its own first stop.
    overlay = overlay_of(timetable, world, [late(world, 1, 600)], [], {(0, 1)})
    live = Router(timetable).lay_over(overlay, named(timetable, {(0, 1)}))
    assert answer(live, 0, 2, 7 * 3600) == {1: DAY_S + 31_200}, "tomorrow's"
    assert answer(live, 1, 2, 7 * 3600) == {1: 31_800}


def _query(timetable: Timetable) -> Query:
    origin, goal = local(timetable, 0), local(timetable, 2)
    assert origin is not None
    assert goal is not None
    return Query(at=at(1, 7 * 3600), access=ends(origin), egress=ends(goal))


def test_an_extra_ship_has_its_name_and_goes_on_its_day_only() -> None:
    world = hourly(1)
    timetable = compile_world(world)
    overlay = overlay_of(timetable, world, [], [late(world, 0, 3600)])
    live = Router(timetable).lay_over(overlay, ())
    assert answer(live, 0, 1, 8 * 3600 + 1) == {1: 11 * 3600}
    trip = overlay.timetable.find_trip("f:new0")
    assert trip is not None
    assert overlay.changed == {(trip, day_of(timetable, 1))}
    assert timetable.find_trip("f:new0") is None
    assert overlay.gain_s is None
