"""Walking slower or faster, against the oracle on a world whose walks are that long."""

from dataclasses import replace
from datetime import date
from fractions import Fraction
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtfs.literal import literal_feed
from routing.assembly import BuildOptions
from routing.bounds import build_bounds
from routing.build import compile_timetable
from routing.footpaths import StopTransfer, WalkOptions, build_walks, distance_m
from routing.journey import find_walk_s
from routing.pacing import build_paced, find_paced_walk_s
from routing.raptor import Query, Router
from routing.reach import find_reach
from routing.streets.ways import Manner, Profile
from routing.timetable import Timetable, Walked
from routing.transfer_rules import TransferRule, build_with_rule
from routing.walked import find_walked
from tests.oracles.journeys import PlainWorld, latest
from tests.routing.test_search import DAY_S, RIDES_MAX, ends, expect_earliest, local, shifted
from tests.routing.test_transfer_rules import slow_down
from tests.routing.worlds import at, compile_world, worlds

USUAL = Fraction(12, 10)
SPEEDS = [Fraction(4, 10), Fraction(8, 10), Fraction(12, 10), Fraction(24, 10), Fraction(48, 10)]


def walk_otherwise(world: PlainWorld, walked: dict[tuple[int, int], int], speed: Fraction) -> PlainWorld:
    """The world of who walks so fast: each walk is its fixed part and its walked one, stretched."""
    return replace(
        world,
        walks={
            pair: walk_s - walked[pair] + ceil(walked[pair] * USUAL / speed)
            for pair, walk_s in world.walks.items()
        },
    )


def draw_walked(timetable: Timetable, world: PlainWorld, data: st.DataObject) -> tuple[Timetable, dict]:
    """The world's timetable, of each of whose walks a part drawn is walked."""
    walked = {pair: data.draw(st.integers(0, walk_s)) for pair, walk_s in sorted(world.walks.items())}
    seconds = np.zeros_like(timetable.walks.walk_s)
    for (a, b), walked_s in walked.items():
        source, target = local(timetable, a), local(timetable, b)
        if source is None or target is None:
            continue
        begin, end = timetable.walks.offsets[source : source + 2]
        (i,) = np.flatnonzero(timetable.walks.targets[begin:end] == target)
        seconds[begin + i] = walked_s
    return replace(timetable, walked=Walked(seconds)), walked


@settings(max_examples=150, deadline=None)
@given(worlds(), st.sampled_from(SPEEDS), st.data())
def test_searches_equal_the_oracle_where_walks_are_that_long(
    world: PlainWorld, speed: Fraction, data: st.DataObject
) -> None:
    timetable, walked = draw_walked(compile_world(world), world, data)
    timetable.check()
    manner = Manner(speed_m_s=float(speed))
    router = build_paced(Router(timetable, bounds=build_bounds(timetable)), manner)
    otherwise = walk_otherwise(world, walked, speed)
    rule = data.draw(st.sampled_from([TransferRule(), TransferRule(factor=1.5, additional_s=60)]))
    router, otherwise = build_with_rule(router, rule), slow_down(otherwise, rule)
    source = data.draw(st.integers(0, world.stop_count - 1))
    target = data.draw(st.integers(0, world.stop_count - 1).filter(lambda stop: stop != source))
    time_s = data.draw(st.integers(0, 24 * 4 - 1)) * 900
    a, b = local(timetable, source), local(timetable, target)
    if a is None or b is None:
        return
    # The oracle knows no way back through trips that go on as others.
    arrive_by = data.draw(st.booleans()) and not world.stay
    query = Query(
        at=at(1, time_s), access=ends(a), egress=ends(b), arrive_by=arrive_by, ride_count_max=RIDES_MAX
    )
    found = router.find_journeys(query)
    if arrive_by:
        wanted = latest(
            otherwise, {source: 0}, {target: 0}, time_s + DAY_S, ride_count_max=RIDES_MAX, days=range(4)
        )
        assert {len(each.rides): each.departs_s for each in found} == shifted(wanted)
    else:
        wanted = expect_earliest(otherwise, source, target, time_s)
        assert {len(each.rides): each.arrives_s for each in found} == wanted


