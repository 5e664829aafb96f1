"""One to all against the oracle, asked stop by stop."""

from hypothesis import given, settings
from hypothesis import strategies as st

from routing.raptor import Router, list_access, list_egress
from routing.reach import find_reach
from tests.oracles.journeys import DAY_S, PlainWorld, earliest, latest
from tests.routing.test_cancellations import draw_cancelled, named, without
from tests.routing.worlds import at, compile_world, worlds

RIDES_MAX = 3


def fastest(found: dict[int, int], walk_s: int | None) -> tuple[int, int] | None:
    """(seconds, rides) of {rides: seconds} and a walk all the way; of equals the fewest rides."""
    if walk_s is not None:
        found = {0: walk_s, **found}
    return min(((seconds, k) for k, seconds in found.items()), default=None)


@settings(max_examples=80, deadline=None)
@given(worlds(), st.data())
def test_one_to_all_is_every_stop_asked_alone(world: PlainWorld, data: st.DataObject) -> None:
    timetable = compile_world(world)
    cancelled = draw_cancelled(world, data) if data.draw(st.booleans()) else set()
    source = data.draw(st.integers(0, world.stop_count - 1))
    time_s = data.draw(st.integers(0, 24 * 4 - 1)) * 900
    limit_s = data.draw(st.sampled_from([0, 900, 3 * 3600, 24 * 3600]))
    arrive_by = data.draw(st.booleans())
    index = {s: timetable.find_stop(f"f:s{s}") for s in range(world.stop_count)}
    if index[source] is None:
        return
    reach = find_reach(
        Router(timetable, named(timetable, cancelled)),
        at=at(1, time_s),
        ends=(list_egress if arrive_by else list_access)(timetable, [index[source]]),
        limit_s=limit_s,
        arrive_by=arrive_by,
        ride_count_max=RIDES_MAX,
    )
    got = {
        int(stop): (int(seconds), int(rides))
        for stop, seconds, rides in zip(reach.stops, reach.seconds, reach.rides, strict=True)
    }
    left = without(world, cancelled)
    ask, days = (latest, range(2)) if arrive_by else (earliest, range(3))
    expected = {}
    for target, stop in index.items():
        if stop is None:
            continue
        start, end = (target, source) if arrive_by else (source, target)
        access = {start: 0} | {b: s for (a, b), s in world.walks.items() if a == start}
        egress = {end: 0} | {a: s for (a, b), s in world.walks.items() if b == end}
        found = ask(left, access, egress, time_s + DAY_S, ride_count_max=RIDES_MAX, days=days)
        away = {k: abs(instant - time_s - DAY_S) for k, instant in found.items()}
        best = fastest(away, access.get(end))
        if best is not None and best[0] <= limit_s:
            expected[stop] = best
    assert got == expected
