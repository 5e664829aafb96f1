"""Slower and faster people: walks at doors, all the way and between rides, and ids that remember."""

import base64
import random
import zlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas.errors import JourneyNotFound
from maas.journeys import Journey, Mode, PlanRequest
from routing.streets.ways import BeelineWays, Manner, Profile
from routing.strings import list_strings
from services.planner.bikes.stations import NO_BIKES
from services.planner.journey_ids import JourneyCode, RentalCode, decode, encode
from services.planner.limits import Limits
from services.planner.network import Network, open_network
from services.planner.outside import USUAL, Manners, choose_manners
from services.planner.search import search
from services.planner.sought import Answer
from tests.services.planner.conftest import EVENING, PlanningHouse, publish_literal
from tests.services.planner.test_bikes import BY_BIKE, PIER, STATION, stations

SLOW, FAST = choose_manners(walking_m_s=0.6), choose_manners(walking_m_s=2.4)


def find(city: Network, origin: str, destination: str, manners: Manners, **asked: Any) -> Answer:
    limits = replace(asked.pop("limits", Limits()), manners=manners)
    bikes = asked.pop("bikes", NO_BIKES)
    request = replace(PlanRequest(origin=origin, destination=destination, at=EVENING, language=""), **asked)
    ends = [city.places.get_end(text) for text in (origin, destination)]
    return search(city, request, *ends, limits=limits, bikes=bikes)


def all_of(answer: Answer) -> list[Journey]:
    return [*answer.journeys, *answer.list_direct()]


def test_ids_of_random_journeys_of_slow_and_fast_people_give_them_back(city: Network) -> None:
    rng = random.Random(11)
    ids = list_strings(city.router.timetable.stop_ids)
    found = 0
    for i in range(40):
        ends = [
            rng.choice(ids)
            if rng.random() < 0.5
            else f"{35.64 + rng.random() / 10:.5f},{139.7 + rng.random() / 10:.5f}"
            for _ in range(2)
        ]
        manners = choose_manners(walking_m_s=rng.choice([0.35, 0.8, 1.7, 3.0]))
        for journey in all_of(find(city, *ends, manners, arrive_by=bool(i % 2))):
            assert city.teller.get_journey(journey.journey_id) == journey
            found += 1
    assert found > 30


def test_a_walk_all_the_way_takes_twice_as_long_at_half_the_speed(city: Network) -> None:
    """0.009 degrees of latitude: 1,301 m on foot, 1,085 s at 1.2 m/s, 2,169 s at 0.6."""
    ends = "35.6600,139.7500", "35.6690,139.7500"
    limits = Limits(direct_s_max=7_200)
    lengths = []
    for manners in (USUAL, SLOW, FAST):
        direct = find(city, *ends, manners, limits=limits).direct
        assert direct is not None
        lengths.append((direct.arrives_at - direct.departs_at).total_seconds())
        assert direct.legs[0].distance_m == 1301
    assert lengths == [1085, 2169, 543]


def test_between_rides_what_the_feed_timed_stays_and_the_rest_is_stretched(tmp_path: Path) -> None:
    """M to P are 556 m: 603 s at 1.2 m/s and two minutes; the feed times M to Q, 278 m, by itself."""
    text = """
        stop N 35.000 139.000
        stop M 35.100 139.000
        stop P 35.105 139.000
        stop Q 35.1025 139.000
        stop Y 35.300 139.000
        stop Z 35.200 139.000
        route R bus
        stops N     M
        t1    20:10 20:20
        stops P     Z
        t2    20:33 20:50
        t3    20:45 21:00
        stops Q     Y
        t4    20:26 21:20
        walk M Q 300
    """
    network = open_network(publish_literal(tmp_path, "walks", text))

    def walks(manners: Manners, goal: str = "lit:Z") -> set[tuple[str, int, str]]:
        request = {"at": EVENING.replace(year=2026, month=1, day=15)}
        answer = find(network, "lit:N", goal, manners, **request)
        found = set()
        for journey in answer.journeys:
            assert network.teller.get_journey(journey.journey_id) == journey
            first, walk, last = journey.legs
            assert first.arrives_at == walk.departs_at
            seconds = int((walk.arrives_at - walk.departs_at).total_seconds())
            found.add((last.origin.name, seconds, f"{last.departs_at:%H:%M}"))
        return found

    # At 20:20 in M: in P at 20:32:03, at half the speed at 20:42:06.
    assert walks(USUAL) == {("P", 723, "20:33")}
    assert walks(SLOW) == {("P", 120 + 1206, "20:45")}
    assert walks(FAST) == {("P", 120 + 302, "20:33")}
    for manners in (USUAL, SLOW, FAST):
        assert walks(manners, "lit:Y") == {("Q", 300, "20:26")}


def test_rides_by_bike_take_longer_at_half_the_speed_and_ids_remember(city: Network) -> None:
    lengths = []
    for manners in (USUAL, choose_manners(cycling_m_s=2.1)):
        bikes = stations()
        by_bike = find(city, PIER, STATION, manners, limits=BY_BIKE, bikes=bikes).by_bike
        assert by_bike is not None
        assert city.teller.get_journey(by_bike.journey_id, bikes) == by_bike
        (ride,) = [leg for leg in by_bike.legs if leg.mode is Mode.BIKE]
        # A minute each to take and to leave it.
        lengths.append((ride.arrives_at - ride.departs_at - timedelta(seconds=120)).total_seconds())
    assert abs(lengths[1] - 2 * lengths[0]) <= 2


