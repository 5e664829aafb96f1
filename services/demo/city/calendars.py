"""On which days what runs.

Problem   Trains know weekdays and rest days; ships know neither: they turn with the ship before them, with
          the season and with a six-day round to 小笠原.
Idea      A rule is a function of the date. Rules that a week can say become calendar.txt, corrected for the
          holidays; all others are listed day by day in calendar_dates.txt.
Invariant A ship's return runs exactly on the day after its way out: さるびあ丸 is one ship.
"""

from collections.abc import Callable
from datetime import date, timedelta

from services.demo.city.holidays import is_holiday, is_rest_day

DAYS_BEFORE, DAYS_AFTER = 30, 400
WEEKLY = {
    "weekday": (1, 1, 1, 1, 1, 0, 0),
    "holiday": (0, 0, 0, 0, 0, 1, 1),
    "daily": (1, 1, 1, 1, 1, 1, 1),
}
_OGASAWARA_ANCHOR = date(2026, 1, 3)
_OGASAWARA_ROUND_DAYS = 6
_SUNDAY = 6


def list_days(around: date) -> list[date]:
    """The days the city's feed is valid: a month back, and more than a year ahead."""
    return [around + timedelta(days=offset) for offset in range(-DAYS_BEFORE, DAYS_AFTER + 1)]


def sarubia_pattern(day: date) -> str | None:
    """How さるびあ丸 leaves 竹芝 that evening: `b` (23:00) before rest days in the season, else `a` (22:00).

    None on Sundays of January and February, when the ship is in the dock.
    """
    if day.month in (1, 2) and day.weekday() == _SUNDAY:
        return None
    season = 4 <= day.month <= 10  # noqa: PLR2004 - April to October
    return "b" if season and is_rest_day(day + timedelta(days=1)) else "a"


def is_jet_peak(day: date) -> bool:
    """Golden week and the summer holidays: the jetfoil leaves earlier."""
    golden_week = date(day.year, 4, 29) <= day <= date(day.year, 5, 6)
    summer = date(day.year, 7, 20) <= day <= date(day.year, 8, 31)
    return golden_week or summer


def ogasawara_day(day: date) -> int:
    """The day of おがさわら丸's six-day round: on 0 it leaves 竹芝, on 1 arrives, on 4 leaves 父島."""
    return (day - _OGASAWARA_ANCHOR).days % _OGASAWARA_ROUND_DAYS


RULES: dict[str, Callable[[date], bool]] = {
    "every_day": lambda _: True,
    "rest_day": is_rest_day,
    "sarubia_a": lambda day: sarubia_pattern(day) == "a",
    "sarubia_b": lambda day: sarubia_pattern(day) == "b",
    "day_after_sarubia_a": lambda day: sarubia_pattern(day - timedelta(days=1)) == "a",
    "day_after_sarubia_b": lambda day: sarubia_pattern(day - timedelta(days=1)) == "b",
    "jet_ordinary": lambda day: not is_jet_peak(day),
    "jet_peak": is_jet_peak,
    "ogasawara_out": lambda day: ogasawara_day(day) == 0,
    "ogasawara_arrives": lambda day: ogasawara_day(day) == 1,
    "ogasawara_return": lambda day: ogasawara_day(day) == 4,  # noqa: PLR2004 - three nights at the island
    "hahajima_ordinary": lambda day: ogasawara_day(day) in (0, 2, 3),
}


def list_calendar_rows(days: list[date]) -> list[tuple[object, ...]]:
    """Rows of calendar.txt."""
    span = (f"{days[0]:%Y%m%d}", f"{days[-1]:%Y%m%d}")
    return [(service, *week, *span) for service, week in WEEKLY.items()]


def list_calendar_date_rows(days: list[date], services: set[str]) -> list[tuple[object, ...]]:
    """Rows of calendar_dates.txt: holidays swap the weekly services; each rule in use lists its days."""
    rows: list[tuple[object, ...]] = []
    for day in days:
        if is_holiday(day) and day.weekday() < _SUNDAY - 1:
            rows += [("weekday", f"{day:%Y%m%d}", 2), ("holiday", f"{day:%Y%m%d}", 1)]
    for service in sorted(services - set(WEEKLY)):
        rows += [(service, f"{day:%Y%m%d}", 1) for day in days if RULES[service](day)]
    return rows
