"""The planner as a service: the port, the HTTP face, events, and networks replaced under it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from yarl import URL

from maas.errors import FareNotFound, JourneyNotFound, NetworkUnavailable, OutsideFeedDates, PlaceNotFound
from maas.journeys import PlanRequest
from maas.prices import FareMedium, RiderCategory
from tests.services.planner.conftest import EVENING, PlanningHouse, publish_literal

SMALL = """
    calendar all 2026-05-01 2026-05-31
    route R rail name="新線"
    stops A     B
    t1    08:00 08:10
"""
WALKS = {
    "one": "35.69;139.69",
    "many": "35.691;139.69,36.5;139.69",
    "mode": "WALK",
    "max": "1800",
    "maxMatchingDistance": "250",
    "arriveBy": "false",
}
RIDERS = (RiderCategory.ADULT, RiderCategory.CHILD)


def request(origin: str = "都庁前", destination: str = "竹芝", **asked: Any) -> PlanRequest:
    return replace(PlanRequest(origin=origin, destination=destination, at=EVENING), **asked)


async def events(planning: PlanningHouse) -> list[tuple[str, dict[str, Any]]]:
    """What has been told so far, after the next flush."""
    await planning.planner.searches.flush()
    database = planning.house.services["planner"].context.database
    rows = await database.fetch("select event_type, payload from outbox order by id")
    return [(row["event_type"], row["payload"]) for row in rows]


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that nobody announces."""
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 - a row in a database sets no event
            await asyncio.sleep(0.02)


async def get(planning: PlanningHouse, path: str, **query: str) -> tuple[int, Any]:
    async with planning.house.client.get(path, params=query) as response:
        return response.status, await response.json()


async def test_a_journey_is_planned_priced_and_found_again(planning: PlanningHouse) -> None:
    """都庁前 to 竹芝 by Oedo and Yurikamome: adult 461, child 230 by IC (facts B2.4)."""
    result = await planning.port.plan(request=request())
    best = result.journeys[0]
    assert best.arrives_at.strftime("%H:%M") == "20:34"
    assert await planning.port.get_journey(journey_id=best.journey_id) == best
    prices = await planning.port.price(
        journey=best, riders=RIDERS, medium=FareMedium.IC, fare_class=None, home=None, passes=()
    )
    assert [price.total.amount_minor for price in prices] == [461, 230]
    worlds = await planning.port.price_worlds(journey=best, riders=RIDERS, fare_class=None, home=None)
    # 461 + 230 by IC, 470 + 240 by ticket and by our own; ゆりかもめ takes no bank cards.
    assert {each.medium: each.total and each.total.amount_minor for each in worlds.media} == {
        FareMedium.IC: 691,
        FareMedium.TICKET: 710,
        FareMedium.APP: 710,
        FareMedium.CARD: None,
    }
    assert worlds.passes[0].row.pass_id in {"toei_marugoto", "yurikamome_day"}
    ((kind, payload),) = await events(planning)
    assert kind == "JourneysPlanned"
    assert payload["journey_count"] == len(result.journeys)
    assert "subway" in payload["modes"]


async def test_refusals_are_told_as_unmet_demand(planning: PlanningHouse) -> None:
    with pytest.raises(PlaceNotFound):
        await planning.port.plan(request=request(destination="無いところ"))
    with pytest.raises(OutsideFeedDates):
        await planning.port.plan(request=request(at=EVENING - timedelta(days=2000)))
    reasons = [
        (payload["reason"], payload["destination_lat"] is None) for _, payload in await events(planning)
    ]
    assert reasons == [("place_not_found", True), ("outside_feed_dates", False)]


async def test_a_place_nobody_reaches_is_an_empty_answer_and_unmet_demand(planning: PlanningHouse) -> None:
    result = await planning.port.plan(request=request(destination="24.0,123.0"))
    assert result.journeys == ()
    ((kind, payload),) = await events(planning)
    assert (kind, payload["reason"]) == ("NothingFound", "no_journey")


async def test_searches_are_flushed_without_being_asked(planning: PlanningHouse) -> None:
    await planning.port.plan(request=request())
    database = planning.house.services["planner"].context.database

    async def is_told() -> bool:
        return bool(await database.fetchval("select count(*) from outbox"))

    await until(is_told)


