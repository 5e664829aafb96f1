"""Fewest steps over HTTP: against every journey that other searches tell, and what is refused."""

from datetime import datetime, timedelta
from typing import Any

from tests.services.planner.conftest import PlanningHouse

ASKED = {"fromPlace": "35.6896,139.6923", "toPlace": "竹芝", "time": "2026-05-20T09:00:00+09:00"}


async def ask(planning: PlanningHouse, **query: str) -> Any:
    async with planning.house.client.get("/api/v6/plan", params=ASKED | query) as response:
        body = await response.json()
    assert response.status == 200, body
    return body


def walked_s(itinerary: Any) -> int:
    return sum(leg["duration"] for leg in itinerary["legs"] if leg["mode"] == "WALK")


async def test_the_first_is_the_least_on_foot_of_what_is_not_much_later(planning: PlanningHouse) -> None:
    ranked = await ask(planning, rank="walking", numItineraries="1")
    assert ranked["ranking"]["criterion"] == "walking"
    assert ranked["ranking"]["isProven"] is True
    steps = [walked_s(each) for each in ranked["itineraries"]]
    assert steps == sorted(steps)
    plain = (await ask(planning, timetableView="false"))["itineraries"]
    assert min(map(walked_s, plain)) >= steps[0]
    # The plain Pareto set is among them: arrivals and interchanges.
    told = {(each["endTime"], each["transfers"]) for each in ranked["itineraries"]}
    assert {(each["endTime"], each["transfers"]) for each in plain} <= told
    # None is later than its slack.
    fastest = min(plain, key=lambda each: each["endTime"])
    most_s = 1.25 * fastest["duration"] + 600
    latest = datetime.fromisoformat(fastest["startTime"]) + timedelta(seconds=most_s)
    rides = fastest["transfers"]
    assert all(
        datetime.fromisoformat(each["endTime"]) <= latest
        for each in ranked["itineraries"]
        if each["transfers"] >= rides
    )


async def test_a_journey_with_fewest_steps_is_rebuilt_from_its_id(planning: PlanningHouse) -> None:
    for each in (await ask(planning, rank="walking"))["itineraries"]:
        async with planning.house.client.get(f"/api/journeys/{each['id']}") as response:
            again = await response.json()
        assert {**again, "isCheapest": None} == {**each, "isCheapest": None}


async def test_more_are_those_that_leave_later(planning: PlanningHouse) -> None:
    few = (await ask(planning, rank="walking", numItineraries="1"))["itineraries"]
    more = (await ask(planning, rank="walking", numItineraries=str(len(few) + 2)))["itineraries"]
    assert len(more) >= len(few) + 2
    assert [each["id"] for each in more[: len(few)]] == [each["id"] for each in few]


async def test_to_arrive_by_an_hour(planning: PlanningHouse) -> None:
    ranked = await ask(planning, rank="walking", arriveBy="true", numItineraries="1")
    steps = [walked_s(each) for each in ranked["itineraries"]]
    assert steps == sorted(steps)
    assert ranked["ranking"]["isProven"] is True
    asked = datetime.fromisoformat(ASKED["time"])
    assert all(datetime.fromisoformat(each["endTime"]) <= asked for each in ranked["itineraries"])


async def test_what_is_not_proven_is_said(planning: PlanningHouse) -> None:
    by_price = await ask(planning, rank="price")
    assert by_price["ranking"]["isProven"] is False
    assert "ranking" not in await ask(planning)
    longest = max(each["duration"] for each in (await ask(planning, rank="walking"))["itineraries"])
    shorter = await ask(planning, rank="walking", maxTravelTime=str((longest - 1) // 60), numItineraries="1")
    assert shorter["ranking"]["isProven"] is False
    page = await ask(planning, rank="walking", pageCursor=(await ask(planning))["previousPageCursor"])
    assert page["ranking"]["isProven"] is False


async def test_a_window_is_refused(planning: PlanningHouse) -> None:
    async with planning.house.client.get(
        "/api/v6/plan", params=ASKED | {"rank": "walking", "searchWindow": "3600"}
    ) as response:
        assert response.status == 422
        assert "searchWindow" in (await response.json())["detail"]
