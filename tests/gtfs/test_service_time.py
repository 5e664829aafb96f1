"""Service times against the calendar of clock changes, and against plain arithmetic."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtfs.errors import ZoneUnknown
from gtfs.service_time import (
    find_seconds,
    format_seconds,
    get_zone,
    instant_of,
    seconds_of,
    service_day_start,
)

TOKYO = ZoneInfo("Asia/Tokyo")
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0:00:00", 0),
        ("08:05:09", 29_109),
        ("24:00:00", 86_400),
        ("39:40:00", 142_800),
        ("100:00:00", 360_000),
    ],
)
def test_times_pass_midnight(text: str, seconds: int) -> None:
    assert find_seconds(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "8:5:09", "08:60:00", "08:00", "8.00.00", "-1:00:00", "08:00:61", "０8:00:00"]
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert find_seconds(text) is None


@given(st.integers(0, 999 * 3600 + 3599))
def test_formatting_is_the_inverse_of_reading(seconds: int) -> None:
    assert find_seconds(format_seconds(seconds)) == seconds


def test_where_no_clock_changes_a_day_starts_at_midnight() -> None:
    assert service_day_start(date(2026, 5, 20), TOKYO) == datetime(2026, 5, 20, tzinfo=TOKYO)
    # 25:30 of Wednesday is half past one on Thursday.
    assert instant_of(date(2026, 5, 20), 91_800, TOKYO).isoformat() == "2026-05-21T01:30:00+09:00"


def test_on_days_of_clock_changes_times_after_noon_are_wall_times() -> None:
    # New York, 2024: forward on 10 March at 02:00, back on 3 November at 02:00. Noon less twelve hours is
    # 23:00 of the eve and 01:00 (the first of two) of the day; 15:00:00 is three o'clock on both.
    spring, autumn = date(2024, 3, 10), date(2024, 11, 3)
    assert service_day_start(spring, NEW_YORK).astimezone(NEW_YORK).isoformat() == "2024-03-09T23:00:00-05:00"
    assert service_day_start(autumn, NEW_YORK).astimezone(NEW_YORK).isoformat() == "2024-11-03T01:00:00-04:00"
    for day in (spring, autumn):
        assert instant_of(day, 15 * 3600, NEW_YORK).hour == 15


@given(
    day=st.dates(date(1980, 1, 1), date(2090, 1, 1)),
    seconds=st.integers(0, 200_000),
    zone=st.sampled_from([TOKYO, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Europe/Dublin")]),
)
def test_seconds_are_elapsed_seconds_on_every_day(day: date, seconds: int, zone: ZoneInfo) -> None:
    start, instant = instant_of(day, 0, zone), instant_of(day, seconds, zone)
    assert instant.astimezone(UTC) - start.astimezone(UTC) == timedelta(seconds=seconds)
    assert seconds_of(instant, day, zone) == seconds


@pytest.mark.parametrize("name", ["Tokyo", "", "../etc/passwd", "Asia/Tokyo\0"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(ZoneUnknown):
        get_zone(name)
