"""Ways inside stations: against shortest paths over the rows themselves, and on a station one can draw."""

from collections.abc import Iterable
from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtfs.literal import literal_feed
from gtfs.tables import Feed
from routing.assembly import BuildOptions
from routing.bounds import build_bounds
from routing.build import compile_timetable
from routing.footpaths import WalkOptions
from routing.journey import find_walk_s
from routing.kernels.arrays import NOT_REACHED
from routing.pathways import StationTimes
from routing.profiles import build_for_profile, is_entered, list_ways_through_entrances, measure_timetable
from routing.raptor import Query, Router
from routing.streets.ways import BEYOND, Manner, Profile
from routing.strings import find_string
from routing.timetable import Timetable, Walked
from tests.oracles.journeys import PlainWorld, latest
from tests.oracles.stations import shortest
from tests.routing.test_search import DAY_S, RIDES_MAX, ends, expect_earliest, local, shifted
from tests.routing.worlds import at, compile_world, worlds

EXTRA_S = WalkOptions().pathway_extra_s
# Street level 0, a hall below it, two platforms below the hall: stairs to both, a lift to P1 only.
THREE_LEVELS = """
    level L0 0
    level L1 -1
    level L2 -2
    station S 35.000 139.700 name=中央
    stop P1 35.000 139.700 station=S level=L2
    stop P2 35.000 139.701 station=S level=L2 {p2}
    entrance E 35.001 139.700 station=S level=L0 name=A1
    node H station=S level=L1
    stop Q 35.1 139.7
    pathway down E H stairs time=30
    pathway lift E H elevator time=50
    pathway p1stairs H P1 stairs steps=40
    pathway p1lift H P1 elevator
    pathway p2stairs H P2 stairs
    pathway p2ramp H P2 walkway length=60 slope={slope}
    route R rail
    stops P1 Q
    a 8:00 8:20
    stops Q P2
    b 8:00 8:20
"""


def compiled(text: str) -> Timetable:
    return compile_timetable([literal_feed(text)], version="v", options=BuildOptions())[0]


def three_levels(*, slope: float = 0.05, p2: str = "", more: str = "") -> Timetable:
    return compiled(THREE_LEVELS.format(slope=slope, p2=p2) + more)


def stop_of(timetable: Timetable, name: str) -> int:
    stop = timetable.find_stop(f"lit:{name}")
    assert stop is not None
    return stop


def ids_of(timetable: Timetable, names: Iterable[str]) -> set[int]:
    found = {find_string(timetable.pathway_ids, f"lit:{name}") for name in names}
    return {each for each in found if each is not None}


def going(timetable: Timetable, profile: Profile, closed: tuple[str, ...] = ()) -> Router:
    times = measure_timetable(timetable, profile, ids_of(timetable, closed))
    router = Router(timetable, bounds=build_bounds(timetable))
    return build_for_profile(router, measure_timetable(timetable), times, Manner(profile=profile))


def walk_s(
    timetable: Timetable, profile: Profile, source: str, target: str, closed: tuple[str, ...] = ()
) -> int | None:
    fitted = going(timetable, profile, closed).timetable
    fitted.check()
    return find_walk_s(fitted, stop_of(timetable, source), stop_of(timetable, target))


def enter(
    timetable: Timetable, times: StationTimes, *, outside_s: int, is_egress: bool = False
) -> dict[int, int]:
    outside = np.full(len(times.entrances), outside_s, dtype=np.int32)
    return list_ways_through_entrances(timetable, times, outside, is_egress=is_egress)


def test_a_walker_takes_the_shortest_way_and_not_a_flat_three_minutes() -> None:
    timetable = three_levels()
    # 40 steps at 0.6 s, then stairs of one level in 25 s, and the minute that an interchange costs.
    assert find_walk_s(timetable, stop_of(timetable, "P1"), stop_of(timetable, "P2")) == 24 + 25 + EXTRA_S


def test_a_wheelchair_takes_lift_and_ramp_at_its_pace() -> None:
    # The lift passes one level: 40 + 5 s; 60 m of ramp at 1.2 m/s are 50 s, 75 s at 0.8.
    assert walk_s(three_levels(), Profile.WHEELCHAIR, "P1", "P2") == 45 + 75 + EXTRA_S


@pytest.mark.parametrize(
    ("profile", "slope", "is_way"),
    [
        (Profile.WHEELCHAIR, 0.083, True),
        (Profile.WHEELCHAIR, -0.09, False),
        (Profile.PRAM, 0.09, True),
        (Profile.PRAM, 0.13, False),
        (Profile.WALK, 0.3, True),
    ],
)
def test_a_ramp_may_be_too_steep(profile: Profile, slope: float, *, is_way: bool) -> None:
    found = walk_s(three_levels(slope=slope), profile, "P1", "P2")
    assert (found is not None) == is_way


