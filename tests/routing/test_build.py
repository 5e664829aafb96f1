"""From feeds written as text to journeys: one feature of the format a test."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from gtfs.literal import literal_feed
from routing.assembly import BuildOptions
from routing.build import build_network, compile_timetable
from routing.errors import MixedTimeZones, NetworkUnreadable, NothingToRoute
from routing.footpaths import WalkOptions
from routing.journey import FoundJourney, TripLeg, WalkLeg, resolve
from routing.raptor import Query, Router, list_access, list_egress
from routing.strings import build_strings, find_string, get_string, list_strings
from routing.timetable import NO, UNKNOWN, YES, Timetable, open_timetable

TOKYO = ZoneInfo("Asia/Tokyo")
NO_BEELINES = BuildOptions(walks=WalkOptions(beeline_m_max=0, change_same_stop_s=0))


def network(text: str, *, options: BuildOptions = NO_BEELINES) -> Timetable:
    timetable, _ = compile_timetable([literal_feed(text)], version="v", options=options)
    timetable.check()
    return timetable


def stop(timetable: Timetable, name: str) -> int:
    feed = timetable.feed_ids[0]
    index = timetable.find_stop(f"{feed}:{name}")
    assert index is not None
    return index


def journeys(
    timetable: Timetable, source: str, target: str, at: str, *, arrive_by: bool = False, rides: int = 8
) -> list[FoundJourney]:
    query = Query(
        at=datetime.fromisoformat(at).replace(tzinfo=timetable.zone),
        access=list_access(timetable, [stop(timetable, source)]),
        egress=list_egress(timetable, [stop(timetable, target)]),
        arrive_by=arrive_by,
        ride_count_max=rides,
    )
    return Router(timetable).find_journeys(query)


def told(timetable: Timetable, journey: FoundJourney) -> str:
    """A journey in a line: `t1 A 08:00 B 08:05 | walk B C | ...`."""
    words = []
    for leg in resolve(timetable, journey):
        if isinstance(leg, WalkLeg):
            names = [get_string(timetable.stop_names, s) for s in (leg.origin, leg.destination)]
            words.append(f"walk {' '.join(names)} {(leg.arrives_at - leg.departs_at).seconds}")
        else:
            trip = get_string(timetable.trip_ids, leg.trip).split(":", 1)[1]
            first, last = leg.calls[0], leg.calls[-1]
            names = [get_string(timetable.stop_ids, c.stop).split(":", 1)[1] for c in (first, last)]
            seat = "stay " if leg.in_seat else ""
            words.append(
                f"{seat}{trip} {names[0]} {first.departs_at:%H:%M} {names[1]} {last.arrives_at:%H:%M}"
            )
    return " | ".join(words)


def ways(timetable: Timetable, *args: Any, **kwargs: Any) -> list[str]:
    return [told(timetable, journey) for journey in journeys(timetable, *args, **kwargs)]


def test_leave_as_late_as_the_arrival_allows() -> None:
    timetable = network("""
        route R
        stops  A     B
        early  08:00 08:10
        late   08:20 08:30
        route S
        stops  B     C
        on     08:40 09:00
    """)
    assert ways(timetable, "A", "C", "2026-05-20T07:00") == ["late A 08:20 B 08:30 | on B 08:40 C 09:00"]


def test_a_slower_way_with_fewer_rides_is_told_too() -> None:
    timetable = network("""
        route R
        stops A     B     C
        slow  08:00 08:30 09:30
        route S
        stops B     C
        fast  08:35 09:00
    """)
    assert ways(timetable, "A", "C", "2026-05-20T07:00") == [
        "slow A 08:00 B 08:30 | fast B 08:35 C 09:00",
        "slow A 08:00 C 09:30",
    ]


def test_staying_seated_is_no_interchange_and_shows_both_trips() -> None:
    timetable = network("""
        route R
        stops A     B
        t1    08:00 08:10
        route S
        stops B     C
        t2    08:10 08:30
        stay t1 t2
    """)
    assert ways(timetable, "A", "C", "2026-05-20T07:00", rides=1) == [
        "t1 A 08:00 B 08:10 | stay t2 B 08:10 C 08:30"
    ]
    assert ways(timetable, "B", "C", "2026-05-20T07:00") == ["t2 B 08:10 C 08:30"]


def test_one_stays_seated_only_on_days_when_both_trips_run() -> None:
    timetable = network("""
        calendar all 2026-05-18 2026-05-24
        calendar week 2026-05-18 2026-05-24 mon-fri
        route R
        stops A     B
        t1    08:00 08:10   calendar=all
        route S
        stops B     C
        t2    08:10 08:30   calendar=week
        stay t1 t2
    """)
    assert len(journeys(timetable, "A", "C", "2026-05-20T07:00", rides=1)) == 1
    # Saturday: t1 runs alone, and on Monday next week nothing does.
    assert ways(timetable, "A", "B", "2026-05-23T07:00") == ["t1 A 08:00 B 08:10"]
    assert ways(timetable, "A", "C", "2026-05-23T07:00") == []


def test_a_train_that_splits_takes_riders_both_ways() -> None:
    timetable = network("""
        route R
        stops A     B
        t1    08:00 08:10
        route S
        stops B     C
        t2    08:12 08:30
        route T
        stops B     D
        t3    08:12 08:20
        stay t1 t2
        stay t1 t3
    """)
    for goal, trip in (("C", "t2"), ("D", "t3")):
        (only,) = ways(timetable, "A", goal, "2026-05-20T07:00", rides=1)
        assert f"stay {trip}" in only


def test_trips_of_a_block_are_one_vehicle_unless_riders_must_leave() -> None:
    text = """
        route R
        stops A     B
        t1    08:00 08:10   block=k
        route S
        stops B     C
        t2    08:10 08:30   block=k
    """
    assert len(journeys(network(text), "A", "C", "2026-05-20T07:00", rides=1)) == 1
    assert journeys(network(text + "\n        leave t1 t2\n"), "A", "C", "2026-05-20T07:00", rides=1) == []


def test_a_loop_visits_its_station_twice() -> None:
    """都庁前: the train comes round again; one may alight, and board, at the second visit."""
    timetable = network("""
        route R
        stops T     A     B     T     C
        loop  08:00 08:10 08:20 08:30 08:40
    """)
    assert ways(timetable, "A", "T", "2026-05-20T07:00") == ["loop A 08:10 T 08:30"]
    assert ways(timetable, "T", "C", "2026-05-20T07:00") == ["loop T 08:30 C 08:40"]
    assert ways(timetable, "T", "A", "2026-05-20T07:00") == ["loop T 08:00 A 08:10"]


def test_no_ride_past_the_start_and_back() -> None:
    """Trap F2: the way over the neighbour arrives at the same time; it is not told."""
    timetable = network("""
        route R
        stops T     N
        out   08:00 08:05
        route S
        stops N     T     D
        back  08:10 08:15 08:30
        route W
        stops D     E
        on    08:40 08:50
    """)
    assert ways(timetable, "T", "E", "2026-05-20T07:00") == ["back T 08:15 D 08:30 | on D 08:40 E 08:50"]


def test_one_changes_where_least_is_ridden() -> None:
    """Both trains run on from B to C; changing at C would ride past B and back to it."""
    timetable = network("""
        route R
        stops A     B     C
        t1    08:00 08:10 08:14
        route S
        stops C     B     D
        t2    08:20 08:25 08:40
    """)
    assert ways(timetable, "A", "D", "2026-05-20T07:00") == ["t1 A 08:00 B 08:10 | t2 B 08:25 D 08:40"]


def test_times_past_midnight_belong_to_the_evening_before() -> None:
    timetable = network("""
        calendar wed 2026-05-20 2026-05-20
        route R
        stops A     B
        t1    25:10 25:20
    """)
    (journey,) = journeys(timetable, "A", "B", "2026-05-21T01:00")
    (leg,) = resolve(timetable, journey)
    assert isinstance(leg, TripLeg)
    assert leg.departs_at == datetime(2026, 5, 21, 1, 10, tzinfo=TOKYO)
    assert leg.service_date == date(2026, 5, 20)
    assert ways(timetable, "A", "B", "2026-05-21T02:00", arrive_by=True) == ["t1 A 01:10 B 01:20"]


def test_a_weekly_ship_of_a_day_and_more_is_found_a_week_ahead() -> None:
    timetable = network("""
        calendar ship 2026-05-28 2026-05-28
        calendar all 2026-05-01 2026-05-31
        route F ferry
        stops A     B
        maru  11:00 39:40     calendar=ship
        route R
        stops C     A
        t1    10:00 10:30     calendar=all
    """)
    (journey,) = journeys(timetable, "C", "B", "2026-05-20T12:00")
    legs = resolve(timetable, journey)
    assert legs[0].departs_at == datetime(2026, 5, 28, 10, 0, tzinfo=TOKYO)
    assert legs[-1].arrives_at == datetime(2026, 5, 29, 15, 40, tzinfo=TOKYO)
    (back,) = journeys(timetable, "C", "B", "2026-05-31T12:00", arrive_by=True)
    assert told(timetable, back) == "t1 C 10:00 A 10:30 | maru A 11:00 B 15:40"


def test_a_later_faster_ship_beats_a_slow_one_that_leaves_first() -> None:
    """The slow ship arrives beyond the window in which it was found, so the window grows."""
    timetable = network("""
        calendar some 2026-05-20 2026-05-20
        calendar slow 2026-05-21 2026-05-21
        calendar fast 2026-05-23 2026-05-23
        route F ferry
        stops A     B
        slow  23:00 85:00     calendar=slow
        fast  09:00 11:00     calendar=fast
        gone  03:00 04:00     calendar=some
    """)
    # slow: 21st 23:00 + 62 h = 24th 13:00; fast: 23rd 11:00.
    assert ways(timetable, "A", "B", "2026-05-20T08:00") == ["fast A 09:00 B 11:00"]


SHIP = """
    route R
    stops A     B
    t1    08:00 08:10
    t2    08:20 08:30
    route F ferry
    stops B     C
    maru  08:35 09:00
    ship  08:20 12:00
