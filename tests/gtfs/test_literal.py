"""The text language of feeds: every directive, and the errors of its writers."""

from datetime import date

import pytest

from gtfs.errors import LiteralWrong
from gtfs.literal import literal_feed
from gtfs.service_calendar import ServiceCalendar

EXAMPLE = """
    calendar weekday 2026-01-01 2026-12-31 mon-fri -2026-05-05 +2026-05-09
    route R1 rail agency=JR name="山手線"
    stops    A      B            C
    t1       08:00  08:05/08:06  08:10
    t2       09:00  -            09:08      headsign=Express
    route R2 bus
    stops    C      D
    b1       8:20b  8:30a
    walk     B C 180
"""


def test_the_example_of_the_docstring() -> None:
    feed = literal_feed(EXAMPLE)
    calls = feed["stop_times"].select("trip_id", "stop_id", "arrival_time", "departure_time").rows()
    assert calls == [
        ("t1", "A", 28_800, 28_800),
        ("t1", "B", 29_100, 29_160),
        ("t1", "C", 29_400, 29_400),
        ("t2", "A", 32_400, 32_400),
        ("t2", "C", 32_880, 32_880),
        ("b1", "C", 30_000, 30_000),
        ("b1", "D", 30_600, 30_600),
    ]
    flags = feed["stop_times"].filter(trip_id="b1").select("pickup_type", "drop_off_type").rows()
    assert flags == [(0, 1), (1, 0)]
    assert feed["routes"].select("route_id", "agency_id", "route_short_name", "route_type").rows() == [
        ("R1", "JR", "山手線", 2),
        ("R2", "lit", "R2", 3),
    ]
    assert feed["trips"]["trip_headsign"].to_list() == [None, "Express", None]
    walks = (
        feed["transfers"].select("from_stop_id", "to_stop_id", "transfer_type", "min_transfer_time").rows()
    )
    assert walks == [("B", "C", 2, 180), ("C", "B", 2, 180)]


def test_calendars_have_days_and_exceptions() -> None:
    calendar = ServiceCalendar.from_feed(literal_feed(EXAMPLE))
    # Tuesday 5 May does not run, Saturday 9 May does, Friday 8 May as every Friday.
    days = [date(2026, 5, day) for day in (5, 8, 9, 10)]
    assert [bool(calendar.active_on(day)) for day in days] == [False, True, True, False]


def test_places_stations_interchanges_and_headways() -> None:
    feed = literal_feed(
        """
        zone Asia/Tokyo
        agency Toei name=東京都交通局
        station S 35.69 139.69 name=都庁前
        stop S.1 35.6901 139.69 station=S platform=1 zone=z
        stop S.2 35.6899 139.69 station=S
        route Oedo subway agency=Toei color=CE045B network=toei
        stops S.1 S.2 S.1
        loop  8:00 ~ 25:10:30
        link S.1 S.2
        timed S.2 S.1
        forbid S.1 S.1
        calendar other 2026-02-01 2026-02-28 none
        next  26:00 26:10 26:20 block=7 direction=1 wheelchair=1 bikes=2
        stay loop next
        every next 26:00 28:00 600 exact
        """
    )
    assert feed["stops"]["parent_station"].to_list() == [None, "S", "S"]
    kinds = feed["transfers"]["transfer_type"].to_list()
    assert kinds == [0, 1, 3, 4]
    # `~` stands half-way between 8:00:00 and 25:10:30: 28,800 + 61,830 / 2.
    assert feed["stop_times"]["arrival_time"].to_list()[:3] == [28_800, 59_715, 90_630]
    assert feed["frequencies"].select("start_time", "end_time", "headway_secs", "exact_times").row(0) == (
        93_600,
        100_800,
        600,
        1,
    )
    trip = feed["trips"].filter(trip_id="next").row(0, named=True)
    assert (trip["service_id"], trip["block_id"], trip["direction_id"]) == ("other", "7", 1)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("stops A B\nt1 8:00", "1 cells under 2 stops"),
        ("stops A B\nt1 8:00 9.00", "is no time"),
        ("stops A B\nt1 8:00 8:10 colour=red", "no option colour"),
        ("calendar x 2026-01-01 2026-12-31 mon-fry", "line 1"),
        ("stops A B\nt1 8:10 8:00", "decreasing_time"),
        ("walk A B", "line 1"),
    ],
)
def test_a_wrong_text_is_refused_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(LiteralWrong, match=complaint):
        literal_feed(text)
