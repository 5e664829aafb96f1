"""Each rule with a feed it lets pass and one it does not; and what is left of the feed afterwards."""

from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl
import pytest

from gtfs.archive import ReadLimits
from gtfs.literal import literal_contents
from gtfs.notices import Severity
from gtfs.reader import Reading, read_contents
from gtfs.rules import RULES
from gtfs.rules.removal import without_stops
from gtfs.tables import Feed

Contents = dict[str, bytes]

SOUND = """
    calendar daily 2026-01-01 2026-12-31
    station S 35.5 139.7 name=駅
    stop A 35.5 139.7 station=S
    stop B 35.6 139.7
    route R rail
    stops A B
    t1    8:00 8:30
    t2    9:00 9:30
    stay t1 t2
    every t2 9:00 10:00 600
"""
FARES: Contents = {
    "fare_products.txt": b"fare_product_id,amount,currency\np,220,JPY\nq,1.50,USD\n",
    "fare_leg_rules.txt": b"fare_product_id\np\nq\n",
}
JAPANESE: Contents = {
    "feed_info.txt": b"feed_publisher_name,feed_publisher_url,feed_lang\nX,https://x.jp,ja\n",
    "translations.txt": b"table_name,field_name,language,translation,record_id\n"
    + b"".join(f"stops,stop_name,ja-Hrkt,よみ,{stop}\n".encode() for stop in ("S", "A", "B")),
}
VAN: Contents = {
    "locations.geojson": b"""{"type":"FeatureCollection","features":[
        {"id":"z","type":"Feature","properties":{},"geometry":{"type":"Polygon","coordinates":[[[139,35],[140,35],[140,36],[139,35]]]}}]}""",
    "trips.txt": b"route_id,service_id,trip_id\nR,daily,t1\nR,daily,t2\nR,daily,van\n",
    "stop_times.txt": b"trip_id,stop_sequence,stop_id,arrival_time,location_id,"
    b"start_pickup_drop_off_window,end_pickup_drop_off_window\n"
    b"t1,1,A,8:00:00,,,\nt1,2,B,8:30:00,,,\nt2,1,A,9:00:00,,,\nt2,2,B,9:30:00,,,\n"
    b"van,1,,,z,8:00:00,18:00:00\n",
}
STATION = literal_contents("""
    calendar daily 2026-01-01 2026-12-31
    level L0 0
    level L1 -1
    station S 35.5 139.7 name=駅
    stop A 35.5 139.7 station=S level=L1
    stop D 35.5 139.7 station=S
    area D1 D
    entrance E 35.5 139.7 station=S level=L0
    node N station=S
    station T 35.6 139.7
    stop B 35.6 139.7 station=T
    route R rail
    stops A B
    t1    8:00 8:30
    t2    9:00 9:30
    pathway p1 E N walkway time=60
    pathway p2 N A elevator time=40
    pathway p3 N D1 stairs steps=20
    pathway p4 N E exit one time=20
""")


@dataclass(frozen=True)
class Case:
    """A sound feed, and the change to one file that breaks exactly this rule."""

    code: str
    file: str
    old: str
    new: str
    severity: Severity = Severity.ERROR
    count: int = 1
    files: Contents = field(default_factory=dict)
    left: Callable[[Feed], object] = lambda feed: feed["trips"]["trip_id"].to_list()
    expected: object = ("t1", "t2")


def kinds(feed: Feed) -> list[int]:
    return feed["transfers"]["transfer_type"].to_list()


def parents(feed: Feed) -> list[str | None]:
    return feed["stops"]["parent_station"].to_list()


def ways(feed: Feed) -> list[str]:
    return feed["pathways"]["pathway_id"].to_list()


P124, P134, P234 = ("p1", "p2", "p4"), ("p1", "p3", "p4"), ("p2", "p3", "p4")