@settings(max_examples=60, deadline=None)
@given(worlds(), st.sampled_from(SPEEDS), st.data())
def test_bounds_change_no_answer_however_fast_one_walks(
    world: PlainWorld, speed: Fraction, data: st.DataObject
) -> None:
    """Ranges and reach too are those of a router that knows no bounds."""
    timetable, _ = draw_walked(compile_world(world), world, data)
    manner = Manner(speed_m_s=float(speed))
    bounded = build_paced(Router(timetable, bounds=build_bounds(timetable)), manner)
    free = build_paced(Router(timetable), manner)
    a, b = (local(timetable, data.draw(st.integers(0, world.stop_count - 1))) for _ in range(2))
    if a is None or b is None or a == b:
        return
    query = Query(
        at=at(1, data.draw(st.integers(0, 95)) * 900),
        access=ends(a),
        egress=ends(b),
        arrive_by=data.draw(st.booleans()),
        ride_count_max=RIDES_MAX,
    )
    assert bounded.find_range(query, 7_200) == free.find_range(query, 7_200)
    one, other = (find_reach(each, at=query.at, ends=ends(a), limit_s=DAY_S) for each in (bounded, free))
    assert one.stops.tolist() == other.stops.tolist()
    assert one.seconds.tolist() == other.seconds.tolist()


@given(worlds(), st.floats(0.3, 5.0), st.data())
def test_one_footpath_is_what_the_router_has(world: PlainWorld, speed: float, data: st.DataObject) -> None:
    """A journey rebuilt from its id has its walks without a router of that pace."""
    timetable, _ = draw_walked(compile_world(world), world, data)
    manner = Manner(speed_m_s=speed)
    paced = build_paced(Router(timetable), manner).timetable
    paced.check()
    for source in range(timetable.stop_count):
        for target in range(timetable.stop_count):
            assert find_paced_walk_s(timetable, source, target, manner) == find_walk_s(paced, source, target)


def test_at_the_usual_speed_nothing_changes() -> None:
    text = """
        stop N 35.000 139.0
        stop M 35.005 139.0
        route R bus
        stops N     M
        t1    08:00 08:05
    """
    timetable, _ = compile_timetable([literal_feed(text)], version="v", options=BuildOptions())
    assert timetable.first_date >= date(2000, 1, 1)
    for manner in (Manner(), Manner(speed_m_s=1.2)):
        paced = build_paced(Router(timetable), manner)
        assert paced.timetable.walks.walk_s.tolist() == timetable.walks.walk_s.tolist()
        assert paced.gain_s == 0
    # 0.005 degrees are 556 m: 603 s at 1.2 m/s and two minutes; in a wheelchair, at 0.8, half as long again.
    assert timetable.walks.walk_s.tolist() == [723, 723]
    wheelchair = build_paced(Router(timetable), Manner(profile=Profile.WHEELCHAIR))
    assert wheelchair.timetable.walks.walk_s.tolist() == [120 + 905, 120 + 905]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        # Neighbours: all but the two minutes that an interchange costs anyway.
        ([], {(0, 1): 108, (2, 3): 121}),
        # The feed's own time stays as it is, a timed interchange takes none; a link without a time is walked.
        ([(0, 1, 2, 45), (2, 3, 1, None)], {(0, 1): 0, (2, 3): 0}),
        ([(2, 3, 0, None)], {(2, 3): 121}),
        # The first row speaks for the pair.
        ([(2, 3, 0, None), (2, 3, 2, 60)], {(2, 3): 121}),
        ([(2, 3, 2, 60), (2, 3, 0, None)], {(2, 3): 0}),
    ],
)
def test_what_is_walked_of_each_footpath(
    said: list[tuple[int, int, int, int | None]], wanted: dict[tuple[int, int], int]
) -> None:
    """Four stops; 0 and 1 are one station, 99.6 m apart: 107.9 s at 1.2 m/s, within the three minutes."""
    lat = np.array([35.0, 35.0 + 99.6 / 111_195, 35.002, 35.003])
    lon = np.full(4, 139.0)
    assert float(distance_m(lat[0], lon[0], lat[1], lon[1])) == pytest.approx(99.6, abs=0.1)
    stations = np.array([7, 7, -1, -1], dtype=np.int32)
    transfers = [StopTransfer(*row) for row in said]
    options = WalkOptions()
    walks = build_walks(
        lat=lat, lon=lon, stations=stations, operators=stations, transfers=transfers, options=options
    )
    walked = find_walked(walks, lat=lat, lon=lon, stations=stations, transfers=transfers, options=options)
    sources = np.repeat(np.arange(4), np.diff(walks.offsets))
    found = dict(
        zip(zip(sources.tolist(), walks.targets.tolist(), strict=True), walked.tolist(), strict=True)
    )
    assert {pair: found[pair] for pair in wanted} == wanted
    assert (walked <= walks.walk_s).all()
