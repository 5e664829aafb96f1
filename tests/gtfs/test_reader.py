"""What is wrong in a feed is told with file, row and field; what is right around it stays."""

import polars as pl
import pytest

from gtfs.archive import ReadLimits
from gtfs.literal import literal_contents, literal_feed
from gtfs.notices import Severity
from gtfs.reader import Reading, read_contents
from gtfs.tables import DTYPES, SPEC_BY_NAME

# Row numbers below count in these files; the header is line 1.
CONTENTS = literal_contents(
    """
    calendar daily 2026-01-01 2026-12-31
    route R bus
    stops A    B    C
    t1    8:00 8:10 8:20
    t2    9:00 9:10 9:20
    t3   10:00 10:10 10:20
    """
)


def read(changes: dict[str, tuple[str, str]] | None = None, **files: bytes | None) -> Reading:
    """The feed with text replaced in its files: `{"trips": ("old", "new")}`, or with whole files changed."""
    contents = dict(CONTENTS)
    for table, (old, new) in (changes or {}).items():
        text = contents[f"{table}.txt"].decode()
        assert old in text, f"{old!r} stands in {table}.txt"
        contents[f"{table}.txt"] = text.replace(old, new, 1).encode()
    for table, content in files.items():
        contents.pop(f"{table}.txt", None)
        if content is not None:
            contents[f"{table}.txt"] = content
    return read_contents(contents, feed_id="x", limits=ReadLimits(lost_trips_share_max=0.9))


def test_a_sound_feed_gives_no_notice_and_every_table() -> None:
    reading = read()
    assert list(reading.notices) == []
    assert reading.feed is not None
    for name, spec in SPEC_BY_NAME.items():
        table = reading.feed[name]
        assert table.columns == ["row", *(column.name for column in spec.columns)]
        assert table.dtypes == [pl.UInt32, *(DTYPES[column.kind] for column in spec.columns)]


@pytest.mark.parametrize(
    ("changes", "code", "row", "field"),
    [
        ({"stop_times": ("08:10:00,08:10:00", "08:61:00,08:10:00")}, "invalid_time", 3, "arrival_time"),
        ({"stop_times": ("t2,B,2", "t2,B,two")}, "invalid_integer", 6, "stop_sequence"),
        ({"stops": ("35.020000", "35,02")}, "row_too_long", 3, ""),
        ({"stops": ("35.020000", "35.0.2")}, "invalid_number", 3, "stop_lat"),
        ({"stops": ("35.020000", "nan")}, "invalid_number", 3, "stop_lat"),
        ({"calendar": ("20260101", "20261301")}, "invalid_date", 2, "start_date"),
        ({"calendar": ("20260101", "00000101")}, "invalid_date", 2, "start_date"),
        ({"routes": ("lit,R,3", "lit,R,99")}, "unexpected_value", 2, "route_type"),
        ({"trips": ("R,daily,t2", "R,,t2")}, "missing_value", 3, "service_id"),
        ({"trips": ("R,daily,t2", "R,daily,t1")}, "duplicate_key", 3, "trip_id"),
        ({"trips": ("R,daily,t2", "Q,daily,t2")}, "dangling_reference", 3, "route_id"),
        ({"stop_times": ("t3,C,3", "t9,C,3")}, "dangling_reference", 10, "trip_id"),
        ({"stop_times": ("08:20:00,08:20:00", "08:05:00,08:20:00")}, "decreasing_time", 4, "arrival_time"),
        ({"agency": ("Asia/Tokyo", "Tokyo")}, "timezone_unknown", 2, "agency_timezone"),
    ],
)
def test_a_fault_is_told_with_its_place(
    changes: dict[str, tuple[str, str]], code: str, row: int, field: str
) -> None:
    notices = [notice for notice in read(changes).notices if notice.code == code]
    file = f"{next(iter(changes))}.txt"
    assert [(notice.file, notice.row, notice.field) for notice in notices] == [(file, row, field)]
    assert notices[0].severity is Severity.ERROR


@pytest.mark.parametrize(
    "changes",
    [
        {"stop_times": ("09:10:00,09:10:00", "09:61:00,09:10:00")},
        {"stop_times": ("t2,B,2", "t2,B,two")},
    ],
)
def test_a_row_that_falls_takes_nothing_else_with_it(changes: dict[str, tuple[str, str]]) -> None:
    feed = read(changes).feed
    assert feed is not None
    calls = feed["stop_times"].group_by("trip_id", maintain_order=True).agg("stop_id").rows()
    assert calls == [("t1", ["A", "B", "C"]), ("t2", ["A", "C"]), ("t3", ["A", "B", "C"])]


@pytest.mark.parametrize(
    "changes",
    [
        {"stop_times": ("09:20:00,09:20:00", "09:05:00,09:05:00")},
        {"stop_times": ("09:20:00,09:20:00", ",")},
        {"trips": ("R,daily,t2", "R,never,t2")},
    ],
)
def test_a_trip_that_cannot_be_trusted_is_left_out_whole(changes: dict[str, tuple[str, str]]) -> None:
    reading = read(changes)
    assert reading.feed is not None
    assert reading.notices.has_errors
    assert reading.feed["trips"]["trip_id"].to_list() == ["t1", "t3"]
    assert set(reading.feed["stop_times"]["trip_id"]) == {"t1", "t3"}


