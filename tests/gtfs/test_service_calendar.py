"""Dates of services against a walk over every day."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gtfs.literal import literal_contents, literal_feed
from gtfs.notices import Notices
from gtfs.reader import read_contents
from gtfs.rules import feed_freshness
from gtfs.service_calendar import ServiceCalendar, ServiceRule

DAY_0 = date(2026, 1, 1)
DAYS = st.integers(0, 40).map(lambda number: DAY_0 + timedelta(days=number))


@given(
    first=DAYS,
    last=DAYS,
    weekdays=st.frozensets(st.integers(0, 6)),
    added=st.frozensets(DAYS, max_size=5),
    removed=st.frozensets(DAYS, max_size=20),
)
def test_a_rule_runs_as_a_walk_over_every_day_says(
    first: date, last: date, weekdays: frozenset[int], added: frozenset[date], removed: frozenset[date]
) -> None:
    rule = ServiceRule(first, last, weekdays, added, removed)
    walked = []
    for number in range(-5, 50):
        day = DAY_0 + timedelta(days=number)
        runs = first <= day <= last and day.weekday() in weekdays
        if (runs or day in added) and day not in removed:
            walked.append(day)
    assert rule.list_dates() == walked
    assert rule.find_first() == (walked[0] if walked else None)
    assert rule.find_last() == (walked[-1] if walked else None)


def test_calendar_dates_alone_make_a_service() -> None:
    contents = literal_contents("stops A B\nt1 22:00 30:00")
    del contents["calendar.txt"]
    contents["calendar_dates.txt"] = b"service_id,date,exception_type\ndaily,20260606,1\ndaily,20260613,1\n"
    feed = read_contents(contents, feed_id="ships").feed
    assert feed is not None
    calendar = ServiceCalendar.from_feed(feed)
    assert calendar.list_dates("daily") == [date(2026, 6, 6), date(2026, 6, 13)]
    assert calendar.active_on(date(2026, 6, 6)) == {"daily"}
    assert calendar.active_on(date(2026, 6, 7)) == frozenset()
    assert calendar.list_dates("nobody") == []


def test_a_range_to_the_end_of_time_costs_nothing() -> None:
    feed = literal_feed("calendar ever 1990-01-01 2199-12-31\nstops A B\nt1 8:00 8:10")
    calendar = ServiceCalendar.from_feed(feed)
    assert (calendar.first_date, calendar.last_date) == (date(1990, 1, 1), date(2199, 12, 31))


def test_an_expired_feed_is_noted_on_the_day_after_its_last() -> None:
    feed = literal_feed("calendar c 2026-01-01 2026-03-31\nstops A B\nt1 8:00 8:10")
    for today, count in ((date(2026, 3, 31), 0), (date(2026, 4, 1), 1)):
        notices = Notices()
        feed_freshness.judge(feed, notices, today=today)
        assert notices.count("feed_expired") == count
