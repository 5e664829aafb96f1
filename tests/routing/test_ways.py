"""Ways outside vehicles without streets: distances from theory, and the two questions agree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.streets.beeline import estimate_walk
from routing.streets.ways import BEYOND, BeelineWays, Manner, Profile

WAYS = BeelineWays()
NEAR_TOKYO = st.tuples(st.floats(35.0, 35.2), st.floats(139.0, 139.2))


def test_a_bike_is_faster_and_a_limit_cuts_off() -> None:
    """0.009 degrees = 1,000.8 m; times 1.3 = 1,301 m; at 4.2 m/s 309.8 s. Ten times as far is beyond."""
    reached = WAYS.measure(
        35.0, 139.0, [35.009, 35.09], [139.0, 139.0], manner=Manner(profile=Profile.BIKE), limit_s=600
    )
    assert list(reached.seconds) == [310, BEYOND]
    assert list(reached.metres) == [1301, BEYOND]


def test_a_slower_walker_takes_longer() -> None:
    """1,300.98 m at 0.5 m/s: 2,601.97 s, rounded up."""
    way = WAYS.find_way((35.0, 139.0), (35.009, 139.0), manner=Manner(speed_m_s=0.5))
    assert way is not None
    assert (way.seconds, way.is_estimate) == (2602, True)


@given(start=NEAR_TOKYO, goal=NEAR_TOKYO, profile=st.sampled_from(Profile), way_round=st.booleans())
def test_measure_and_find_way_agree(
    start: tuple[float, float], goal: tuple[float, float], profile: Profile, *, way_round: bool
) -> None:
    manner = Manner(profile=profile)
    way = WAYS.find_way(start, goal, manner=manner)
    reached = WAYS.measure(*start, [goal[0]], [goal[1]], manner=manner, limit_s=10**9, is_backwards=way_round)
    assert way is not None
    assert way.seconds == pytest.approx(int(reached.seconds[0]), abs=1)
    if profile is Profile.WALK:
        assert way.seconds == estimate_walk(*start, *goal).seconds