def test_a_time_of_the_feed_holds_for_walkers_and_is_the_least_for_others() -> None:
    timetable = three_levels(more="    walk P1 P2 600\n")
    assert walk_s(timetable, Profile.WALK, "P1", "P2") == 600
    assert walk_s(timetable, Profile.WHEELCHAIR, "P1", "P2") == 600
    quick = three_levels(more="    walk P1 P2 20\n")
    assert walk_s(quick, Profile.WALK, "P1", "P2") == 20
    assert walk_s(quick, Profile.WHEELCHAIR, "P1", "P2") == 45 + 75 + EXTRA_S


def test_an_interchange_without_a_time_is_as_long_as_its_way() -> None:
    timetable = three_levels(more="    link P1 P2\n")
    assert walk_s(timetable, Profile.WALK, "P1", "P2") == 24 + 25 + EXTRA_S


def test_what_is_closed_is_gone_round_and_a_told_time_grows_by_as_much() -> None:
    timetable = three_levels(more="    walk P1 P2 600\n")
    # Without the stairs to P1 the lift (45 s) is taken instead of 24 s of steps.
    assert walk_s(timetable, Profile.WALK, "P1", "P2", ("p1stairs",)) == 600 + 45 - 24
    assert walk_s(timetable, Profile.WALK, "P1", "P2", ("p1stairs", "p1lift")) is None
    assert walk_s(timetable, Profile.WHEELCHAIR, "P1", "P2", ("p1lift",)) is None


def test_a_door_leads_through_the_entrance() -> None:
    timetable = three_levels()
    p1 = stop_of(timetable, "P1")
    on_foot, by_lift = (measure_timetable(timetable, each) for each in (Profile.WALK, Profile.WHEELCHAIR))
    # 100 s to the entrance; 30 s of stairs and 40 steps, or two lifts.
    assert enter(timetable, on_foot, outside_s=100)[p1] == 100 + 30 + 24
    assert enter(timetable, by_lift, outside_s=100)[p1] == 100 + 50 + 45
    assert enter(timetable, by_lift, outside_s=100, is_egress=True)[p1] == 100 + 50 + 45
    assert enter(timetable, by_lift, outside_s=BEYOND) == {}


def test_a_platform_that_no_entrance_leads_to_is_not_offered() -> None:
    timetable = three_levels()
    times = measure_timetable(timetable, Profile.WHEELCHAIR, ids_of(timetable, ["p1lift"]))
    p1, p2, q = (stop_of(timetable, name) for name in ("P1", "P2", "Q"))
    assert enter(timetable, times, outside_s=0).keys() == {p2}
    assert not is_entered(times, p1, is_egress=False)
    assert is_entered(times, q, is_egress=False)


def test_a_boarding_area_is_its_platform_and_an_exit_leads_out_only() -> None:
    timetable = compiled(
        """
        station S 35 139.7
        stop P 35 139.7 station=S
        area P_1 P
        stop Q 35.1 139.7
        entrance E 35 139.7 station=S
        pathway out P_1 E exit time=20
        route R rail
        stops P Q
        a 8:00 8:20
        """
    )
    times = measure_timetable(timetable)
    p = stop_of(timetable, "P")
    assert is_entered(times, p, is_egress=True)
    assert not is_entered(times, p, is_egress=False)


def test_a_feed_without_pathways_has_no_nodes_and_the_same_walks() -> None:
    timetable = compiled("stops A B\nt 8:00 8:10\nwalk A B 60")
    assert len(timetable.nodes.stops) == len(timetable.pathways.sources) == 0
    assert not measure_timetable(timetable).is_gated.any()


# Random stations -------------------------------------------------------------------------------------------

MODES = ("walkway", "stairs", "travelator", "escalator", "elevator", "gate")
PLACES = ("P0", "P1", "P2", "E0", "E1", "N0", "N1")
ways = st.fixed_dictionaries(
    {
        "ends": st.permutations(PLACES).map(lambda places: places[:2]),
        "mode": st.sampled_from(MODES),
        "is_both": st.booleans(),
        "time": st.integers(1, 90),
        "slope": st.sampled_from([None, 0.05, -0.1, 0.2]),
        "width": st.sampled_from([None, 0.6, 0.75, 1.0]),
    }
)