async def test_a_network_is_replaced_without_stopping_searches(
    planning: PlanningHouse, tmp_path: Path
) -> None:
    old = planning.planner.in_force.get()
    planning.paper.published = publish_literal(tmp_path, "small", SMALL)
    searching = [asyncio.create_task(planning.port.plan(request=request())) for _ in range(5)]
    planning.planner.in_force.tell()

    async def is_replaced() -> bool:
        return planning.planner.in_force.get() is not old

    await until(is_replaced)
    # Whatever was asked before is answered on the network it began with.
    for result in await asyncio.gather(*searching):
        assert result.network_version == "city-1"
    at = datetime(2026, 5, 20, 7, 30, tzinfo=UTC) - timedelta(hours=9)
    result = await planning.port.plan(request=request("A", "B", at=at))
    assert result.network_version == "small"
    with pytest.raises(FareNotFound, match="no tariffs"):
        await planning.port.price(
            journey=result.journeys[0],
            riders=RIDERS,
            medium=FareMedium.IC,
            fare_class=None,
            home=None,
            passes=(),
        )


async def test_a_broken_network_leaves_the_old_one(planning: PlanningHouse, tmp_path: Path) -> None:
    broken = publish_literal(tmp_path, "broken", SMALL)
    (tmp_path / "broken" / "manifest.json").write_text("{}")
    planning.paper.published = broken
    with pytest.raises(Exception, match="no complete compiled network"):
        await planning.planner.in_force.refresh()
    assert planning.planner.in_force.get().version == "city-1"


async def test_an_id_of_a_network_that_is_gone_is_refused(planning: PlanningHouse, tmp_path: Path) -> None:
    journey = (await planning.port.plan(request=request())).journeys[0]
    planning.paper.published = publish_literal(tmp_path, "small", SMALL)
    await planning.planner.in_force.refresh()
    with pytest.raises(JourneyNotFound, match="Search again"):
        await planning.port.get_journey(journey_id=journey.journey_id)


async def test_without_a_network_there_is_a_clear_problem(planning: PlanningHouse) -> None:
    planning.planner.in_force._network = None
    planning.paper.published = None
    with pytest.raises(NetworkUnavailable):
        await planning.port.plan(request=request())
    status, body = await get(planning, "/api/v6/plan", fromPlace="A", toPlace="B")
    assert (status, body["code"]) == (503, "network_unavailable")
    status, body = await get(planning, "/health/ready")
    assert (status, body["services"]["planner"]) == (503, "not ready: network_unavailable")


# The HTTP face ---------------------------------------------------------------------------------------------


async def test_the_plan_over_http(planning: PlanningHouse) -> None:
    status, body = await get(
        planning, "/api/v6/plan", fromPlace="都庁前", toPlace="竹芝", time="2026-05-20T20:00:00+09:00"
    )
    assert status == 200, body
    first = body["itineraries"][0]
    assert [leg["mode"] for leg in first["legs"]] == ["SUBWAY", "WALK", "SUBURBAN"] or [
        leg["mode"] for leg in first["legs"]
    ] == ["SUBWAY", "WALK", "REGIONAL_RAIL"]
    assert first["networkVersion"] == "city-1"
    by_rider = {
        (price["medium"], price["rider"]): price["total"]["amount_minor"]
        for price in first["prices"]
        if "total" in price
    }
    assert (by_rider["ic", "adult"], by_rider["ic", "child"]) == (461, 230)
    assert (by_rider["ticket", "adult"], by_rider["ticket", "child"]) == (470, 240)
    # ゆりかもめ takes no contactless cards: that world has no price, and the reason is told.
    card = [price for price in first["prices"] if price["medium"] == "card"]
    assert all("no contactless bank cards" in price["reason"] for price in card)
    assert len(card) == 2
    adult = first["prices"][0]
    for component in adult["components"]:
        addends = [addend["amount_minor"] for addend in component["addends"]]
        assert sum(addends) == component["amount"]["amount_minor"]
    assert len(body["itineraries"]) >= 5
    # A time without an offset is local.
    _, local = await get(
        planning, "/api/v6/plan", fromPlace="都庁前", toPlace="竹芝", time="2026-05-20T20:00:00"
    )
    assert [i["id"] for i in local["itineraries"]] == [i["id"] for i in body["itineraries"]]
    status, again = await get(planning, f"/api/journeys/{first['journeyId']}")
    assert (status, again["legs"]) == (200, first["legs"])


