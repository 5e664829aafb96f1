"""Longer interchanges against the oracle on a world whose interchanges are that long."""

from dataclasses import replace
from math import ceil

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.bounds import build_bounds
from routing.kernels.arrays import NOT_REACHED
from routing.raptor import Query, Router
from routing.transfer_rules import AS_PLANNED, TransferRule, build_with_rule
from tests.oracles.journeys import PlainWorld, latest
from tests.routing.test_search import DAY_S, RIDES_MAX, ends, expect_earliest, local, shifted
from tests.routing.worlds import at, compile_world, worlds

rules = st.builds(
    TransferRule,
    factor=st.sampled_from([1.0, 1.5, 4.0]),
    additional_s=st.sampled_from([0, 60, 1_800]),
    min_s=st.sampled_from([0, 300, 3_600]),
)


def slow_down(world: PlainWorld, rule: TransferRule) -> PlainWorld:
    def longer(own_s: int) -> int:
        return max(ceil(own_s * rule.factor) + rule.additional_s, rule.min_s)

    return replace(
        world,
        walks={pair: longer(walk_s) for pair, walk_s in world.walks.items()},
        changes={stop: longer(world.changes.get(stop, 0)) for stop in range(world.stop_count)},
    )


@settings(max_examples=120, deadline=None)
@given(worlds(), rules, st.data())
def test_searches_equal_the_oracle_where_interchanges_are_that_long(
    world: PlainWorld, rule: TransferRule, data: st.DataObject
) -> None:
    timetable = compile_world(world)
    router = build_with_rule(Router(timetable, bounds=build_bounds(timetable)), rule)
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
    slow = slow_down(world, rule)
    if arrive_by:
        wanted = latest(
            slow, {source: 0}, {target: 0}, time_s + DAY_S, ride_count_max=RIDES_MAX, days=range(4)
        )
        assert {len(each.rides): each.departs_s for each in found} == shifted(wanted)
    else:
        wanted = expect_earliest(slow, source, target, time_s)
        assert {len(each.rides): each.arrives_s for each in found} == wanted


def test_where_there_is_no_way_there_is_none() -> None:
    own = np.array([0, 90, NOT_REACHED], dtype=np.int32)
    assert TransferRule(factor=1.5, additional_s=60).apply(own).tolist() == [60, 195, NOT_REACHED]
    assert TransferRule(min_s=120).apply(own).tolist() == [120, 120, NOT_REACHED]
    assert AS_PLANNED.apply(own).tolist() == own.tolist()