def station_of(rows: list[dict[str, Any]]) -> Feed:
    lines = [
        "station S 35 139.7",
        *(f"stop P{i} 35 139.7 station=S" for i in range(3)),
        *(f"entrance E{i} 35 139.7 station=S" for i in range(2)),
        *(f"node N{i} station=S" for i in range(2)),
        "route R rail",
        "stops P0 P1 P2",
        "t 8:00 8:05 8:10",
    ]
    for row in rows:
        options = [f"{key}={row[key]}" for key in ("time", "slope", "width") if row[key] is not None]
        one = [] if row["is_both"] else ["one"]
        lines.append(
            " ".join(["pathway", row["id"], row["source"], row["target"], row["mode"], *one, *options])
        )
    return literal_feed("\n".join(lines))


@settings(max_examples=150, deadline=None)
@given(st.lists(ways, min_size=1, max_size=12), st.sampled_from(["walk", "wheelchair", "pram"]), st.data())
def test_ways_are_the_shortest_over_the_rows(
    drawn: list[dict[str, Any]], profile: str, data: st.DataObject
) -> None:
    rows = [
        {**row, "id": f"w{i}", "source": row["ends"][0], "target": row["ends"][1]}
        for i, row in enumerate(drawn)
    ]
    closed = data.draw(st.sets(st.sampled_from([row["id"] for row in rows]), max_size=3))
    timetable = compile_timetable([station_of(rows)], version="v", options=BuildOptions())[0]
    timetable.check()
    times = measure_timetable(timetable, Profile(profile), ids_of(timetable, closed))
    wanted = shortest(rows, profile, closed)
    names = {stop_of(timetable, place): place for place in PLACES[:3]}
    told = dict(zip(times.pairs.tolist(), times.pair_s.tolist(), strict=True))
    for pair, seconds in told.items():
        source, target = names[pair // 3], names[pair % 3]
        assert seconds == wanted.get(source, {}).get(target, NOT_REACHED)
    reached = {(a, b) for a in wanted for b in wanted[a] if a != b and {a, b} <= set(PLACES[:3])}
    assert {(names[pair // 3], names[pair % 3]) for pair in told} >= reached
    doors = [find_string(timetable.node_ids, f"lit:{door}") for door in ("E0", "E1")]
    gated = [names[stop] for stop in np.flatnonzero(times.is_gated).tolist()]
    for i, node in enumerate(times.entrances.tolist()):
        door = f"E{doors.index(node)}"
        for j, place in enumerate(gated):
            assert times.enter_s[i, j] == wanted.get(door, {}).get(place, NOT_REACHED)
            assert times.leave_s[i, j] == wanted.get(place, {}).get(door, NOT_REACHED)


# Whole searches --------------------------------------------------------------------------------------------


def in_wheelchair(world: PlainWorld, barred: frozenset[int]) -> PlainWorld:
    """Half as long again between stops, and nobody in or out at barred stops."""
    trips = [
        replace(
            trip,
            calls=tuple(
                replace(call, may_board=False, may_alight=False) if call.stop in barred else call
                for call in trip.calls
            ),
        )
        for trip in world.trips
    ]
    return replace(
        world,
        trips=trips,
        walks={pair: ceil(walk_s * 3 / 2) for pair, walk_s in world.walks.items()},
    )


@settings(max_examples=120, deadline=None)
@given(worlds(), st.data())
def test_wheelchair_searches_equal_the_oracle(world: PlainWorld, data: st.DataObject) -> None:
    barred = data.draw(st.frozensets(st.integers(0, world.stop_count - 1), max_size=2))
    timetable = compile_world(world)
    told = timetable.stops.wheelchairs.copy()
    for stop in barred:
        if (at_stop := local(timetable, stop)) is not None:
            told[at_stop] = 2
    # All of each footpath is walked.
    timetable = replace(
        timetable,
        stops=timetable.stops._replace(wheelchairs=told),
        walked=Walked(timetable.walks.walk_s.copy()),
    )
    router = going(timetable, Profile.WHEELCHAIR)
    router.timetable.check()
    source = data.draw(st.integers(0, world.stop_count - 1))
    target = data.draw(st.integers(0, world.stop_count - 1).filter(lambda stop: stop != source))
    time_s = data.draw(st.integers(0, 24 * 4 - 1)) * 900
    a, b = local(timetable, source), local(timetable, target)
    if a is None or b is None:
        return
    arrive_by = data.draw(st.booleans()) and not world.stay
    query = Query(
        at=at(1, time_s), access=ends(a), egress=ends(b), arrive_by=arrive_by, ride_count_max=RIDES_MAX
    )
    found = router.find_journeys(query)
    plain = in_wheelchair(world, barred)
    if arrive_by:
        wanted = latest(
            plain, {source: 0}, {target: 0}, time_s + DAY_S, ride_count_max=RIDES_MAX, days=range(4)
        )
        assert {len(each.rides): each.departs_s for each in found} == shifted(wanted)
    else:
        assert {len(each.rides): each.arrives_s for each in found} == expect_earliest(
            plain, source, target, time_s
        )