async def test_pages_follow_one_another(planning: PlanningHouse) -> None:
    asked = {"fromPlace": "都庁前", "toPlace": "竹芝", "time": "2026-05-20T20:00:00+09:00"}
    _, page = await get(planning, "/api/v6/plan", **asked)
    _, later = await get(planning, "/api/v6/plan", **asked, pageCursor=page["nextPageCursor"])
    _, earlier = await get(planning, "/api/v6/plan", **asked, pageCursor=page["previousPageCursor"])
    last = max(each["startTime"] for each in page["itineraries"])
    first = min(each["startTime"] for each in page["itineraries"])
    assert later["itineraries"]
    assert all(each["startTime"] > last for each in later["itineraries"])
    assert earlier["itineraries"]
    assert all(each["startTime"] < first for each in earlier["itineraries"])


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"fromPlace": "無い", "toPlace": "竹芝"}, 404, "place_not_found"),
        (
            {"fromPlace": "都庁前", "toPlace": "竹芝", "time": "1999-01-01T00:00:00Z"},
            422,
            "outside_feed_dates",
        ),
        (
            {"fromPlace": "都庁前", "toPlace": "竹芝", "time": "0001-01-01T00:00:00"},
            422,
            "outside_feed_dates",
        ),
        (
            {"fromPlace": "都庁前", "toPlace": "竹芝", "time": "9999-12-31T23:59:59"},
            422,
            "outside_feed_dates",
        ),
        ({"fromPlace": "都庁前"}, 422, "validation_failed"),
        ({"fromPlace": "都庁前", "toPlace": "竹芝", "unknown": "1"}, 422, "validation_failed"),
        ({"fromPlace": "都庁前", "toPlace": "竹芝", "pageCursor": "LATER|x"}, 422, "validation_failed"),
        ({"fromPlace": "都庁前", "toPlace": "竹芝", "maxTransfers": "-1"}, 422, "validation_failed"),
    ],
)
async def test_what_cannot_be_answered_says_why(
    planning: PlanningHouse, query: dict[str, str], status: int, code: str
) -> None:
    got, body = await get(planning, "/api/v6/plan", **query)
    assert (got, body["code"]) == (status, code)
    assert body["detail"]


async def test_geocoding_tells_what_a_name_may_mean(planning: PlanningHouse) -> None:
    status, matches = await get(planning, "/api/v1/geocode", text="大島", language="en")
    assert status == 200
    assert matches[0]["id"].startswith("demo:[12]大島")
    assert "demo:Toei.Shinjuku.Ojima" in [match["id"] for match in matches]
    assert matches[0]["name"].endswith("(Oshima)")
    status, body = await get(planning, "/api/journeys/AAAA")
    assert (status, body["code"]) == (404, "journey_not_found")


@pytest.mark.real
async def test_answers_have_the_shape_of_the_motis_api(planning: PlanningHouse, real_data: Path) -> None:
    """Every member MOTIS requires is there and of its type; ours come on top."""
    api = yaml.safe_load((real_data / "motis" / "openapi.yaml").read_text())
    schemas = {"components": api["components"]}

    def check(answer: Any, path: str) -> None:
        schema = api["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        errors = list(
            Draft202012Validator(schemas | schema, format_checker=FormatChecker()).iter_errors(answer)
        )
        assert not errors, [(list(error.path), error.message[:200]) for error in errors[:5]]

    _, plan = await get(
        planning, "/api/v6/plan", fromPlace="都庁前", toPlace="大島 元町", time="2026-05-20T20:00:00+09:00"
    )
    assert plan["itineraries"]
    check(plan, "/api/v6/plan")
    _, walk = await get(planning, "/api/v6/plan", fromPlace="都庁前", toPlace="35.6900,139.6940")
    assert walk["direct"]
    check(walk, "/api/v6/plan")
    _, matches = await get(planning, "/api/v1/geocode", text="竹芝")
    check(matches, "/api/v1/geocode")
    _, reach = await get(planning, "/api/v6/one-to-all", one="竹芝", maxTravelTime="60")
    assert reach["all"]
    check(reach, "/api/v6/one-to-all")
    _, board = await get(planning, "/api/v6/stoptimes", stopId="竹芝", n="30")
    assert board["stopTimes"]
    check(board, "/api/v6/stoptimes")
    await _check_lookups(planning, check, board["stopTimes"][0]["tripId"])


async def _check_lookups(planning: PlanningHouse, check: Callable[[Any, str], None], trip_id: str) -> None:
    box = {"min": "35.6,139.6", "max": "35.8,139.9"}
    minutes = {"startTime": "2026-05-20T20:00:00+09:00", "endTime": "2026-05-20T20:02:00+09:00"}
    asked: dict[str, dict[str, str]] = {
        "/api/v6/trip": {"tripId": trip_id},
        "/api/v6/stop": {"stopId": "竹芝"},
        "/api/v6/map/stops": box,
        "/api/v6/map/trips": {**box, **minutes, "zoom": "14"},
        "/api/v1/map/initial": {},
        "/api/v1/one-to-many": WALKS,
        "/api/v1/reverse-geocode": {"place": "35.69,139.69"},
        "/api/v1/health": {},
    }
    for path, query in asked.items():
        status, answer = await get(planning, path, **query)
        assert (status, bool(answer)) == (200, True), (path, answer)
        check(answer, path)