def test_what_is_usual_needs_no_word_in_the_id(city: Network) -> None:
    (usual, *_) = find(city, "都庁前", "竹芝", USUAL).journeys
    (same, *_) = find(city, "都庁前", "竹芝", choose_manners(walking_m_s=1.2, cycling_m_s=4.2)).journeys
    assert same == usual
    assert decode(usual.journey_id).manners == USUAL
    (slow, *_) = find(city, "都庁前", "竹芝", SLOW).journeys
    assert slow.journey_id != usual.journey_id


# Ids -------------------------------------------------------------------------------------------------------


def pack(*parts: object) -> str:
    packed = zlib.compress(orjson.dumps(parts), 9, wbits=-15)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def test_ids_of_formats_1_and_2_are_read() -> None:
    ends, rides = [["a:1"], ["x", 35.0, 139.0]], [["a:t", 2331, 0, 4, 0]]
    assert decode(pack(1, *ends, rides, 0)) == JourneyCode(
        origin=ends[0], destination=ends[1], rides=rides, departs_s=0
    )
    rentals = [None, ["s:1", "s:2"]]
    assert decode(pack(2, *ends, rides, 0, rentals)).rentals == (None, RentalCode("s:1", "s:2"))


@given(
    st.sampled_from([Profile.WALK, Profile.WHEELCHAIR]),
    st.none() | st.floats(0.3, 3.0),
    st.none() | st.floats(1.0, 12.0),
    st.sampled_from([(None, None), (RentalCode("s:1", "s:2"), None)]),
)
def test_decode_gives_back_what_was_encoded(
    profile: Profile, walking: float | None, cycling: float | None, rentals: Any
) -> None:
    manners = choose_manners(profile=profile, walking_m_s=walking, cycling_m_s=cycling)
    code = JourneyCode(
        origin=["a:1"], destination=["a:2"], rides=[], departs_s=5, rentals=rentals, manners=manners
    )
    assert decode(encode(code)) == code


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"manners": ["walk", None, None]},
        {"manners": ["walk", 1.2, None]},
        {"manners": ["bike", 1.0, None]},
        {"manners": ["walk", 0.0, None]},
        {"manners": ["walk", -1.0, None]},
        {"manners": ["walk", 1e9, None]},
        {"manners": ["walk", True, None]},
        {"manners": ["walk", "1", None]},
        {"manners": ["walk", 1.0]},
        {"manners": ["walk", 1.0, None], "more": 1},
        {"manners": None},
        [],
    ],
)
def test_what_encode_cannot_have_made_is_refused(named: object) -> None:
    with pytest.raises(JourneyNotFound):
        decode(pack(3, ["a:1"], ["a:2"], [], 5, [None, None], named))


# Over HTTP -------------------------------------------------------------------------------------------------


async def test_speeds_are_honoured_over_http(planning: PlanningHouse) -> None:
    async def get(path: str, **query: str) -> tuple[int, Any]:
        async with planning.house.client.get(path, params=query) as response:
            return response.status, await response.json()

    ends = {"fromPlace": "35.6600,139.7500", "toPlace": "35.6690,139.7500", "maxDirectTime": "7200"}
    asked = {"time": "2026-05-20T20:00:00+09:00"}
    for speed, seconds in ((None, 1085), ("1.2", 1085), ("0.6", 2169)):
        more = {} if speed is None else {"pedestrianSpeed": speed}
        status, body = await get("/api/v6/plan", **ends, **asked, **more)
        assert status == 200, body
        assert body["direct"][0]["duration"] == seconds
    for name, value in (("pedestrianSpeed", "0.1"), ("cyclingSpeed", "50"), ("pedestrianSpeed", "nan")):
        status, body = await get("/api/v6/plan", **ends, **asked, **{name: value})
        assert (status, body["code"]) == (422, "validation_failed"), body

    async def reached(speed: str) -> dict[str, int]:
        place = {"one": "35.6896,139.6923", "maxTravelTime": "60"}
        status, body = await get("/api/v6/one-to-all", **place, **asked, pedestrianSpeed=speed)
        assert status == 200, body
        return {each["place"]["stopId"]: each["duration"] for each in body["all"]}

    slow, fast = await reached("0.6"), await reached("2.4")
    assert slow.keys() < fast.keys()
    assert all(fast[stop] <= minutes for stop, minutes in slow.items())


def test_the_beeline_measures_as_it_finds_in_every_manner() -> None:
    ways = BeelineWays()
    for manner in (Manner(), Manner(speed_m_s=0.7), Manner(profile=Profile.WHEELCHAIR)):
        way = ways.find_way((35.0, 139.0), (35.01, 139.01), manner=manner)
        assert way is not None
        reached = ways.measure(35.0, 139.0, [35.01], [139.01], manner=manner, limit_s=way.seconds)
        assert reached.seconds.tolist() == [way.seconds]