"""


def test_one_is_at_the_pier_ten_minutes_before_the_ship_leaves() -> None:
    """t2 arrives at 08:30, five minutes before the boat; so t1 it is."""
    timetable = network(SHIP)
    assert ways(timetable, "A", "C", "2026-05-20T07:00") == ["t1 A 08:00 B 08:10 | maru B 08:35 C 09:00"]
    (tomorrow,) = journeys(timetable, "B", "C", "2026-05-20T08:26")
    assert tomorrow.departs_s > 86_400
    (alone,) = journeys(timetable, "B", "C", "2026-05-20T08:25")
    assert alone.departs_s == 8 * 3600 + 25 * 60, "one must be there at 08:25"
    at_once = BuildOptions(check_in_s=0, walks=WalkOptions(beeline_m_max=0, change_same_stop_s=0))
    assert "t2" in ways(network(SHIP, options=at_once), "A", "C", "2026-05-20T07:00")[0]


def test_boarding_and_alighting_only() -> None:
    timetable = network("""
        route R
        stops A     B      C
        t1    08:00 08:10b 08:20
        t2    09:00 09:10a 09:20
    """)
    assert ways(timetable, "A", "B", "2026-05-20T07:00") == ["t2 A 09:00 B 09:10"]
    assert ways(timetable, "B", "C", "2026-05-20T07:00") == ["t1 B 08:10 C 08:20"]


def test_every_so_often_is_a_departure_each() -> None:
    timetable = network("""
        route R
        stops A     B
        t1    06:00 06:07
        every t1 08:00 09:00 600
    """)
    assert ways(timetable, "A", "B", "2026-05-20T08:05") == ["t1@08:10:00 A 08:10 B 08:17"]
    # The end is exclusive: the last one leaves at 08:50.
    assert ways(timetable, "A", "B", "2026-05-20T10:00", arrive_by=True) == ["t1@08:50:00 A 08:50 B 08:57"]


def test_trains_that_overtake_are_on_lines_of_their_own() -> None:
    timetable = network("""
        route R
        stops A     B     C
        local 08:00 08:30 09:00
        fast  08:10 08:20 08:40
    """)
    assert timetable.line_count == 2
    assert ways(timetable, "A", "C", "2026-05-20T07:00") == ["fast A 08:10 C 08:40"]


WALKS = """
    station G 35.5 139.7
    stop B 35.5 139.7 station=G
    stop C 35.5001 139.7 station=G
    stop X 35.2 139.7
    stop Y 35.202 139.7
    route R
    stops A     B
    t1    08:00 08:10
    route S
    stops C     X
    t2    08:12 08:30
    t3    08:14 08:40
    route T
    stops Y     Z
    t4    08:41 08:50
    t5    08:45 08:55
    t6    08:49 08:59
