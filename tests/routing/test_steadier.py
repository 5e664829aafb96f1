"""Of equally good rides in the middle the steadiest, beside trying each of them."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from routing.raptor import Query, Router
from routing.steadier import spare_s
from tests.oracles.journeys import PlainCall, PlainTrip, PlainWorld
from tests.routing.test_search import check_journey, ends, local
from tests.routing.worlds import at, compile_world

HOUR, MINUTE = 3_600, 60
CHANGE_S = 120


def trip(a: int, b: int, departs_s: int, takes_s: int = 600) -> PlainTrip:
    calls = (PlainCall(a, departs_s, departs_s), PlainCall(b, departs_s + takes_s, departs_s + takes_s))
    return PlainTrip(calls, frozenset({1}))


minutes = st.lists(st.integers(0, 90), min_size=1, max_size=12, unique=True)


@settings(max_examples=80, deadline=None)
@given(
    middle=minutes, last=minutes, cancelled=st.sets(st.integers(0, 11), max_size=3), arrive_by=st.booleans()
)
def test_no_other_run_in_the_middle_leaves_more_time(
    middle: list[int], last: list[int], cancelled: set[int], *, arrive_by: bool
) -> None:
    """From 0 to 1 at 8:00, from 1 to 2 at those minutes, from 2 to 3 at those."""
    between = [trip(1, 2, 8 * HOUR + 12 * MINUTE + minute * MINUTE) for minute in sorted(middle)]
    onward = [trip(2, 3, 8 * HOUR + 24 * MINUTE + minute * MINUTE) for minute in sorted(last)]
    world = PlainWorld(
        4, [trip(0, 1, 8 * HOUR), *between, *onward], changes=dict.fromkeys(range(4), CHANGE_S)
    )
    timetable = compile_world(world)
    off = {number for number in cancelled if number < len(between)}
    trips = [timetable.find_trip(f"f:t{1 + number}") for number in off]
    days = [timetable.first_date + timedelta(days=day) for day in range(timetable.day_count)]
    router = Router(timetable, [(number, day) for number in trips if number is not None for day in days])
    source, target = local(timetable, 0), local(timetable, 3)
    assert source is not None
    assert target is not None
    hour = 12 * HOUR if arrive_by else 7 * HOUR
    query = Query(at=at(1, hour), access=ends(source), egress=ends(target), arrive_by=arrive_by)
    for journey in router.find_journeys(query):
        check_journey(timetable, journey, leaves_s=7 * HOUR)
        first, _, final = journey.rides
        options = [
            min(
                leaves_s - first.arrives_s - CHANGE_S,
                final.departs_s - (leaves_s + 600) - CHANGE_S,
            )
            for number, each in enumerate(between)
            if number not in off
            for leaves_s in [each.calls[0].departs_s]
        ]
        rides = journey.rides
        chosen = min(spare_s(timetable, rides[i], rides[i + 1]) for i in range(2))
        assert chosen == max(options)


def test_the_middle_train_waits_in_the_middle() -> None:
    """Trains every ten minutes between a train at 8:10 and one at 8:55: the one at 8:30 is steadiest."""
    between = [trip(1, 2, 8 * HOUR + minute * MINUTE) for minute in (12, 20, 30, 40)]
    world = PlainWorld(
        4,
        [trip(0, 1, 8 * HOUR), *between, trip(2, 3, 8 * HOUR + 55 * MINUTE)],
        changes=dict.fromkeys(range(4), CHANGE_S),
    )
    timetable = compile_world(world)
    source, target = local(timetable, 0), local(timetable, 3)
    assert source is not None
    assert target is not None
    (journey,) = Router(timetable).find_journeys(
        Query(at=at(1, 7 * HOUR), access=ends(source), egress=ends(target))
    )
    assert journey.rides[1].departs_s == 8 * HOUR + 30 * MINUTE
