"""News of sailings: from an operator's clerk, through partners, into the planner's answers."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
from rich.console import Console

from maas.errors import JourneyNotFound
from maas.events import SailingCancelled, SailingStatusChanged
from maas.journeys import Journey, PlanRequest
from maas.ports import NetworkPort, PlannerPort, PublishedNetwork
from services.demo.telling import tell_itineraries
from services.partners.service import build as build_partners
from services.planner.handlers import Planner
from services.planner.live.store import LiveNews
from services.planner.network import Network
from services.planner.sailings import SailingNews, SailingStore
from services.planner.service import build as build_planner
from services.platform.auth import Role
from services.platform.clock import FixedClock
from tests.services.planner.conftest import EVENING, NetworkOnPaper, PlanningHouse
from tests.support.house import TestHouse, running_house

SHIP = "demo:Sarubia.A"
TONIGHT = date(2026, 5, 20)
TOKAI = "3010401020097"


@dataclass
class Pier:
    """The planner and the partners, and a clerk of the shipping company."""

    house: TestHouse

    @property
    def planner(self) -> Planner:
        return cast("Planner", self.house.services["planner"].ports[PlannerPort])

    async def sail(self, **asked: Any) -> list[Journey]:
        """竹芝 to 大島 tonight."""
        request = PlanRequest(origin="竹芝", destination="大島 岡田", at=EVENING, **asked)
        return list((await self.planner.plan(request=request)).journeys)

    async def say(self, what: str, **more: str) -> int:
        body = {"trip_id": SHIP, "service_date": TONIGHT.isoformat(), "reason": "高波", **more}
        status, _ = await self.house.call(
            "POST",
            f"/api/sailings/{what}",
            subject="clerk",
            role=Role.CLERK,
            operator_id=TOKAI,
            body=body,
            key=uuid4().hex,
        )
        return status

    async def until_version(self, version: int) -> None:
        """Nobody tells the planner: it asks by itself, every second."""
        async with asyncio.timeout(10):
            while self.planner.in_force.get().news.version < version:  # noqa: ASYNC110 - nothing sets an event
                await asyncio.sleep(0.05)


def ships(journeys: list[Journey]) -> set[tuple[str, date]]:
    return {(leg.trip_id, leg.service_date) for each in journeys for leg in each.legs if leg.trip_id}


@pytest.fixture
async def pier(database_url: str, city_network: PublishedNetwork, tmp_path: Path) -> AsyncIterator[Pier]:
    async with running_house(
        database_url,
        {"planner": build_planner, "partners": build_partners},
        clock=FixedClock(EVENING),
        data_dir=tmp_path,
        ports={NetworkPort: NetworkOnPaper(city_network)},
    ) as house:
        body = {"operator_id": TOKAI, "classes": [{"fare_class": "2nd", "place_count": 20}]}
        status, _ = await house.call("PUT", f"/api/sailings/{SHIP}/berths", role=Role.ADMIN, body=body)
        assert status == 200
        yield Pier(house)


async def test_a_cancelled_boat_is_offered_no_more(pier: Pier) -> None:
    before = await pier.sail()
    assert (SHIP, TONIGHT) in ships(before)
    with_ship = next(each for each in before if (SHIP, TONIGHT) in ships([each]))
    searched_on = pier.planner.in_force.get()
    assert await pier.say("cancellations") == 201
    await pier.until_version(1)
    after = await pier.sail()
    assert after, "another boat sails, or this one tomorrow"
    assert (SHIP, TONIGHT) not in ships(after)
    assert {each.network_version for each in after} == {"city-1+1"}
    with pytest.raises(JourneyNotFound, match="cancelled"):
        await pier.planner.get_journey(journey_id=with_ship.journey_id)
    # A search that began before keeps what it began with.
    assert searched_on.teller.get_journey(with_ship.journey_id) == with_ship
    path = f"/api/journeys/{with_ship.journey_id}"
    status, body = await pier.house.call("GET", path)
    assert (status, body["code"]) == (404, "journey_not_found")
    # The board keeps it, marked.
    pier_id = next(leg.origin.stop_id for leg in with_ship.legs if leg.trip_id == SHIP)
    path = f"/api/v6/stoptimes?stopId={pier_id}&time=2026-05-20T11:00:00Z&n=5"
    _, board = await pier.house.call("GET", path)
    marks = {
        each["feedTripId"]: (each["cancelled"], each["place"].get("cancelled", False))
        for each in board["stopTimes"]
        if each["serviceDate"] == TONIGHT.isoformat()
    }
    assert marks[SHIP] == (True, True)
    assert all(mark == (False, False) for trip_id, mark in marks.items() if trip_id != SHIP)
    # Tomorrow's boat of that name is another sailing.
    tomorrow = PlanRequest(origin="竹芝", destination="大島 岡田", at=EVENING + timedelta(days=1))
    boats = ships(list((await pier.planner.plan(request=tomorrow)).journeys))
    assert (SHIP, TONIGHT) not in boats
    assert any(on == TONIGHT + timedelta(days=1) for _, on in boats)


async def test_to_arrive_by_the_morning_knows_it_too(pier: Pier) -> None:
    morning = {"arrive_by": True, "at": EVENING + timedelta(hours=12)}
    request = PlanRequest(origin="竹芝", destination="大島 岡田", **morning)
    assert (SHIP, TONIGHT) in ships(list((await pier.planner.plan(request=request)).journeys))
    await pier.say("cancellations")
    await pier.until_version(1)
    assert (SHIP, TONIGHT) not in ships(list((await pier.planner.plan(request=request)).journeys))


async def test_a_conditional_boat_is_never_shown_as_certain(
    pier: Pier, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {leg.condition for each in await pier.sail() for leg in each.legs} == {None}
    assert await pier.say("statuses", status="conditional", reason="波高し") == 201
    await pier.until_version(1)
    legs = [leg for each in await pier.sail() for leg in each.legs]
    assert {leg.trip_id for leg in legs if leg.condition == "波高し"} == {SHIP}
    asked = {"fromPlace": "竹芝", "toPlace": "大島 岡田", "time": EVENING.isoformat()}
    async with pier.house.client.get("/api/v6/plan", params=asked) as response:
        body = await response.json()
    (leg, *_) = [
        leg
        for each in body["itineraries"]
        for leg in each["legs"]
        if (leg.get("feedTripId"), leg.get("serviceDate")) == (SHIP, TONIGHT.isoformat())
    ]
    assert (leg["status"], leg["statusReason"]) == ("conditional", "波高し")
    assert leg["tripShortName"] == "さるびあ丸"
    assert {each["networkVersion"] for each in body["itineraries"]} == {"city-1+1"}
    tell_itineraries(Console(width=200), body["itineraries"])
    printed = capsys.readouterr().out
    assert "さるびあ丸 (conditional: 波高し)" in printed
    assert await pier.say("statuses", status="scheduled", reason="予定どおり") == 201
    await pier.until_version(2)
    assert {leg.condition for each in await pier.sail() for leg in each.legs} == {None}


async def test_riders_read_the_name_of_the_line(planning: PlanningHouse) -> None:
    asked = {"fromPlace": "都庁前", "toPlace": "竹芝", "time": EVENING.isoformat()}
    async with planning.house.client.get("/api/v6/plan", params=asked) as response:
        first = (await response.json())["itineraries"][0]["legs"][0]
    assert (first["routeShortName"], first["routeLongName"]) == ("E", "都営大江戸線")


# The store -------------------------------------------------------------------------------------------------


def said(status: str, minute: int, reason: str = "") -> SailingStatusChanged:
    return SailingStatusChanged(
        trip_id=SHIP,
        service_date=TONIGHT,
        operator_id=TOKAI,
        status=cast("Any", status),
        reason=reason,
        changed_at=datetime(2026, 5, 20, 9, minute, tzinfo=UTC),
    )


CANCELLED = SailingCancelled(trip_id=SHIP, service_date=TONIGHT, operator_id=TOKAI, reason="欠航")


@pytest.mark.parametrize(
    ("events", "version", "state"),
    [
        ([], 0, "scheduled"),
        ([said("conditional", 1)], 1, "conditional"),
        ([said("conditional", 1), said("scheduled", 2)], 2, "scheduled"),
        # The older word arrives last.
        ([said("scheduled", 2), said("conditional", 1)], 1, "scheduled"),
        ([said("conditional", 1), CANCELLED], 2, "cancelled"),
        # A cancellation is for good.
        ([CANCELLED, said("scheduled", 5)], 1, "cancelled"),
        ([CANCELLED, CANCELLED], 1, "cancelled"),
    ],
)
async def test_what_was_said_last_stands_and_a_cancellation_for_good(
    planning: PlanningHouse, events: list[Any], version: int, state: str
) -> None:
    database = planning.house.services["planner"].context.database
    store = SailingStore(database)
    for event in events:
        handle = store.on_cancelled if isinstance(event, SailingCancelled) else store.on_status_changed
        async with database.transaction() as tx:
            await handle(tx, event, cast("Any", None))
    news = await store.read()
    assert news.version == version == await store.get_version()
    sailing = (SHIP, TONIGHT)
    told = "cancelled" if sailing in news.cancelled else "scheduled"
    assert ("conditional" if sailing in news.conditional else told) == state


def test_news_of_ships_the_network_does_not_have_change_nothing(city: Network) -> None:
    strange = {("demo:Titanic", TONIGHT): "", (SHIP, date(1999, 1, 1)): ""}
    other = city.with_news(SailingNews(version=4, cancelled=strange), LiveNews(), EVENING)
    assert other.snapshot_version == "city-1+4"
    assert len(other.router.cancellations) == 0
    assert city.snapshot_version == "city-1"
