"""Footpaths besides the network's, against the oracle on a world that has them."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.added_walks import add_walks, build_with_walks
from routing.bounds import build_bounds
from routing.journey import find_walk_s, resolve
from routing.raptor import Query, Router
from routing.timetable import Timetable
from routing.transfer_rules import TransferRule, build_with_rule
from tests.oracles.journeys import PlainWorld, latest
from tests.routing.test_search import DAY_S, RIDES_MAX, ends, expect_earliest, local, shifted
from tests.routing.test_transfer_rules import slow_down
from tests.routing.worlds import at, compile_world, worlds

Pairs = dict[tuple[int, int], int]


def draw_pairs(world: PlainWorld, data: st.DataObject) -> Pairs:
    stop = st.integers(0, world.stop_count - 1)
    pair = st.tuples(stop, stop).filter(lambda each: each[0] != each[1])
    return data.draw(st.dictionaries(pair, st.integers(60, 2_400), max_size=6))


def as_arrays(timetable: Timetable, pairs: Pairs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Those of which the timetable has both stops."""
    rows = [
        (source, target, seconds)
        for (a, b), seconds in pairs.items()
        if (source := local(timetable, a)) is not None and (target := local(timetable, b)) is not None
    ]
    columns = np.array(rows, dtype=np.int32).reshape(-1, 3)
    return columns[:, 0], columns[:, 1], columns[:, 2]


@settings(max_examples=120, deadline=None)
@given(worlds(), st.data())
def test_searches_equal_the_oracle_where_those_footpaths_are(world: PlainWorld, data: st.DataObject) -> None:
    timetable = compile_world(world)
    pairs = draw_pairs(world, data)
    router = build_with_walks(Router(timetable, bounds=build_bounds(timetable)), *as_arrays(timetable, pairs))
    walks = dict(world.walks)
    for pair, seconds in pairs.items():
        walks[pair] = min(walks.get(pair, seconds), seconds)
    wider = replace(world, walks=walks)
    if data.draw(st.booleans()):
        rule = TransferRule(factor=1.5, additional_s=60)
        router, wider = build_with_rule(router, rule), slow_down(wider, rule)
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
            wider, {source: 0}, {target: 0}, time_s + DAY_S, ride_count_max=RIDES_MAX, days=range(4)
        )
        assert {len(each.rides): each.departs_s for each in found} == shifted(wanted)
    else:
        assert {len(each.rides): each.arrives_s for each in found} == expect_earliest(
            wider, source, target, time_s
        )
    for each in found:
        resolve(router.timetable, each)


@settings(max_examples=60, deadline=None)
@given(worlds(), st.data())
def test_of_two_footpaths_the_quicker_is_kept(world: PlainWorld, data: st.DataObject) -> None:
    timetable = compile_world(world)
    sources, targets, seconds = as_arrays(timetable, draw_pairs(world, data))
    added = {(a, b): s for a, b, s in zip(sources.tolist(), targets.tolist(), seconds.tolist(), strict=True)}
    wider = replace(timetable, walks=add_walks(timetable, sources, targets, seconds))
    for source in range(timetable.stop_count):
        for target in range(timetable.stop_count):
            known = (find_walk_s(timetable, source, target), added.get((source, target)))
            expected = min((each for each in known if each is not None), default=None)
            assert find_walk_s(wider, source, target) == (0 if source == target else expected)
