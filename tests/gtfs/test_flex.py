"""On-demand zones: a point in a polygon against areas, and booking rules against dates counted by hand."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtfs.flex import BookingRule, BookingType, FlexTables, contains, window_of
from gtfs.literal import literal_contents, literal_feed
from gtfs.reader import read_contents
from gtfs.service_calendar import ServiceCalendar
from gtfs.tables import Zone

TOKYO = ZoneInfo("Asia/Tokyo")
SQUARE = ((0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0), (0.0, 0.0))
HOLE = ((1.0, 1.0), (3.0, 1.0), (3.0, 3.0), (1.0, 3.0), (1.0, 1.0))
ISLAND = ((10.0, 0.0), (12.0, 0.0), (11.0, 2.0), (10.0, 0.0))
ZONE = Zone("z", "z", ((SQUARE, HOLE), (ISLAND,)))
# Weekdays of May 2026, without the holidays of the 4th to the 6th. The 20th is a Wednesday.
CALENDAR = ServiceCalendar.from_feed(
    literal_feed(
        """
        calendar office 2026-05-01 2026-05-31 mon-fri -2026-05-04 -2026-05-05 -2026-05-06
        stops A B
        t1 8:00 8:10
        """
    )
)


@given(lon=st.floats(-1, 5), lat=st.floats(-1, 5))
def test_a_square_with_a_hole_is_what_its_inequalities_say(lon: float, lat: float) -> None:
    in_square = 0 <= lon <= 4 and 0 <= lat <= 4
    in_hole = 1 < lon < 3 and 1 < lat < 3
    assert contains(ZONE, lat=lat, lon=lon) == (in_square and not in_hole)


@pytest.mark.parametrize(
    ("lon", "lat", "inside"), [(11, 1, True), (11, 2, True), (10.2, 1, False), (11, 0, True), (9, 0, False)]
)
def test_a_second_polygon_and_its_corners_belong(lon: float, lat: float, *, inside: bool) -> None:
    assert contains(ZONE, lat=lat, lon=lon) is inside


def rule(kind: BookingType, **given_values: object) -> BookingRule:
    names = [name for name in BookingRule.__slots__ if name not in {"booking_rule_id", "booking_type"}]
    values = dict.fromkeys(names) | given_values
    return BookingRule(booking_rule_id="b", booking_type=kind, **values)


def window(booking_rule: BookingRule | None, day: int = 20) -> tuple[str | None, str]:
    """Opening and closing, as `day hour:minute` of May, for a ride at ten o'clock."""
    found = window_of(
        booking_rule, service_date=date(2026, 5, day), pickup_s=36_000, zone=TOKYO, calendar=CALENDAR
    )

    def show(instant: datetime) -> str:
        return f"{instant.day} {instant:%H:%M}"

    return found.opens_at and show(found.opens_at), show(found.closes_at)


def test_booking_rules_of_all_three_types() -> None:
    assert window(None) == (None, "20 10:00")
    assert window(rule(BookingType.AT_ONCE)) == (None, "20 10:00")
    assert window(rule(BookingType.SAME_DAY, notice_min=60)) == (None, "20 09:00")
    assert window(rule(BookingType.SAME_DAY, notice_min=60, notice_max=1440)) == ("19 10:00", "20 09:00")
    week = rule(BookingType.SAME_DAY, notice_min=0, start_day=7, start_time_s=32_400)
    assert window(week) == ("13 09:00", "20 10:00")
    eve = rule(BookingType.DAYS_BEFORE, last_day=1, last_time_s=61_200, start_day=14, start_time_s=0)
    assert window(eve) == ("6 00:00", "19 17:00")


def test_days_are_counted_in_the_days_of_the_office() -> None:
    # Thursday 7 May: one office day before is Friday 1 May, behind three holidays and a weekend.
    office = rule(BookingType.DAYS_BEFORE, last_day=1, last_time_s=61_200, service_id="office")
    assert window(office, day=7) == (None, "1 17:00")
    assert window(office, day=20) == (None, "19 17:00")


def test_a_window_is_open_up_to_its_ends() -> None:
    found = window_of(
        rule(BookingType.SAME_DAY, notice_min=60, notice_max=120),
        service_date=date(2026, 5, 20),
        pickup_s=36_000,
        zone=TOKYO,
        calendar=CALENDAR,
    )
    hours = [
        datetime(2026, 5, 20, hour, minute, tzinfo=TOKYO)
        for hour, minute in ((7, 59), (8, 0), (9, 0), (9, 1))
    ]
    assert [found.is_open(hour) for hour in hours] == [False, True, True, False]


def test_zones_windows_and_rules_come_from_a_feed() -> None:
    contents = literal_contents("stops A B\nt1 8:00 8:10")
    contents["trips.txt"] += b"R,daily,van\n"
    contents["stop_times.txt"] = (
        b"trip_id,stop_sequence,stop_id,arrival_time,location_id,start_pickup_drop_off_window,"
        b"end_pickup_drop_off_window,pickup_type,drop_off_type,pickup_booking_rule_id\n"
        b"t1,1,A,8:00:00,,,,,,\nt1,2,B,8:10:00,,,,,,\n"
        b"van,1,,,z,8:00:00,18:00:00,2,1,b\nvan,2,,,z,8:00:00,18:00:00,1,2,\n"
    )
    contents["booking_rules.txt"] = b"booking_rule_id,booking_type,prior_notice_duration_min\nb,1,30\n"
    contents["locations.geojson"] = (
        b'{"type":"FeatureCollection","features":[{"type":"Feature","id":"z","properties":{},'
        b'"geometry":{"type":"Polygon","coordinates":[[[0,0],[4,0],[4,4],[0,4],[0,0]]]}}]}'
    )
    reading = read_contents(contents, feed_id="x")
    assert reading.feed is not None, list(reading.notices)
    flex = FlexTables.from_feed(reading.feed)
    (trip,) = flex.trips
    first, second = trip.stops
    assert (first.start_s, first.end_s, first.may_board, first.may_alight) == (28_800, 64_800, True, False)
    assert (second.may_board, second.may_alight) == (False, True)
    assert flex.rules[first.pickup_rule_id or ""].notice_min == 30
    assert [zone.location_id for zone in flex.list_zones_at(2, 2)] == ["z"]
    assert flex.list_zones_at(5, 2) == []