NASTY = [
    "%FF",
    "%ED%A0%80",
    "%E2%80%AE",
    "0,0",
    "90,180",
    "-90,-180",
    "1e308,1",
    "NaN,NaN",
    "demo:",
    ":",
    "a" * 200,
    "%E9%A7%85",
    "%20",
    "%EF%BC%88%EF%BC%89",
    "%E6%B8%AF",
    "..%2F..",
]
NASTY_TIMES = [
    "2026-05-20T20:00:00%2B14:00",
    "1971-01-01T00:00:00Z",
    "9990-01-01T00:00:00Z",
    "2026-05-20",
    "1779280000",
    "-1",
    "99999999999999999999",
    "2026-03-08T02:30:00",
]


async def test_nothing_that_is_asked_breaks_it(planning: PlanningHouse) -> None:
    """Every answer is an answer or a refusal, whatever stands in the address."""
    addresses = [f"/api/v6/plan?fromPlace={one}&toPlace={other}" for one in NASTY for other in NASTY[::3]]
    addresses += [f"/api/v1/geocode?text={text}&language={text[:20]}" for text in NASTY]
    addresses += [f"/api/journeys/{text}" for text in NASTY]
    addresses += [
        f"/api/v6/plan?fromPlace=35.69,139.69&toPlace=35.65,139.76&time={at}&arriveBy={arrive_by}"
        for at in NASTY_TIMES
        for arrive_by in ("true", "false")
    ]
    addresses += [
        f"/api/v6/plan?fromPlace=35.69,139.69&toPlace=35.65,139.76&pageCursor={way}%7C{at}"
        for way in ("LATER", "EARLIER")
        for at in ("0", "1779280000", "1784000000", "9999999999")
    ]
    addresses += [f"/api/v6/one-to-all?one={text}&maxTravelTime=1440" for text in NASTY]
    addresses += [f"/api/v6/stoptimes?stopId={text}" for text in NASTY]
    addresses += [f"/api/v6/stoptimes?stopId=%E7%AB%B9%E8%8A%9D&time={at}" for at in NASTY_TIMES]
    addresses += [
        f"/api/v6/stoptimes?stopId=%E7%AB%B9%E8%8A%9D&n=200&pageCursor={way}%7C{at}"
        for way in ("LATER", "EARLIER")
        for at in ("0", "1779280000", "1784000000", "9999999999")
    ]
    addresses += [f"/api/v6/one-to-all?one=35.69,139.69&maxTravelTime=30&time={at}" for at in NASTY_TIMES]
    for address in addresses:
        async with planning.house.client.get(URL(address, encoded=True)) as response:
            body = await response.json()
            assert response.status in {200, 400, 404, 422}, (address, body)


async def test_how_far_one_gets(planning: PlanningHouse) -> None:
    """Each place is as many minutes away as the earliest journey there arrives after the hour asked."""
    asked = {"one": "都庁前", "time": "2026-05-20T20:00:00+09:00", "maxTravelTime": "60"}
    status, reach = await get(planning, "/api/v6/one-to-all", **asked)
    assert status == 200, reach
    assert (reach["one"]["name"], reach["networkVersion"]) == ("都庁前", "city-1")
    minutes = {each["place"]["stopId"]: each["duration"] for each in reach["all"]}
    assert max(minutes.values()) <= 60
    best = (await planning.port.plan(request=request())).journeys[0]
    stop_id = best.legs[-1].destination.stop_id or ""
    assert minutes[stop_id] == (best.arrives_at - EVENING).total_seconds() // 60 == 34
    assert await get(planning, "/api/v1/one-to-all", **asked) == (200, reach)
    # The other way round it holds whoever can be here by then.
    by = await get(planning, "/api/v6/one-to-all", **(asked | {"one": "竹芝", "arriveBy": "true"}))
    assert any(each["place"]["name"].startswith("都庁前") for each in by[1]["all"])


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"one": "無い", "maxTravelTime": "60"}, 404, "place_not_found"),
        ({"one": "竹芝", "maxTravelTime": "60", "time": "1999-01-01T00:00:00Z"}, 422, "outside_feed_dates"),
        ({"one": "竹芝", "maxTravelTime": "60", "time": "0001-01-01T00:00:00"}, 422, "outside_feed_dates"),
        ({"one": "竹芝"}, 422, "validation_failed"),
        ({"one": "竹芝", "maxTravelTime": "1441"}, 422, "validation_failed"),
    ],
)
async def test_how_far_one_gets_is_refused_with_a_reason(
    planning: PlanningHouse, query: dict[str, str], status: int, code: str
) -> None:
    got, body = await get(planning, "/api/v6/one-to-all", **query)
    assert (got, body["code"]) == (status, code)


