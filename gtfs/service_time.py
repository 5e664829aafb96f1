"""Times of a service day: seconds that may pass midnight, and the instants they mean.

Problem   A trip at 25:30:00 runs at half past one in the night after its service date; where clocks change,
          `midnight + seconds` is an hour wrong for most of that day.
Idea      GTFS counts from noon minus twelve hours. Noon exists on every day and no clock changes there, so
          `noon - 12 h + seconds`, added as elapsed time in UTC, is right on every day.
Source    GTFS Schedule reference, the field type Time.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gtfs.errors import ZoneUnknown

TIME_PATTERN = r"^(\d{1,3}):([0-5]\d):([0-5]\d)$"
_TIME = re.compile(TIME_PATTERN, re.ASCII)
NOON = time(12)


def find_seconds(text: str) -> int | None:
    """`25:30:00` -> 91800; None if the text is no H:MM:SS."""
    match = _TIME.match(text)
    if match is None:
        return None
    hours, minutes, seconds = (int(group) for group in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def format_seconds(seconds: int) -> str:
    """91800 -> `25:30:00`."""
    assert seconds >= 0, "a service time is not before its service day"
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02d}:{minute:02d}:{second:02d}"


def get_zone(name: str) -> ZoneInfo:
    """The IANA zone of that name. Raises ZoneUnknown."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ZoneUnknown(name) from error


def service_day_start(service_date: date, zone: ZoneInfo) -> datetime:
    """Noon minus twelve hours of that date, as an instant in UTC."""
    noon = datetime.combine(service_date, NOON, tzinfo=zone)
    return noon.astimezone(UTC) - timedelta(hours=12)


def instant_of(service_date: date, seconds: int, zone: ZoneInfo) -> datetime:
    """The instant of a service time, shown in the agency's zone."""
    return (service_day_start(service_date, zone) + timedelta(seconds=seconds)).astimezone(zone)


def seconds_of(instant: datetime, service_date: date, zone: ZoneInfo) -> int:
    """The service time of an instant on that service date; negative before its start."""
    assert instant.tzinfo is not None, "an instant is aware"
    return int((instant - service_day_start(service_date, zone)).total_seconds())
