"""Places on the way, asked for over the MOTIS API."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.services.planner.conftest import EVENING, PlanningHouse

STATION, PIER, ON_THE_WAY = "都庁前", "竹芝", "大門"
ASKED = {"fromPlace": STATION, "toPlace": PIER, "time": EVENING.isoformat()}


async def get(planning: PlanningHouse, **query: str) -> tuple[int, Any]:
    async with planning.house.client.get("/api/v6/plan", params={**ASKED, **query}) as response:
        return response.status, await response.json()


def names(itinerary: dict[str, Any]) -> set[str]:
    """Everywhere that it calls."""
    return {
        place["name"]
        for leg in itinerary["legs"]
        for place in (leg["from"], leg["to"], *leg.get("intermediateStops", ()))
    }


def stays(itinerary: dict[str, Any], name: str) -> timedelta:
    """The longest time between two rides at the place, a walk inside it counted."""
    legs = itinerary["legs"]
    rides = [leg for leg in legs if "tripId" in leg]
    waits = [
        datetime.fromisoformat(after["startTime"]) - datetime.fromisoformat(before["endTime"])
        for before, after in pairwise(rides)
        if name in (before["to"]["name"], after["from"]["name"])
    ]
    return max(waits, default=timedelta())


async def test_a_journey_leads_over_the_place_and_stays(planning: PlanningHouse) -> None:
    status, body = await get(planning, via=ON_THE_WAY, viaMinimumStay="30")
    assert status == 200, body
    assert body["itineraries"]
    assert not body["direct"]
    for itinerary in body["itineraries"]:
        assert stays(itinerary, ON_THE_WAY) >= timedelta(minutes=30)
        walks = [leg for leg in itinerary["legs"] if leg["mode"] == "WALK"]
        assert itinerary["walkingSeconds"] == sum(leg["duration"] for leg in walks) > 0
        assert itinerary["walkingMetres"] == sum(leg["distance"] for leg in walks)
        url = f"/api/journeys/{itinerary['journeyId']}"
        async with planning.house.client.get(url) as response:
            assert (response.status, (await response.json())["legs"]) == (200, itinerary["legs"])


async def test_one_may_ride_through_and_come_back(planning: PlanningHouse) -> None:
    _, plain = await get(planning)
    status, body = await get(planning, via=ON_THE_WAY, viaMinimumStay="0,0")
    assert status == 200, body
    assert all(ON_THE_WAY in names(itinerary) for itinerary in body["itineraries"])
    best = [min(each["endTime"] for each in answer["itineraries"]) for answer in (plain, body)]
    assert best[0] <= best[1]
    status, body = await get(planning, toPlace=STATION, via=ON_THE_WAY)
    assert status == 200, body
    assert all(ON_THE_WAY in names(itinerary) for itinerary in body["itineraries"])
    assert body["itineraries"]


@pytest.mark.parametrize(
    ("query", "status", "why"),
    [
        ({"via": "35.6"}, 404, "Nothing here is called"),
        ({"via": f"{ON_THE_WAY},{PIER},{STATION}"}, 422, "2"),
        ({"via": f"{ON_THE_WAY},{PIER}", "viaMinimumStay": "5"}, 422, "1 stays for 2 places"),
        ({"viaMinimumStay": "5"}, 422, "1 stays for 0 places"),
        ({"via": ON_THE_WAY, "viaMinimumStay": "-1"}, 422, "greater than or equal to 0"),
        ({"via": "どこでもない"}, 404, "Nothing here is called"),
        ({"via": ON_THE_WAY, "rank": "walking"}, 422, "fewest steps"),
    ],
)
async def test_what_is_no_place_on_the_way_is_refused(
    planning: PlanningHouse, query: dict[str, str], status: int, why: str
) -> None:
    got, body = await get(planning, **query)
    assert (got, why in body["detail"] + str(body.get("errors", ""))) == (status, True), body