@pytest.mark.parametrize("table", ["agency", "stops", "routes", "trips", "stop_times", "calendar"])
def test_a_missing_or_headless_file_makes_the_feed_unusable(table: str) -> None:
    missing, empty = read(**{table: None}), read(**{table: b""})
    headless = read(**{table: b"a,b\n1,2\n"})
    for reading, code in ((missing, "missing_file"), (empty, "empty_file"), (headless, "missing_column")):
        assert reading.feed is None
        assert reading.notices.count(code) >= 1
        assert all(f"{table}.txt" == notice.file for notice in reading.notices)


def test_an_optional_file_that_cannot_be_read_is_left_out_alone() -> None:
    reading = read(rider_categories=b"rider_category_id,rider_category_description\nx,y\n")
    assert reading.feed is not None
    assert reading.feed["rider_categories"].is_empty()
    assert [notice.code for notice in reading.notices] == ["missing_column"]


def test_a_lost_exception_makes_the_feed_unusable() -> None:
    """A date that cannot be read may be the day on which the ship does not sail."""
    header = b"service_id,date,exception_type\n"
    assert read(calendar_dates=header + b"daily,20260505,2\n").feed is not None
    for row in (b"daily,2026-05-05,2\n", b",20260505,2\n", b"daily,20260505,x\n", b"a,daily,20260505,2\n"):
        reading = read(calendar_dates=header + b"daily,20260506,2\n" + row)
        assert reading.feed is None
        assert reading.notices.count("vital_row_lost") == 1


def test_a_feed_that_loses_most_of_its_trips_is_refused() -> None:
    contents = CONTENTS | {"routes.txt": b"route_id,agency_id,route_short_name,route_type\nQ,lit,Q,3\n"}
    reading = read_contents(contents, feed_id="x")
    assert reading.feed is None
    assert reading.notices.count("nothing_runs") == 1
    trips = CONTENTS["trips.txt"].replace(b"R,daily,t1", b"Q,daily,t1").replace(b"R,daily,t2", b"Q,daily,t2")
    reading = read_contents(CONTENTS | {"trips.txt": trips}, feed_id="x")
    assert reading.feed is None
    assert reading.notices.count("too_many_trips_lost") == 1


def test_rows_in_any_order_make_the_same_trips() -> None:
    header, *rows = CONTENTS["stop_times.txt"].decode().splitlines()
    for shuffled in (rows[::-1], rows[::2] + rows[1::2]):
        reading = read(stop_times="\n".join([header, *shuffled]).encode())
        assert reading.feed is not None
        assert reading.notices.count("decreasing_time") == 0
        trips = reading.feed["stop_times"].group_by("trip_id").agg("stop_id", "arrival_time").sort("trip_id")
        expected = (
            read().feed["stop_times"].group_by("trip_id").agg("stop_id", "arrival_time").sort("trip_id")
        )
        assert trips.equals(expected)


def test_missing_times_stand_evenly_between_timepoints() -> None:
    feed = literal_feed(
        """
        stops A B C D E
        t1    8:00 ~ ~ 8:10/8:20 8:30
        t2    8:00 8:01 ~ ~ 9:01
        """
    )
    # t1: 600 s over three hops: 200 and 400 s after eight. t2: 3,600 s over three hops, from 8:01.
    times = feed["stop_times"].select("arrival_time", "departure_time").rows()
    assert times[:5] == [
        (28_800, 28_800),
        (29_000, 29_000),
        (29_200, 29_200),
        (29_400, 30_000),
        (30_600, 30_600),
    ]
    assert times[5:] == [(seconds, seconds) for seconds in (28_800, 28_860, 30_060, 31_260, 32_460)]


def test_one_of_two_times_is_enough() -> None:
    reading = read({"stop_times": ("08:10:00,08:10:00", ",08:10:00")})
    assert reading.feed is not None
    assert reading.feed["stop_times"].row(1, named=True)["arrival_time"] == 29_400
    assert list(reading.notices) == []


def test_windows_have_no_times_and_zones_come_from_geojson() -> None:
    ring = "[[139,35],[140,35],[140,36],[139,36],[139,35]]"
    zones = f"""{{"type":"FeatureCollection","features":[
        {{"id":"z","type":"Feature","properties":{{"stop_name":"坂下"}},
          "geometry":{{"type":"Polygon","coordinates":[{ring}]}}}},
        {{"id":"broken","type":"Feature","properties":{{}},"geometry":{{"type":"Polygon","coordinates":[[]]}}}},
        {{"id":"z","type":"Feature","properties":null,"geometry":null}}]}}"""
    contents = dict(CONTENTS)
    contents["trips.txt"] += b"R,daily,van\n"
    contents["stop_times.txt"] = (
        b"trip_id,stop_id,stop_sequence,arrival_time,departure_time,location_id,"
        b"start_pickup_drop_off_window,end_pickup_drop_off_window\n"
        b"t1,A,1,8:00:00,8:00:00,,,\nt1,B,2,8:10:00,8:10:00,,,\n"
        b"van,,1,,,z,8:00:00,18:00:00\nvan,,2,,,z,8:00:00,18:00:00\n"
    )
    contents["locations.geojson"] = zones.encode()
    reading = read_contents(contents, feed_id="x")
    assert reading.feed is not None
    assert [(zone.location_id, zone.name) for zone in reading.feed.zones] == [("z", "坂下")]
    assert reading.notices.count("zone_unreadable") == 2
    assert reading.feed["stop_times"]["arrival_time"].to_list() == [28_800, 29_400, None, None]