CASES = (
    Case("unexpected_value", "transfers.txt", ",4\n", ",9\n", left=kinds, expected=()),
    Case("unexpected_value", "routes.txt", "R,2,", "R,-1,", expected=()),
    Case("duplicate_key", "trips.txt", "R,daily,t2\n", "R,daily,t2\nR,daily,t2\n"),
    Case("duplicate_key", "trips.txt", "R,daily,t2\n", "R,daily,t2\nR,other,t2\n", expected=("t1",)),
    Case("duplicate_key", "stop_times.txt", "t1,B,2,08:30:00", "t1,B,1,08:30:00", expected=("t2",)),
    Case("timezone_unknown", "agency.txt", "Asia/Tokyo", "JST-9", expected=()),
    Case("agency_id_missing", "agency.txt", "lit,lit,Asia/Tokyo\n", "lit,lit,Asia/Tokyo\n,two,Asia/Tokyo\n"),
    Case("dangling_reference", "routes.txt", "R,lit", "R,nobody", expected=()),
    Case("dangling_reference", "stops.txt", ",,S,", ",,Z,", left=parents, expected=(None, None, None)),
    Case("dangling_reference", "transfers.txt", "t1,t2", "t1,t9", left=kinds, expected=()),
    Case("coordinate_missing", "stops.txt", "35.6,139.7", "0.0,0.0", expected=()),
    Case("coordinate_missing", "stops.txt", "35.6,139.7", "135.6,39.7", expected=()),
    Case(
        "coordinate_missing",
        "stops.txt",
        "A,A,35.5,139.7",
        "A,A,,",
        left=lambda feed: feed["stops"]["stop_lat"].to_list(),
        expected=(35.5, 35.5, 35.6),
    ),
    Case(
        "parent_not_station",
        "stops.txt",
        ",,S,",
        ",,B,",
        severity=Severity.WARNING,
        left=parents,
        expected=(None, None, None),
    ),
    Case("stop_time_nowhere", "stop_times.txt", "t1,B,2", "t1,,2", expected=("t2",)),
    Case("window_invalid", "stop_times.txt", "8:00:00,18:00:00", "18:00:00,8:00:00", files=VAN),
    Case("window_invalid", "stop_times.txt", "8:00:00,18:00:00", "8:00:00,", files=VAN),
    Case("decreasing_time", "stop_times.txt", "08:30:00,08:30:00", "07:30:00,07:30:00", expected=("t2",)),
    Case("decreasing_time", "stop_times.txt", "08:30:00,08:30:00", "08:30:00,08:29:00", expected=("t2",)),
    Case(
        "trip_with_one_stop",
        "stop_times.txt",
        "t1,B,2,08:30:00,08:30:00,0,0\n",
        "",
        severity=Severity.WARNING,
        expected=("t2",),
    ),
    Case(
        "trip_without_stop_times",
        "trips.txt",
        "R,daily,t2\n",
        "R,daily,t2\nR,daily,t3\n",
        severity=Severity.WARNING,
    ),
    Case("frequency_invalid", "frequencies.txt", ",600,", ",0,", expected=("t1",)),
    Case("frequency_invalid", "frequencies.txt", "10:00:00", "09:00:00", expected=("t1",)),
    Case(
        "service_never_runs",
        "calendar.txt",
        ",1,1,1,1,1,1,1",
        ",0,0,0,0,0,0,0",
        severity=Severity.WARNING,
    ),
    Case(
        "fare_amount_invalid",
        "fare_products.txt",
        "p,220,",
        "p,-220,",
        files=FARES,
        left=lambda feed: feed["fare_leg_rules"]["fare_product_id"].to_list(),
        expected=("q",),
    ),
    Case("fare_amount_invalid", "fare_products.txt", "JPY", "yen", files=FARES),
    Case(
        "in_seat_transfer_backwards",
        "transfers.txt",
        "t1,t2",
        "t2,t1",
        severity=Severity.WARNING,
        left=kinds,
        expected=(),
    ),
    Case(
        "speed_too_high",
        "stops.txt",
        "35.6,139.7",
        "45.6,139.7",
        severity=Severity.WARNING,
    ),
    Case("route_name_missing", "routes.txt", "lit,R,2", "lit,,2", severity=Severity.WARNING),
    Case("unexpected_value", "pathways.txt", "p2,N,A,5", "p2,N,A,8", files=STATION, left=ways, expected=P134),
    Case("dangling_reference", "pathways.txt", "p3,N,D1", "p3,N,Z", files=STATION, left=ways, expected=P124),
    Case("dangling_reference", "stops.txt", ",,L1", ",,L9", files=STATION),
    Case(
        "pathway_loop",
        "pathways.txt",
        "p1,E,N",
        "p1,E,E",
        severity=Severity.WARNING,
        files=STATION,
        left=ways,
        expected=("p2", "p3", "p4"),
    ),
    Case("pathway_at_station", "pathways.txt", "p1,E", "p1,S", files=STATION, left=ways, expected=P234),
    Case("pathway_between_stations", "pathways.txt", "p1,E", "p1,B", files=STATION, left=ways, expected=P234),
    Case(
        "exit_gate_both_ways",
        "pathways.txt",
        "p4,N,E,7,0",
        "p4,N,E,7,1",
        severity=Severity.WARNING,
        files=STATION,
        left=lambda feed: feed["pathways"]["is_bidirectional"].to_list(),
        expected=(1, 1, 1, 0),
    ),
    Case(
        "pathway_measure_wrong",
        "pathways.txt",
        "p4,N,E,7,0,20",
        "p4,N,E,7,0,-20",
        severity=Severity.WARNING,
        files=STATION,
        left=lambda feed: feed["pathways"]["traversal_time"].to_list(),
        expected=(60, 40, None, None),
    ),
    Case(
        "pathway_without_time",
        "pathways.txt",
        "p2,N,A,5,1,40",
        "p2,N,A,5,1,",
        severity=Severity.INFO,
        files=STATION,
    ),
    Case(
        "platform_without_pathway",
        "pathways.txt",
        "p3,N,D1,2",
        "p3,N,E,2",
        severity=Severity.WARNING,
        files=STATION,
    ),
    Case(
        "reading_missing",
        "translations.txt",
        "stops,stop_name,ja-Hrkt,よみ,A\n",
        "",
        severity=Severity.INFO,
        files=JAPANESE,
    ),
)


