"""Cancelled trips: searches against the oracle on a world that never had them."""

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from routing.cancellations import Cancellations
from routing.journey import TripLeg, resolve
from routing.raptor import Query, Router
from routing.timetable import Timetable
from tests.oracles.journeys import DAY_S, PlainCall, PlainTrip, PlainWorld, latest
from tests.routing.test_search import RIDES_MAX, ends, expect_earliest, local, shifted
from tests.routing.worlds import DAY_COUNT, FIRST, at, compile_world, worlds

Cancelled = set[tuple[int, int]]
"""(number of the trip, day of the world)."""


def without(world: PlainWorld, cancelled: Cancelled) -> PlainWorld:
    """The world in which those trips never were to run on those days."""
    trips = [
        replace(trip, days=trip.days - {day for number, day in cancelled if number == t})
        for t, trip in enumerate(world.trips)
    ]
    return replace(world, trips=trips)


def named(timetable: Timetable, cancelled: Cancelled) -> list[tuple[int, date]]:
    """The same by the timetable's own indices."""
    index = {t: timetable.find_trip(f"f:t{t}") for t, _ in cancelled}
    return [(index[t], FIRST + timedelta(days=day)) for t, day in cancelled if index[t] is not None]


def draw_cancelled(world: PlainWorld, data: st.DataObject) -> Cancelled:
    pairs = st.tuples(st.integers(0, len(world.trips) - 1), st.integers(0, DAY_COUNT - 1))
    return data.draw(st.sets(pairs, min_size=1, max_size=10))


def answer(
    router: Router, source: int, target: int, time_s: int, *, arrive_by: bool = False
) -> dict[int, int]:
    """{rides: arrival} (or departure) in seconds of day 1; no journey may use what is cancelled."""
    timetable = router.timetable
    a, b = local(timetable, source), local(timetable, target)
    if a is None or b is None:
        return {}
    query = Query(
        at=at(1, time_s), access=ends(a), egress=ends(b), arrive_by=arrive_by, ride_count_max=RIDES_MAX
    )
    found = router.find_journeys(query)
    for journey in found:
        for leg in resolve(timetable, journey):
            if isinstance(leg, TripLeg):
                day = timetable.get_day(leg.service_date)
                assert not router.cancellations.is_cancelled(leg.trip, day)
    return {len(each.rides): each.departs_s if arrive_by else each.arrives_s for each in found}


@settings(max_examples=150, deadline=None)
@given(worlds(), st.data())
def test_a_cancelled_trip_is_as_one_that_never_was(world: PlainWorld, data: st.DataObject) -> None:
    timetable = compile_world(world)
    cancelled = draw_cancelled(world, data)
    source = data.draw(st.integers(0, world.stop_count - 1))
    target = data.draw(st.integers(0, world.stop_count - 1).filter(lambda s: s != source))
    time_s = data.draw(st.integers(0, 24 * 4 - 1)) * 900
    whole = Router(timetable)
    before = answer(whole, source, target, time_s)
    # The laid-out windows of the whole network are there already, and must not be used where they are wrong.
    router = whole.replace_cancelled(named(timetable, cancelled))
    assert answer(router, source, target, time_s) == expect_earliest(
        without(world, cancelled), source, target, time_s
    )
    assert answer(whole, source, target, time_s) == before, "who began before keeps the network begun with"
    back = router.replace_cancelled(())
    assert answer(back, source, target, time_s) == before, "what runs again is found again"


@settings(max_examples=80, deadline=None)
@given(worlds(), st.data())
def test_arriving_by_an_hour_knows_what_is_cancelled(world: PlainWorld, data: st.DataObject) -> None:
    timetable = compile_world(world)
    cancelled = draw_cancelled(world, data)
    source = data.draw(st.integers(0, world.stop_count - 1))
    target = data.draw(st.integers(0, world.stop_count - 1).filter(lambda s: s != source))
    time_s = data.draw(st.integers(24, 24 * 4 - 1)) * 900
    router = Router(timetable, named(timetable, cancelled))
    expected = latest(
        without(world, cancelled),
        {source: 0},
        {target: 0},
        time_s + DAY_S,
        ride_count_max=RIDES_MAX,
        days=range(2),
    )
    assert answer(router, source, target, time_s, arrive_by=True) == shifted(expected)