"""


def test_within_a_station_one_changes_in_three_minutes() -> None:
    timetable = network(WALKS)
    assert ways(timetable, "A", "X", "2026-05-20T07:00") == [
        "t1 A 08:00 B 08:10 | walk B C 180 | t3 C 08:14 X 08:40"
    ]


def test_between_near_stops_one_walks_the_beeline() -> None:
    """X to Y: 0.002 degrees = 222.4 m, times 1.3 / 1.2 = 241 s, and 120 s for the interchange = 361 s."""
    timetable = network(WALKS, options=BuildOptions())
    (only,) = ways(timetable, "C", "Z", "2026-05-20T08:13")
    assert only == "t3 C 08:14 X 08:40 | walk X Y 361 | t6 Y 08:49 Z 08:59"


def test_the_feeds_own_words_on_walking_win() -> None:
    timetable = network(WALKS + "    walk X Y 60\n    forbid B C\n", options=BuildOptions())
    assert ways(timetable, "C", "Z", "2026-05-20T08:13") == [
        "t3 C 08:14 X 08:40 | walk X Y 60 | t4 Y 08:41 Z 08:50"
    ]
    assert ways(timetable, "A", "X", "2026-05-20T07:00") == []


def test_a_change_at_one_stop_takes_two_minutes_unless_the_feed_says_otherwise() -> None:
    text = """
        route R
        stops A     B
        t1    08:00 08:10
        route S
        stops B     C
        t2    08:11 08:20
        t3    08:12 08:30
    """
    usual = BuildOptions(walks=WalkOptions(beeline_m_max=0))
    assert "t3" in ways(network(text, options=usual), "A", "C", "2026-05-20T07:00")[0]
    assert "t2" in ways(network(text + "walk B B 60\n", options=usual), "A", "C", "2026-05-20T07:00")[0]
    assert "t2" in ways(network(text + "timed B B\n", options=usual), "A", "C", "2026-05-20T07:00")[0]


def test_clocks_that_change_move_the_hour_but_not_the_ride() -> None:
    """New York, 8 March 2026: at 02:00 clocks go to 03:00. GTFS counts from noon less 12 h = 23:00 before."""
    timetable = network("""
        zone America/New_York
        route R
        stops A     B
        night 01:30 03:30
        day   12:00 13:00
    """)
    (journey,) = journeys(timetable, "A", "B", "2026-03-08T00:00")
    (leg,) = resolve(timetable, journey)
    # The service day starts at 23:00 standard time: 1.5 h later it is 00:30. And 3.5 h later it would be
    # 02:30, which is 03:30 summer time.
    assert leg.departs_at.isoformat() == "2026-03-08T00:30:00-05:00"
    assert leg.arrives_at.isoformat() == "2026-03-08T03:30:00-04:00"
    (noon,) = journeys(timetable, "A", "B", "2026-03-08T05:00")
    assert resolve(timetable, noon)[0].departs_at.isoformat() == "2026-03-08T12:00:00-04:00"


def test_feeds_of_two_zones_are_refused() -> None:
    rows = "route R\nstops A B\nt1 08:00 08:10\n"
    feeds = [literal_feed(rows), literal_feed("zone Europe/Paris\n" + rows)]
    with pytest.raises(MixedTimeZones, match="Asia/Tokyo, Europe/Paris"):
        compile_timetable(feeds, version="v", options=NO_BEELINES)


def test_feeds_without_a_ride_are_refused() -> None:
    with pytest.raises(NothingToRoute):
        network("calendar c 2026-05-01 2026-05-02 none\nroute R\nstops A B\nt1 08:00 08:10\n")


def test_a_saved_network_opens_as_it_was(tmp_path: Path) -> None:
    feed = literal_feed(WALKS)
    report = build_network([feed], tmp_path / "n", version="v7", now=datetime(2026, 5, 20, tzinfo=UTC))
    assert (report.version, report.trip_count, report.stop_count) == ("v7", 6, 6)
    opened = open_timetable(tmp_path / "n")
    opened.check()
    made, _ = compile_timetable([feed], version="v7", options=BuildOptions())
    assert opened.version == made.version
    assert list_strings(opened.stop_ids) == list_strings(made.stop_ids)
    assert (opened.lines.arrivals == made.lines.arrivals).all()
    assert ways(opened, "A", "X", "2026-05-20T07:00") == ways(made, "A", "X", "2026-05-20T07:00")


def test_half_a_network_is_refused(tmp_path: Path) -> None:
    build_network([literal_feed(WALKS)], tmp_path, version="v", now=datetime(2026, 5, 20, tzinfo=UTC))
    (tmp_path / "lines.arrivals.npy").unlink()
    with pytest.raises(NetworkUnreadable, match=r"lines\.arrivals"):
        open_timetable(tmp_path)


def test_strings_are_found_by_their_text() -> None:
    strings = build_strings(["都庁前", "", "大島", "a", "都庁"])
    assert list_strings(strings) == ["都庁前", "", "大島", "a", "都庁"]
    assert [find_string(strings, text) for text in ("都庁", "大島", "", "大", "z")] == [4, 2, 1, None, None]


def test_what_a_trip_takes_is_kept() -> None:
    timetable = network("""
        route R
        stops A     B
        both  08:00 08:10  bikes=1 wheelchair=1
        none  09:00 09:10  bikes=2 wheelchair=2
        odd   10:00 10:10  bikes=0
        mute  11:00 11:10
    """)
    trips = [timetable.find_trip(f"lit:{name}") for name in ("both", "none", "odd", "mute")]
    assert timetable.trips.bikes[trips].tolist() == [YES, NO, UNKNOWN, UNKNOWN]
    assert timetable.trips.wheelchairs[trips].tolist() == [YES, NO, UNKNOWN, UNKNOWN]


def test_calls_are_found_by_the_numbers_that_the_feed_gives_them(tmp_path: Path) -> None:
    feed = literal_feed("""
        route R
        stops A     B     C
        even  08:00 08:10 08:20
        odd   09:00 09:10 09:20
        every odd 09:00 10:00 1800
    """)
    numbered = feed["stop_times"].with_columns(
        pl.when(pl.col("trip_id") == "odd")
        .then(pl.col("stop_sequence") * 10 - 3)
        .otherwise(pl.int_range(pl.len()).over("trip_id") + 1)
        .alias("stop_sequence")
    )
    feed = feed.with_tables(stop_times=numbered)
    build_network([feed], tmp_path / "n", version="v", now=datetime(2026, 5, 20, tzinfo=UTC))
    timetable = open_timetable(tmp_path / "n")
    asked = feed["stop_times"].filter(pl.col("trip_id") == "odd")["stop_sequence"].to_list()
    for name in ("odd@09:00:00", "odd@09:30:00"):
        trip = timetable.find_trip(f"lit:{name}")
        assert trip is not None
        assert [timetable.find_call(trip, number) for number in (*asked, 1)] == [0, 1, 2, None]
    even = timetable.find_trip("lit:even")
    assert even is not None
    assert [timetable.find_call(even, number) for number in (0, 1, 3)] == [None, 0, 2]
    assert len(timetable.trips.sequences) == 6, "who counts 1, 2, 3 takes no room"
