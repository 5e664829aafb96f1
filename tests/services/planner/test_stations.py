"""Searches through stations with pathways: on foot, in a wheelchair, with a pram."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from maas.errors import JourneyNotFound
from maas.journeys import Journey, Mode, PlanRequest
from routing.streets.ways import Profile
from services.planner.limits import Limits
from services.planner.network import Network, open_network
from services.planner.outside import choose_manners
from services.planner.plan_query import PlanQuery
from services.planner.search import search
from tests.services.planner.conftest import publish_literal

# At S one changes at P1 for trains from P2: by stairs, or by a lift that takes longer. The door is at the
# entrance E; there are stairs and a lift down from it, too.
CITY = """
    level L0 0
    level L1 -1
    level L2 -2
    stop Q 35.2 139.7
    station S 35.000 139.700 name=Central
    stop P1 35.000 139.700 station=S level=L2
    stop P2 35.000 139.701 station=S level=L2
    entrance E 35.001 139.700 station=S level=L0 name=A1
    node H station=S level=L1
    stop Z 35.4 139.7
    stop Y 35.4 139.8 wheelchair=2
    pathway down E H stairs time=30
    pathway lift E H elevator time=90
    pathway p1stairs H P1 stairs time=30
    pathway p1lift H P1 elevator time=120
    pathway p2walk H P2 walkway time=60
    route R rail
    stops Q P1
    first 8:00 8:20
    stops P2 Z
    early 8:23 8:40
    mid   8:24:30 8:45
    never 8:26 8:48 wheelchair=2
    late  8:27 8:50
    stops P1 Z
    fromp1 9:00 9:20
    stops Z P1
    top1 9:25 9:45
    stops P2 Y
    toy 9:30 9:50
"""
DOOR = "35.001,139.700"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return open_network(publish_literal(tmp_path_factory.mktemp("stations"), "v1", CITY))


def find(
    network: Network, origin: str, destination: str, profile: Profile, at: str = "07:50", **asked: object
) -> list[Journey]:
    instant = datetime.fromisoformat(f"2026-05-20T{at}+09:00")
    request = replace(PlanRequest(origin=origin, destination=destination, at=instant, language=""), **asked)
    start, goal = network.places.get_end(origin), network.places.get_end(destination)
    limits = Limits(manners=choose_manners(profile=profile))
    return list(search(network, request, start, goal, limits=limits, count_min=1).journeys)


def trips(journey: Journey) -> list[str | None]:
    return [leg.trip_id for leg in journey.legs if leg.is_transit]


@pytest.mark.parametrize(
    ("profile", "boarded"),
    [
        # 30 s of stairs, 60 s of corridor, and a minute: ready at 8:22:30.
        (Profile.WALK, "early"),
        # The lift's 120 s, the corridor at 1.0 m/s 72 s, a minute: 8:24:12.
        (Profile.PRAM, "mid"),
        # The lift's 120 s, the corridor at 0.8 m/s 90 s, a minute: 8:24:30. `mid` is just caught.
        (Profile.WHEELCHAIR, "mid"),
    ],
)
def test_an_interchange_takes_what_the_way_takes(network: Network, profile: Profile, boarded: str) -> None:
    (journey, *_) = find(network, "lit:Q", "lit:Z", profile)
    assert trips(journey) == ["lit:first", f"lit:{boarded}"]
    # The lift makes the way between the trains one for everybody; of the trains nobody says anything.
    assert [leg.takes_wheelchairs for leg in journey.legs] == [None, True, None]


def test_a_trip_without_wheelchairs_is_not_ridden_in_one(network: Network) -> None:
    on_foot = find(network, "lit:P2", "lit:Z", Profile.WALK, at="08:25", window_s=180)
    assert ["lit:never"] in [trips(each) for each in on_foot]
    rolled = find(network, "lit:P2", "lit:Z", Profile.WHEELCHAIR, at="08:25", window_s=180)
    assert [trips(each) for each in rolled] == [["lit:late"]]


def test_nobody_alights_in_a_wheelchair_where_the_stop_says_no(network: Network) -> None:
    assert find(network, "lit:P2", "lit:Y", Profile.PRAM, at="09:25")
    assert not find(network, "lit:P2", "lit:Y", Profile.WHEELCHAIR, at="09:25")


@pytest.mark.parametrize(
    ("profile", "seconds"),
    [(Profile.WALK, 30 + 30), (Profile.PRAM, 90 + 120), (Profile.WHEELCHAIR, 90 + 120)],
)
def test_from_a_door_one_goes_in_by_the_entrance(network: Network, profile: Profile, seconds: int) -> None:
    (journey, *_) = find(network, DOOR, "lit:Z", profile, at="08:30")
    assert trips(journey) == ["lit:fromp1"]
    walk = journey.legs[0]
    assert walk.mode is Mode.WALK
    assert walk.arrives_at - walk.departs_at == timedelta(seconds=seconds)


@pytest.mark.parametrize("profile", [Profile.WALK, Profile.PRAM, Profile.WHEELCHAIR])
@pytest.mark.parametrize(("origin", "destination"), [(DOOR, "lit:Z"), ("lit:Q", "lit:Z"), ("lit:Z", DOOR)])
@pytest.mark.parametrize("arrive_by", [False, True])
def test_an_id_gives_the_journey_back(
    network: Network, profile: Profile, origin: str, destination: str, *, arrive_by: bool
) -> None:
    at = "09:55" if arrive_by else "07:50"
    found = find(network, origin, destination, profile, at=at, arrive_by=arrive_by)
    assert found
    for journey in found:
        assert network.teller.get_journey(journey.journey_id) == journey


def test_an_id_of_a_wheelchair_is_refused_where_the_trip_takes_none_by_now(
    network: Network, tmp_path: Path
) -> None:
    (journey, *_) = find(network, "lit:P2", "lit:Z", Profile.WHEELCHAIR, at="08:26")
    changed = CITY.replace("late  8:27 8:50", "late  8:27 8:50 wheelchair=2")
    other = open_network(publish_literal(tmp_path, "v1", changed))
    with pytest.raises(JourneyNotFound, match="wheelchair"):
        other.teller.get_journey(journey.journey_id)


def test_the_profile_is_a_parameter() -> None:
    query = PlanQuery.model_validate({"fromPlace": "a", "toPlace": "b", "pedestrianProfile": "WHEELCHAIR"})
    assert query.limits.manners.on_foot.profile is Profile.WHEELCHAIR
    assert PlanQuery.model_validate({"fromPlace": "a", "toPlace": "b"}).limits.manners == choose_manners()
