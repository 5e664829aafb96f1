"""Japanese public holidays, by the law's own rules.

Problem   A feed that is valid around any date needs the holidays of years whose calendar is not printed yet.
Idea      The holidays since 2022 follow rules: fixed days, nth Mondays, the two equinoxes by the astronomers'
          formula, the substitute for a Sunday, and the day between two holidays.
Not here  Years before 2022, when single days were moved by special laws.
Source    国民の祝日に関する法律, articles 2 and 3; equinoxes by the approximation valid for 1980-2099.
"""

from datetime import date, timedelta
from functools import cache

FIRST_YEAR, LAST_YEAR = 2022, 2099
_FIXED = ((1, 1), (2, 11), (2, 23), (4, 29), (5, 3), (5, 4), (5, 5), (8, 11), (11, 3), (11, 23))
_NTH_MONDAYS = ((1, 2), (7, 3), (9, 3), (10, 2))
_SUNDAY = 6


def is_holiday(day: date) -> bool:
    """Whether the law makes this day a holiday (Sundays are none by themselves)."""
    return day in list_holidays(day.year)


def is_rest_day(day: date) -> bool:
    """Whether trains run by the 土休日 timetable: Saturday, Sunday or a holiday."""
    return day.weekday() >= _SUNDAY - 1 or is_holiday(day)


@cache
def list_holidays(year: int) -> frozenset[date]:
    """The holidays of a year from 2022 to 2099."""
    assert FIRST_YEAR <= year <= LAST_YEAR, "the rules hold for 2022 to 2099"
    named = {date(year, month, day) for month, day in _FIXED}
    named |= {_nth_monday(year, month, nth) for month, nth in _NTH_MONDAYS}
    named |= {date(year, 3, _equinox_day(year, 20.8431)), date(year, 9, _equinox_day(year, 23.2488))}
    substitutes = {_substitute(day, named) for day in named if day.weekday() == _SUNDAY}
    between = {
        day + timedelta(days=1)
        for day in named
        if day + timedelta(days=2) in named and (day + timedelta(days=1)).weekday() != _SUNDAY
    }
    return frozenset(named | substitutes | between)


def _nth_monday(year: int, month: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=-first.weekday() % 7 + 7 * (nth - 1))


def _equinox_day(year: int, day_in_1980: float) -> int:
    """The day of the month; the sun's year is 365.242194 days and leap days pull it back."""
    return int(day_in_1980 + 0.242194 * (year - 1980) - (year - 1980) // 4)


def _substitute(sunday: date, named: set[date]) -> date:
    """The next day that is no holiday itself."""
    day = sunday + timedelta(days=1)
    while day in named:
        day += timedelta(days=1)
    return day