@settings(max_examples=60, deadline=None)
@given(worlds(), st.data())
def test_blocks_hold_every_ride_that_is_left_and_no_other(world: PlainWorld, data: st.DataObject) -> None:
    """A block's cells are those (run, position) whose trip runs; and no ride spans a cancelled one."""
    timetable = compile_world(world)
    rows = named(timetable, draw_cancelled(world, data))
    cancellations = Cancellations(timetable, rows)
    parts = timetable.parts
    for day in range(timetable.day_count):
        for line in range(timetable.line_count):
            if not timetable.days.active[timetable.lines.patterns[line], day]:
                continue
            starts = parts.starts[parts.offsets[line] : parts.offsets[line + 1]].tolist()
            count = int(timetable.lines.stop_offsets[line + 1] - timetable.lines.stop_offsets[line])
            trips = parts.trips[parts.trip_offsets[line] : parts.trip_offsets[line + 1]].reshape(
                -1, len(starts)
            )
            kept = {
                (run, position)
                for run in range(len(trips))
                for part, (start, end) in enumerate(zip(starts, [*starts[1:], count], strict=True))
                for position in range(start, end)
                if not cancellations.is_cancelled(int(trips[run, part]), day)
            }
            blocks = cancellations.list_blocks(line, day)
            cells = [
                (run, position)
                for block in blocks
                for run in range(block.run_from, block.run_to)
                for position in range(block.position_from, block.position_to)
            ]
            assert len(cells) == len(set(cells)), "blocks do not overlap"
            assert set(cells) == kept
            for run, position in kept:
                begin, end = cancellations.stretch(line=line, run=run, day=day, position=position)
                assert begin <= position < end
                assert all((run, each) in kept for each in range(begin, end))


def ship(*, days: frozenset[int], departs_h: int) -> PlainTrip:
    calls = tuple(PlainCall(s, h * 3600, h * 3600) for s, h in ((0, departs_h), (1, departs_h + 2)))
    return PlainTrip(calls, days)


def test_the_night_boat_is_cancelled_tonight_and_sails_tomorrow() -> None:
    """08:00 and 20:00 daily; today's 20:00 does not sail: the next is tomorrow's 08:00, 10:00 there."""
    days = frozenset(range(DAY_COUNT))
    world = PlainWorld(2, [ship(days=days, departs_h=8), ship(days=days, departs_h=20)], {}, {0: 0, 1: 0})
    timetable = compile_world(world)
    tonight = Router(timetable, named(timetable, {(1, 1)}))
    assert answer(Router(timetable), 0, 1, 12 * 3600) == {1: 22 * 3600}
    assert answer(tonight, 0, 1, 12 * 3600) == {1: DAY_S + 10 * 3600}
    assert answer(tonight, 0, 1, 7 * 3600) == {1: 10 * 3600}
    assert answer(tonight, 0, 1, 23 * 3600, arrive_by=True) == {1: 8 * 3600}


def test_a_train_that_goes_on_as_a_cancelled_one_ends_there() -> None:
    """Stop 0 to 1 as t0, on to 2 as t1, on to 3 as t2; t1 is cancelled: t0 and t2 run, each alone."""
    days = frozenset({1})
    trips = [
        PlainTrip((PlainCall(s, h * 3600, h * 3600), PlainCall(s + 1, h * 3600 + 600, h * 3600 + 600)), days)
        for s, h in ((0, 8), (1, 9), (2, 10))
    ]
    world = PlainWorld(4, trips, {}, dict.fromkeys(range(4), 0), {0: [1], 1: [2]})
    timetable = compile_world(world)
    router = Router(timetable, named(timetable, {(1, 1)}))
    assert answer(Router(timetable), 0, 3, 7 * 3600) == {1: 10 * 3600 + 600}
    assert answer(router, 0, 3, 7 * 3600) == {}
    assert answer(router, 0, 1, 7 * 3600) == {1: 8 * 3600 + 600}
    assert answer(router, 2, 3, 7 * 3600) == {1: 10 * 3600 + 600}


def test_days_outside_the_network_are_let_be() -> None:
    world = PlainWorld(2, [ship(days=frozenset({1}), departs_h=8)], {}, {0: 0, 1: 0})
    timetable = compile_world(world)
    assert len(Cancellations(timetable, [(0, date(1999, 1, 1)), (0, date(2099, 1, 1))])) == 0
