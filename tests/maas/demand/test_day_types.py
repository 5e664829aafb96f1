"""Holidays by the law against calendars made by others."""

import csv
import io
import zipfile
from datetime import date, timedelta
from pathlib import Path

import pytest

from maas.demand.day_types import DayType, find_day_type, list_holidays

# 国民の祝日 as announced by the Cabinet Office, with substitute holidays and days between.
ANNOUNCED = {
    2024: "01-01 01-08 02-11 02-12 02-23 03-20 04-29 05-03 05-04 05-05 05-06 07-15 08-11 08-12 09-16 09-22 "
    "09-23 10-14 11-03 11-04 11-23",
    2025: "01-01 01-13 02-11 02-23 02-24 03-20 04-29 05-03 05-04 05-05 05-06 07-21 08-11 09-15 09-23 10-13 "
    "11-03 11-23 11-24",
    2026: "01-01 01-12 02-11 02-23 03-20 04-29 05-03 05-04 05-05 05-06 07-20 08-11 09-21 09-22 09-23 10-12 "
    "11-03 11-23",
}


@pytest.mark.parametrize("year", sorted(ANNOUNCED))
def test_holidays_are_those_announced(year: int) -> None:
    expected = {date.fromisoformat(f"{year}-{day}") for day in ANNOUNCED[year].split()}
    assert list_holidays(year) == expected


@pytest.mark.real
def test_holidays_are_those_of_tokyos_railways(real_data: Path) -> None:
    with zipfile.ZipFile(real_data / "tokyo" / "rail.zip") as archive:
        text = archive.read("calendar_dates.txt").decode("utf-8-sig")
    rows = csv.DictReader(io.StringIO(text))
    off = {
        date.fromisoformat(row["date"])
        for row in rows
        if row["service_id"] == "Weekday" and row["exception_type"] == "2"
    }
    days = [date(2026, 4, 1) + timedelta(days=n) for n in range(365)]
    ours = {day for day in days if day.weekday() < 5 and find_day_type(day) is DayType.HOLIDAY}
    assert ours == off


def test_the_three_kinds_of_day() -> None:
    assert find_day_type(date(2026, 5, 20)) is DayType.WEEKDAY
    assert find_day_type(date(2026, 5, 23)) is DayType.SATURDAY
    assert find_day_type(date(2026, 5, 24)) is DayType.HOLIDAY
    assert find_day_type(date(2026, 5, 6)) is DayType.HOLIDAY  # substitutes for Sunday 3 May