async def test_what_nothing_reaches_within_no_time_is_near(planning: PlanningHouse) -> None:
    """Nobody rides in no time: what is there is there at once, and k is 0."""
    status, reach = await get(planning, "/api/v6/one-to-all", one="都庁前", maxTravelTime="0")
    assert status == 200
    assert {each["k"] for each in reach["all"]} == {0}
    status, far = await get(planning, "/api/v6/one-to-all", one="0,0", maxTravelTime="60")
    assert (status, far["all"]) == (200, [])


# Boards ----------------------------------------------------------------------------------------------------


async def test_the_next_departures_of_a_station(planning: PlanningHouse) -> None:
    """The first ride of the best journey is on its station's board; and nothing is out of order."""
    asked = {"stopId": "都庁前", "time": "2026-05-20T20:00:00+09:00", "n": "40"}
    status, board = await get(planning, "/api/v6/stoptimes", **asked)
    assert status == 200, board
    assert len(board["stopTimes"]) >= 40
    leaves = [datetime.fromisoformat(each["place"]["departure"]) for each in board["stopTimes"]]
    assert leaves == sorted(leaves)
    assert leaves[0] >= EVENING
    best = (await planning.port.plan(request=request())).journeys[0]
    ride = next(leg for leg in best.legs if leg.trip_id)
    told = {(each["feedTripId"], each["place"]["stopId"]): each for each in board["stopTimes"]}
    row = told[ride.trip_id, ride.origin.stop_id]
    assert datetime.fromisoformat(row["place"]["departure"]) == ride.departs_at
    assert (row["routeShortName"], row["routeLongName"]) == ("E", "都営大江戸線")
    assert row["agencyName"]
    assert await get(planning, "/api/v5/stoptimes", **asked) == (200, board)


async def test_pages_of_a_board_lose_nothing(planning: PlanningHouse) -> None:
    """Four pages of 10 are the first 40 and more; the page before the second is the first."""
    asked = {"stopId": "都庁前", "time": "2026-05-20T20:00:00+09:00"}
    _, whole = await get(planning, "/api/v6/stoptimes", **asked, n="60")
    rows: list[Any] = []
    page: Any = None
    for _ in range(4):
        cursor = {"pageCursor": page["nextPageCursor"]} if page else {}
        _, page = await get(planning, "/api/v6/stoptimes", **asked, n="10", **cursor)
        rows += page["stopTimes"]
    assert len(rows) >= 40
    assert rows == whole["stopTimes"][: len(rows)]
    back = {"pageCursor": page["previousPageCursor"]}
    _, before = await get(planning, "/api/v6/stoptimes", **asked, n="10", **back)
    kept = len(rows) - len(page["stopTimes"])
    assert before["stopTimes"] == rows[kept - len(before["stopTimes"]) : kept]


async def test_arrivals_are_what_came_before(planning: PlanningHouse) -> None:
    asked = {"stopId": "竹芝", "time": "2026-05-20T20:00:00+09:00", "arriveBy": "true"}
    status, board = await get(planning, "/api/v6/stoptimes", **asked)
    assert status == 200
    times = [datetime.fromisoformat(each["place"]["arrival"]) for each in board["stopTimes"]]
    assert times == sorted(times)
    assert times[-1] < EVENING


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"stopId": "無い"}, 404, "place_not_found"),
        ({"stopId": "35.69,139.69"}, 404, "place_not_found"),
        ({"stopId": "竹芝", "time": "1999-01-01T00:00:00Z"}, 422, "outside_feed_dates"),
        ({"stopId": "竹芝", "n": "0"}, 422, "validation_failed"),
        ({}, 422, "validation_failed"),
    ],
)
async def test_a_board_is_refused_with_a_reason(
    planning: PlanningHouse, query: dict[str, str], status: int, code: str
) -> None:
    got, body = await get(planning, "/api/v6/stoptimes", **query)
    assert (got, body["code"]) == (status, code)
