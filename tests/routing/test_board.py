"""Boards against a plain list of every call of every trip of every day."""

from hypothesis import given, settings
from hypothesis import strategies as st

from routing.board import StopCall, list_calls
from routing.raptor import Router
from tests.oracles.journeys import DAY_S, PlainCall, PlainTrip, PlainWorld
from tests.routing.test_cancellations import Cancelled, draw_cancelled, named
from tests.routing.worlds import FIRST, at, compile_world, worlds

Row = tuple[int, str, int, int, bool]
"""Seconds from the world's first day, trip, day, call, whether it is cancelled."""


def plain_board(
    world: PlainWorld, stop: int, cancelled: Cancelled, *, arrivals: bool, days: range
) -> list[Row]:
    rows = []
    for t, trip in enumerate(world.trips):
        for day in trip.days & set(days):
            for p, call in enumerate(trip.calls):
                is_end = p == (0 if arrivals else len(trip.calls) - 1)
                may = call.may_alight if arrivals else call.may_board
                if call.stop == stop and may and not is_end:
                    seconds = (call.arrives_s if arrivals else call.departs_s) + day * DAY_S
                    rows.append((seconds, f"f:t{t}", day, p, (t, day) in cancelled))
    return sorted(rows)


def row_of(router: Router, call: StopCall) -> Row:
    timetable = router.timetable
    day = (call.trip.service_date - FIRST).days
    trip_id = {timetable.find_trip(f"f:t{t}"): f"f:t{t}" for t in range(8)}[call.trip.trip]
    return round((call.at - at(0, 0)).total_seconds()), trip_id, day, call.call, call.is_cancelled


@settings(max_examples=100, deadline=None)
@given(worlds(), st.data())
def test_a_board_is_every_call_in_order(world: PlainWorld, data: st.DataObject) -> None:
    timetable = compile_world(world)
    stop = data.draw(st.integers(0, world.stop_count - 1))
    index = timetable.find_stop(f"f:s{stop}")
    if index is None:
        return
    time_s = data.draw(st.integers(0, 24 * 4 - 1)) * 900
    count = data.draw(st.integers(1, 8))
    arrivals, earlier = data.draw(st.booleans()), data.draw(st.booleans())
    cancelled = draw_cancelled(world, data) if data.draw(st.booleans()) else set()
    router = Router(timetable, named(timetable, cancelled))
    found = list_calls(
        router, stops=[index], at=at(1, time_s), count_min=count, arrivals=arrivals, earlier=earlier
    )
    got = [row_of(router, call) for call in found]
    board = plain_board(world, stop, cancelled, arrivals=arrivals, days=range(4))
    now_s = DAY_S + time_s
    expected = [row for row in board if (row[0] < now_s) == earlier]
    if len(expected) > count:
        bound_s = expected[-count][0] if earlier else expected[count - 1][0]
        expected = [row for row in expected if (row[0] >= bound_s if earlier else row[0] <= bound_s)]
    assert sorted(got) == expected
    assert [row[0] for row in got] == [row[0] for row in expected], "in order of time"
    for call in found:
        stop_call = call.trip.calls[call.call]
        assert stop_call.stop == index
        assert call.at == (stop_call.arrives_at if arrivals else stop_call.departs_at)


def test_a_weekly_ship_is_on_the_board_a_week_before() -> None:
    """It sails on day 9 only; asked on day 1, no nearer departure hides it."""
    ship = PlainTrip((PlainCall(0, 8 * 3600, 8 * 3600), PlainCall(1, 9 * 3600, 9 * 3600)), frozenset({1, 9}))
    timetable = compile_world(PlainWorld(2, [ship], {}, {}))
    stop = timetable.find_stop("f:s0")
    assert stop is not None
    found = list_calls(Router(timetable), stops=[stop], at=at(1, 9 * 3600), count_min=1)
    assert [call.at for call in found] == [at(9, 8 * 3600)]