def read(contents: Contents) -> Reading:
    return read_contents(contents, feed_id="x", limits=ReadLimits(lost_trips_share_max=1.0))


def contents_of(case: Case) -> Contents:
    return literal_contents(SOUND) | case.files


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}-{case.file}-{case.new[:12]!r}")
def test_a_rule_finds_its_fault_once_and_leaves_the_rest(case: Case) -> None:
    contents = contents_of(case)
    text = contents[case.file].decode()
    assert case.old in text, text
    broken = contents | {case.file: text.replace(case.old, case.new, 1).encode()}
    reading = read(broken)
    found = {counted.code: counted for counted in reading.notices.list_counts()}
    assert case.code in found, found
    assert found[case.code].count == case.count
    assert found[case.code].severity is case.severity
    left = () if reading.feed is None else tuple(case.left(reading.feed))
    expected = case.expected
    if case.files is VAN:
        # The trip's only area fell, so the trip goes too, by another rule.
        assert found.keys() == {case.code, "trip_without_stop_times"}
    assert left == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}-{case.file}-{case.new[:12]!r}")
def test_the_same_rule_lets_the_sound_feed_pass(case: Case) -> None:
    reading = read(contents_of(case))
    assert reading.feed is not None
    assert list(reading.notices) == []


def test_every_rule_is_tested_and_named_after_its_code() -> None:
    tested = {case.code for case in CASES}
    for rule in RULES:
        assert rule.__name__.rsplit(".", 1)[-1] == rule.CODE
        assert rule.CODE in tested
        assert rule.__doc__ is not None
        assert rule.CODE in rule.__doc__
        assert "Effect" in rule.__doc__


def test_the_only_agency_needs_no_id() -> None:
    contents = literal_contents("stops A B\nt1 8:00 8:10")
    contents["agency.txt"] = b"agency_name,agency_timezone\nToei,Asia/Tokyo\n"
    contents["routes.txt"] = b"route_id,route_short_name,route_type\nR,R,3\n"
    reading = read(contents)
    assert reading.feed is not None
    assert list(reading.notices) == []
    assert reading.feed["agency"]["agency_id"].to_list() == ["Toei"]
    assert reading.feed["routes"]["agency_id"].to_list() == ["Toei"]


def test_a_date_both_added_and_removed_is_removed() -> None:
    contents = literal_contents("calendar c 2026-01-01 2026-12-31\nstops A B\nt1 8:00 8:10")
    contents["calendar_dates.txt"] = (
        b"service_id,date,exception_type\nc,20260505,1\nc,20260505,2\nc,20260506,7\n"
    )
    reading = read(contents)
    assert reading.feed is not None
    # An unknown exception type is read as 2 as well, the careful side.
    assert sorted(reading.feed["calendar_dates"]["exception_type"]) == [2, 2]
    assert reading.notices.count("duplicate_key") == 1
    assert reading.notices.count("unexpected_value") == 1


def test_an_in_seat_link_over_midnight_stays() -> None:
    reading = read(literal_contents("stops A B\nlate 23:50 24:05\nearly 0:05 0:30\nstay late early"))
    assert reading.feed is not None
    assert list(reading.notices) == []
    assert reading.feed["transfers"].height == 1


def test_what_lies_within_a_station_needs_no_place_and_falls_with_its_pathways() -> None:
    reading = read(STATION)
    assert reading.feed is not None
    node = reading.feed["stops"].row(by_predicate=pl.col("stop_id") == "N", named=True)
    assert (node["stop_lat"], node["stop_lon"]) == (35.5, 139.7)
    assert without_stops(reading.feed, pl.Series(["N"]))["pathways"].height == 0
