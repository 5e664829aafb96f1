"""Which days travel alike: weekdays, Saturdays, and Sundays with the national holidays.

Problem   Demand by hour means nothing where a holiday on a Monday is counted as a Monday.
Idea      The holidays are computed from the law, as it has stood since 2022.
Not here  The railways' own calendars (gtfs.service_calendar).
Source    Act on National Holidays (国民の祝日に関する法律), articles 2 and 3; the equinoxes by the usual
          formula, right until 2099; the almanac fixes each in the February of the year before.
"""

from datetime import date, timedelta
from enum import StrEnum
from functools import cache


class DayType(StrEnum):
    """How a day's travel is like others'."""

    WEEKDAY = "weekday"
    SATURDAY = "saturday"
    HOLIDAY = "holiday"


_SATURDAY, _SUNDAY = 5, 6
_FIXED = ((1, 1), (2, 11), (2, 23), (4, 29), (5, 3), (5, 4), (5, 5), (8, 11), (11, 3), (11, 23))
# Coming of age, Marine, Respect for the aged, Sports: the n-th Monday of a month.
_MONDAYS = ((1, 2), (7, 3), (9, 3), (10, 2))


def find_day_type(day: date) -> DayType:
    """How a day counts."""
    if day.weekday() == _SUNDAY or day in list_holidays(day.year):
        return DayType.HOLIDAY
    return DayType.SATURDAY if day.weekday() == _SATURDAY else DayType.WEEKDAY


@cache
def list_holidays(year: int) -> frozenset[date]:
    """The national holidays of a year from 2022 on, with the days off that they entail."""
    named = {date(year, month, day) for month, day in _FIXED}
    named |= {_find_monday(year, month, nth) for month, nth in _MONDAYS}
    named |= {date(year, 3, _equinox_day(year, 20.8431)), date(year, 9, _equinox_day(year, 23.2488))}
    return frozenset(named | _list_substitutes(named) | _list_between(named))


def _find_monday(year: int, month: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=-first.weekday() % 7 + 7 * (nth - 1))


def _equinox_day(year: int, day_in_1980: float) -> int:
    years = year - 1980
    return int(day_in_1980 + 0.242194 * years - years // 4)


def _list_substitutes(named: set[date]) -> set[date]:
    """Article 3 (2): for a holiday on a Sunday, the next day that is none."""
    substitutes = set()
    for holiday in named:
        if holiday.weekday() == _SUNDAY:
            day = holiday + timedelta(days=1)
            while day in named:
                day += timedelta(days=1)
            substitutes.add(day)
    return substitutes


def _list_between(named: set[date]) -> set[date]:
    """Article 3 (3): a day between two holidays."""
    between = {holiday + timedelta(days=1) for holiday in named if holiday + timedelta(days=2) in named}
    return {day for day in between - named if day.weekday() != _SUNDAY}
