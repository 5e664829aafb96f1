"""Ids with bikes: what was encoded comes back, and whatever cannot have been encoded is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas.errors import JourneyNotFound
from services.planner.journey_ids import JourneyCode, RentalCode, decode, encode
from services.planner.outside import USUAL, choose_manners
from tests.services.planner.test_manners import pack

RIDES = [["a:t", 2331, 0, 4, 0], ["a:u", 2331, 1, 2, 0], ["a:v", 2331, 0, 1, 1]]
rentals = st.builds(RentalCode, st.text(max_size=8), st.text(max_size=8), st.text(max_size=4), st.booleans())


@given(
    st.tuples(st.none() | rentals, st.none() | rentals),
    st.dictionaries(st.integers(1, 2), rentals),
    st.sampled_from([USUAL, choose_manners(walking_m_s=0.8)]),
)
def test_bikes_come_back_as_they_were_encoded(
    ends: Any, between: dict[int, RentalCode], manners: Any
) -> None:
    code = JourneyCode(
        origin=["a:1"],
        destination=["x", 35.0, 139.0],
        rides=RIDES,
        departs_s=0,
        rentals=ends,
        between=between,
        manners=manners,
    )
    assert decode(encode(code)) == code


PLAIN, BETWEEN = ["s:1", "s:2"], [1, "s:1", "s:2", "", 0]


@pytest.mark.parametrize(
    ("stations", "named"),
    [
        ([PLAIN, None], {}),
        ([["s:1", ""], None], {"between": [BETWEEN]}),
        ([PLAIN, None], {"kinds": [None, None]}),
        ([PLAIN, None], {"kinds": [["", 0], None]}),
        ([PLAIN, None], {"kinds": [["e", 2], None]}),
        ([PLAIN, None], {"kinds": [["e"], None]}),
        ([PLAIN, None], {"kinds": [["e", 0], ["e", 0]]}),
        ([None, None], {"kinds": [None, None]}),
        ([None, None], {"between": []}),
        ([None, None], {"between": [[0, "s:1", "s:2", "", 0]]}),
        ([None, None], {"between": [[3, "s:1", "s:2", "", 0]]}),
        ([None, None], {"between": [BETWEEN, BETWEEN]}),
        ([None, None], {"between": [[1, "s:1", None, "", 0]]}),
        ([None, None], {"between": [[1, "s:1", "s:2", ""]]}),
        ([None, None], {"between": [BETWEEN], "more": 1}),
    ],
)
def test_what_nobody_encoded_is_refused(stations: Any, named: Any) -> None:
    with pytest.raises(JourneyNotFound):
        decode(pack(3, ["a:1"], ["a:2"], RIDES, 0, stations, named))


def test_format_2_has_no_bike_that_is_left_anywhere() -> None:
    with pytest.raises(JourneyNotFound):
        decode(pack(2, ["a:1"], ["a:2"], RIDES, 0, [["s:1", ""], None]))
    assert decode(pack(2, ["a:1"], ["a:2"], RIDES, 0, [PLAIN, None])).rentals == (
        RentalCode("s:1", "s:2"),
        None,
    )
