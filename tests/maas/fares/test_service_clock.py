"""The service day of an instant, whatever was asked before."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas.fares.charged import ServiceClock

# Clocks go forward on 2026-03-29 and back on 2026-10-25 in Berlin, across a day that begins at 02:30.
CLOCKS = [
    ServiceClock(zone=ZoneInfo(zone), starts_at=starts_at)
    for zone in ("Asia/Tokyo", "Europe/Berlin")
    for starts_at in (time(2, 30), time(4))
]
NEAR = st.sampled_from([datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)])
INSTANTS = st.builds(
    lambda near, minutes: near + timedelta(minutes=minutes), NEAR, st.integers(0, 3 * 24 * 60)
)


@pytest.mark.parametrize("clock", CLOCKS, ids=str)
@given(instants=st.lists(INSTANTS, min_size=1, max_size=20))
def test_the_day_is_that_of_the_clock_on_the_wall(clock: ServiceClock, instants: list[datetime]) -> None:
    # By definition: the date on the wall, or the one before while the day has not begun.
    for instant in instants:
        wall = instant.astimezone(clock.zone)
        assert clock.day_of(instant) == wall.date() - timedelta(days=wall.time() < clock.starts_at)


def test_an_hour_that_clocks_go_back_through_belongs_to_two_days() -> None:
    clock = ServiceClock(zone=ZoneInfo("Europe/Berlin"), starts_at=time(2, 30))
    # On the wall 02:45, then (an hour later, put back) 02:15, before 02:30 again, then 02:45 once more.
    walls = [datetime(2026, 10, 25, 0, 45, tzinfo=UTC) + timedelta(minutes=more) for more in (0, 30, 60)]
    assert [clock.day_of(each) for each in walls] == [
        date(2026, 10, 25),
        date(2026, 10, 24),
        date(2026, 10, 25),
    ]


def test_a_beginning_that_clocks_jump_over_is_where_they_land() -> None:
    clock = ServiceClock(zone=ZoneInfo("Europe/Berlin"), starts_at=time(2, 30))
    # On the wall noon, then 03:10 of the next day: there was no 02:30, and 03:10 is past it.
    days = [clock.day_of(datetime(2026, 3, day, hour, 10, tzinfo=UTC)) for day, hour in ((28, 11), (29, 1))]
    assert days == [date(2026, 3, 28), date(2026, 3, 29)]
