"""Real timetables: other engines' answers, and the thirteen golden itineraries of the city's facts."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from gtfs.reader import read_feed
from routing.assembly import BuildOptions
from routing.bounds import Bounds, build_bounds
from routing.build import compile_timetable
from routing.footpaths import WalkOptions
from routing.journey import TripLeg, resolve
from routing.raptor import Query, Router, get_instant, list_access, list_egress
from routing.strings import get_string
from routing.timetable import Timetable

pytestmark = pytest.mark.real


def compiled(path: Path, options: BuildOptions) -> Timetable:
    feed = read_feed(path, feed_id="rail").feed
    assert feed is not None
    timetable, _ = compile_timetable([feed], version="real", options=options)
    timetable.check()
    return timetable


@pytest.fixture(scope="module")
def weekday(real_data: Path) -> Iterator[Timetable]:
    """That feed allows only the walks it lists, and a change at one stop takes no time."""
    only_listed = WalkOptions(change_same_stop_s=0, change_same_station_s=None, beeline_m_max=0)
    return compiled(real_data / "router" / "tokyo_rail_weekday.zip", BuildOptions(walks=only_listed))


@pytest.fixture(scope="module")
def weekday_bounds(weekday: Timetable) -> Iterator[Bounds]:
    return build_bounds(weekday)


def read_answers(real_data: Path, timetable: Timetable) -> list[tuple[dict[str, Any], Query]]:
    answers = (real_data / "router" / "tokyo_rail_answers.jsonl").read_text().splitlines()
    assert len(answers) == 300
    asked = [json.loads(line) for line in answers]
    return [(one, query_of(timetable, one)) for one in asked]


def query_of(timetable: Timetable, asked: dict[str, Any]) -> Query:
    source, target = (timetable.find_stop(f"rail:{asked[end]}") for end in ("from", "to"))
    assert source is not None
    assert target is not None
    return Query(
        at=get_instant(timetable, date(2026, 6, 3), asked["depart_s"]),
        access=list_access(timetable, [source]),
        egress=list_egress(timetable, [target]),
        ride_count_max=16,
    )


@pytest.mark.parametrize("is_bounded", [True, False], ids=["with bounds", "without"])
def test_300_queries_answered_as_three_other_engines_do(
    real_data: Path, weekday: Timetable, weekday_bounds: Bounds, is_bounded: object
) -> None:
    """Their `pareto` sets must be equal, all of them.

    Where another engine also tells the departure of the same (arrival, trips), ours is the same: the latest.
    """
    router = Router(weekday, bounds=weekday_bounds if is_bounded else None)
    for asked, query in read_answers(real_data, weekday):
        found = router.find_journeys(query)
        expected = {(answer["trips"], answer["arrive_s"]) for answer in asked["pareto"]}
        assert {(len(journey.rides), journey.arrives_s) for journey in found} == expected
        latest = {(trips, arrive_s): depart_s for depart_s, arrive_s, trips in asked["range_2h"]}
        for journey in found:
            key = (len(journey.rides), journey.arrives_s)
            assert latest.get(key, journey.departs_s) == journey.departs_s


def test_300_ranges_answered_as_another_engine_does(
    real_data: Path, weekday: Timetable, weekday_bounds: Bounds
) -> None:
    """All journeys of two hours, both ends of the range included: 4,499, and no difference."""
    router = Router(weekday, bounds=weekday_bounds)
    told = 0
    for asked, query in read_answers(real_data, weekday):
        found = [(j.departs_s, j.arrives_s, len(j.rides)) for j in router.find_range(query, 7200)]
        assert sorted(found) == sorted(map(tuple, asked["range_2h"])), asked["query"]
        told += len(found)
    assert told == 4499


def test_arriving_by_is_the_range_seen_from_its_end(
    real_data: Path, weekday: Timetable, weekday_bounds: Bounds
) -> None:
    """Forward and backward agree: what arrives in an hour is found from either end, every fifth query."""
    router = Router(weekday, bounds=weekday_bounds)
    for asked, query in read_answers(real_data, weekday)[::5]:
        end_s = min(one["arrive_s"] for one in asked["pareto"]) + 3600
        by = replace(query, at=get_instant(weekday, date(2026, 6, 3), end_s), arrive_by=True)
        back = {(j.departs_s, j.arrives_s, len(j.rides)) for j in router.find_range(by, 3600)}
        early = replace(query, at=get_instant(weekday, date(2026, 6, 3), 0))
        there = {(j.departs_s, j.arrives_s, len(j.rides)) for j in router.find_range(early, 24 * 3600)}
        # Of those journeys of the day that arrive in that hour, all; and what left the evening before.
        assert {one for one in back if one[0] >= 0} == {
            one for one in there if end_s - 3600 <= one[1] <= end_s
        }


@pytest.fixture(scope="module")
def rail(real_data: Path) -> Iterator[Timetable]:
    """Greater Tokyo's rail, with the walks of the golden itineraries: none beyond the feed's stations."""
    return compiled(real_data / "tokyo" / "rail.zip", BuildOptions(walks=WalkOptions(beeline_m_max=0)))


TOCHOMAE = "Toei.Oedo.Tochomae"
TAKESHIBA = "Yurikamome.Yurikamome.Takeshiba"
MINAMI_OSAWA = "Keio.Sagamihara.MinamiOsawa"
BIG_SIGHT = "TWR.Rinkai.KokusaiTenjijo"

# From, to, leaving, arriving: table "Golden itineraries" of the facts, in its order. All hold on 2026-05-20
# (a Wednesday) as the table has them. Three things had to be understood for that:
# - 都庁前 is in the table the platform of the line's end, `Tochomae`; the loop's `Tochomae.1` is three
#   minutes away. So the train of 21:02 is missed (row 3), and 竹芝 - 都庁前 arrives at 20:34 + 3 min (row 6).
# - "Same group" is one operator's part of a station, "between groups" a way through two operators' gates.
# - 浜松町 is JR's stop: 大門 21:24 and six minutes on foot.
GOLDEN = [
    (TOCHOMAE, TAKESHIBA, "20:30", "21:04"),
    (TOCHOMAE, TAKESHIBA, "21:30", "22:05"),
    (TOCHOMAE, "JR-East.Yamanote.Hamamatsucho", "21:00", "21:30"),
    (MINAMI_OSAWA, TAKESHIBA, "20:00", "21:26"),
    (MINAMI_OSAWA, "Toei.Oedo.Daimon", "20:00", "21:08"),
    (TAKESHIBA, TOCHOMAE, "20:00", "20:37"),
    (TAKESHIBA, MINAMI_OSAWA, "20:00", "21:11"),
    (TOCHOMAE, "TokyoMonorail.HanedaAirport.HanedaAirportTerminal2", "05:00", "06:10"),
    (TOCHOMAE, BIG_SIGHT, "08:00", "08:42"),
    (BIG_SIGHT, TOCHOMAE, "18:00", "18:40"),
    (TOCHOMAE, "Keio.Keio.Chofu", "07:00", "07:36"),
    (MINAMI_OSAWA, TOCHOMAE, "07:30", "08:39"),
    ("TokyoMetro.Marunouchi.NishiShinjuku", "Toei.Asakusa.Oshiage", "12:00", "12:42"),
]


@pytest.mark.parametrize(("source", "target", "leaves", "arrives"), GOLDEN)
def test_golden_itinerary(rail: Timetable, source: str, target: str, leaves: str, arrives: str) -> None:
    a, b = rail.find_stop(f"rail:{source}"), rail.find_stop(f"rail:{target}")
    assert a is not None
    assert b is not None
    found = Router(rail).find_journeys(
        Query(
            at=datetime.fromisoformat(f"2026-05-20T{leaves}+09:00"),
            access=list_access(rail, [a]),
            egress=list_egress(rail, [b]),
        )
    )
    assert get_instant(rail, date(2026, 5, 20), found[0].arrives_s).strftime("%H:%M") == arrives


def test_through_trains_to_the_bay_need_one_interchange(rail: Timetable) -> None:
    """都庁前 to 国際展示場: Saikyo goes on as Rinkai at 大崎; one stays seated (table: "through train")."""
    a, b = rail.find_stop(f"rail:{TOCHOMAE}"), rail.find_stop(f"rail:{BIG_SIGHT}")
    assert a is not None
    assert b is not None
    query = Query(
        at=datetime.fromisoformat("2026-05-20T08:00+09:00"),
        access=list_access(rail, [a]),
        egress=list_egress(rail, [b]),
    )
    best = Router(rail).find_journeys(query)[0]
    assert len(best.rides) == 2
    legs = [leg for leg in resolve(rail, best) if isinstance(leg, TripLeg)]
    routes = [get_string(rail.route_ids, int(rail.trips.routes[leg.trip])) for leg in legs]
    assert routes == ["rail:Toei.Oedo", "rail:JR-East.SaikyoKawagoe", "rail:TWR.Rinkai"]
    assert [leg.in_seat for leg in legs] == [False, False, True]
