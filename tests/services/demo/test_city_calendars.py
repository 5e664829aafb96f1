"""The city's days: holidays against the published calendar, ships against what one ship can do."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.demo.city.calendars import (
    RULES,
    WEEKLY,
    list_calendar_date_rows,
    list_days,
    sarubia_pattern,
)
from services.demo.city.holidays import is_rest_day, list_holidays
from services.demo.city.tables import list_timetable

# 国民の祝日 as the Cabinet Office publishes them, substitutes and the day between two holidays included.
PUBLISHED = {
    2024: "0101 0108 0211 0212 0223 0320 0429 0503 0504 0505 0506 0715"
    " 0811 0812 0916 0922 0923 1014 1103 1104 1123",
    2025: "0101 0113 0211 0223 0224 0320 0429 0503 0504 0505 0506 0721 0811 0915 0923 1013 1103 1123 1124",
    2026: "0101 0112 0211 0223 0320 0429 0503 0504 0505 0506 0720 0811 0921 0922 0923 1012 1103 1123",
    2027: "0101 0111 0211 0223 0321 0322 0429 0503 0504 0505 0719 0811 0920 0923 1011 1103 1123",
}
DAYS = st.dates(min_value=date(2023, 1, 1), max_value=date(2098, 12, 31))


def test_holidays_are_those_the_cabinet_office_publishes() -> None:
    for year, days in PUBLISHED.items():
        assert {f"{day:%m%d}" for day in list_holidays(year)} == set(days.split()), year


@given(DAYS)
def test_a_day_has_exactly_one_train_timetable(day: date) -> None:
    days = [day]
    exceptions = {(row[0], row[2]) for row in list_calendar_date_rows(days, set(WEEKLY))}
    runs = {
        service
        for service in ("weekday", "holiday")
        if (bool(WEEKLY[service][day.weekday()]) or (service, 1) in exceptions)
        and (service, 2) not in exceptions
    }
    assert runs == {"holiday" if is_rest_day(day) else "weekday"}


@given(DAYS)
def test_a_ship_comes_back_the_day_after_it_left(day: date) -> None:
    after = day + timedelta(days=1)
    for pattern in ("a", "b"):
        left = RULES[f"sarubia_{pattern}"](day)
        assert RULES[f"day_after_sarubia_{pattern}"](after) == left
    assert not (RULES["sarubia_a"](day) and RULES["sarubia_b"](day))


@given(DAYS)
def test_ogasawara_maru_makes_one_round_in_six_days(day: date) -> None:
    week = [day + timedelta(days=offset) for offset in range(6)]
    assert sum(RULES["ogasawara_out"](each) for each in week) == 1
    assert sum(RULES["ogasawara_return"](each) for each in week) == 1
    # It leaves the island four days after it left Tokyo, so it is never in two places.
    for each in week:
        assert RULES["ogasawara_return"](each + timedelta(days=4)) == RULES["ogasawara_out"](each)


@given(DAYS)
def test_a_night_ship_leaves_every_evening_but_sundays_in_the_dock(day: date) -> None:
    in_dock = day.month in (1, 2) and day.weekday() == 6
    assert (sarubia_pattern(day) is None) == in_dock


def test_every_rule_of_the_timetable_is_known() -> None:
    assert {trip.runs for trip in list_timetable()} <= set(RULES) | set(WEEKLY)


def test_the_feed_reaches_a_month_back_and_a_year_ahead() -> None:
    days = list_days(date(2026, 5, 20))
    assert days[0] == date(2026, 4, 20)
    assert days[-1] == date(2027, 6, 24)
    assert len(days) == 431
