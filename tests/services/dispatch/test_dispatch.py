"""Dispatch on a real database: no seat is sold twice, none is lost, and everybody sees only their own."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import pytest

from maas.errors import BookingNotFound, ZoneNotFound
from maas.on_demand.bookings import SEATED, BookingState
from maas.on_demand.places import BeelineTravel
from maas.on_demand.schedules import check_schedule
from maas.ports import Hold, HoldState, OnDemandPort
from services.dispatch import store
from services.dispatch.handlers import Dispatch
from services.dispatch.service import build
from services.platform.auth import Role
from services.platform.clock import FixedClock
from tests.support.house import TestHouse, running_house

JST = timedelta(hours=9)
EIGHT = datetime(2026, 5, 19, 23, 0, tzinfo=UTC)  # 2026-05-20 08:00 in Tokyo
PORT = {"lat": 33.1236, "lon": 139.8212, "name": "底土港"}
AIRPORT = {"lat": 33.1150, "lon": 139.7858, "name": "八丈島空港"}
SEA = {"lat": 33.3, "lon": 139.8}
SQUARE = [[139.74, 33.08], [139.86, 33.08], [139.86, 33.16], [139.74, 33.16], [139.74, 33.08]]
ZONE = {
    "operator_id": "HachijoDemand",
    "name": "坂下",
    "geometry": {"type": "Polygon", "coordinates": [SQUARE]},
    "opens_s": 8 * 3600,
    "closes_s": 18 * 3600,
    "booking_rule": {"booking_type": 1, "notice_min_minutes": 30, "phone_number": "04996-2-1234"},
    "fares": {"adult_minor": 500, "child_minor": 100},
}
VAN = {
    "operator_id": "HachijoDemand",
    "zone_ids": ["hachijo_sakashita"],
    "seats": 8,
    "depot": {"lat": 33.11, "lon": 139.79},
    "shift_starts_s": 8 * 3600,
    "shift_ends_s": 18 * 3600,
}


@dataclass
class Island:
    house: TestHouse
    clock: FixedClock
    port: OnDemandPort
    database_url: str

    async def put_van(self, name: str = "van1", **changes: Any) -> tuple[int, Any]:
        path = f"/api/on-demand/vehicles/{name}"
        return await self.house.call("PUT", path, role=Role.ADMIN, body={**VAN, **changes})

    async def hold(self, hold_id: UUID | None = None, *, minutes: int = 120, riders: int = 1) -> Hold:
        now = self.clock.now()
        return await self.port.hold(
            hold_id=hold_id or uuid4(),
            zone_id="hachijo_sakashita",
            pickup_lat=PORT["lat"],
            pickup_lon=PORT["lon"],
            dropoff_lat=AIRPORT["lat"],
            dropoff_lon=AIRPORT["lon"],
            pickup_at=EIGHT + timedelta(minutes=minutes),
            rider_count=riders,
            expires_at=now + timedelta(minutes=10),
        )

    async def book(self, *, subject: str = "alice", key: str | None = None, **wish: Any) -> tuple[int, Any]:
        return await self.house.call(
            "POST", "/api/on-demand/bookings", subject=subject, key=key, body=wish_for(**wish)
        )

    async def check(self) -> None:
        """Every schedule is sound and seats exactly the bookings that its states say."""
        database = self.house.services["dispatch"].context.database
        rows = await database.fetch("select vehicle_id, service_date, visits from schedule")
        for row in rows:
            settings = await store.find_vehicle(database, row["vehicle_id"])
            assert settings is not None
            schedule = store.build_schedule(row["vehicle_id"], settings, row["service_date"], row["visits"])
            check_schedule(schedule, travel_time=BeelineTravel())
            states = await store.list_states(database, row["vehicle_id"], row["service_date"])
            seated = {booking_id for booking_id, state in states.items() if state in SEATED}
            assert {visit.booking_id for visit in schedule.visits} == seated


def wish_for(**changes: Any) -> dict[str, Any]:
    pickup_at = (EIGHT + timedelta(hours=2)).isoformat()
    return {"pickup": PORT, "dropoff": AIRPORT, "pickup_at": pickup_at, "adults": 1, **changes}


@pytest.fixture
async def island(database_url: str, tmp_path: Path) -> AsyncIterator[Island]:
    clock = FixedClock(EIGHT)
    async with running_house(database_url, {"dispatch": build}, clock=clock, data_dir=tmp_path) as house:
        status, zone = await house.call(
            "PUT", "/api/on-demand/zones/hachijo_sakashita", role=Role.ADMIN, body=ZONE
        )
        assert status == 200, zone
        port = cast("OnDemandPort", house.services["dispatch"].ports[OnDemandPort])
        found = Island(house, clock, port, database_url)
        status, van = await found.put_van()
        assert status == 200, van
        yield found
        await found.check()


async def test_fifty_at_once_for_three_seats_oversell_nothing(island: Island) -> None:
    # All want to go from the port to the airport at 10:00 and wait until 10:20 at most. The drive takes 9.6
    # minutes and boarding or alighting one each, so nobody can be fetched by a second tour: 3 seats, 3 rides.
    await island.put_van(seats=3)
    ids = [uuid4() for _ in range(50)]
    holds = await asyncio.gather(*(island.hold(hold_id) for hold_id in ids))
    held = [hold for hold in holds if hold.state is HoldState.HELD]
    refused = [hold for hold in holds if hold.state is HoldState.SOLD_OUT]
    assert (len(held), len(refused)) == (3, 47)
    assert {hold.detail for hold in refused} == {"fully_booked"}
    await island.check()
    # Full is really full: nobody alone gets in any more, and whoever gets out makes room for exactly one.
    assert (await island.hold()).state is HoldState.SOLD_OUT
    await island.port.release(hold_id=held[1].hold_id)
    assert (await island.hold()).state is HoldState.HELD
    assert (await island.hold()).state is HoldState.SOLD_OUT


async def test_the_same_hold_asked_for_ten_times_at_once_is_one(island: Island) -> None:
    hold_id = uuid4()
    holds = await asyncio.gather(*(island.hold(hold_id) for _ in range(10)))
    assert {(hold.hold_id, hold.state) for hold in holds} == {(hold_id, HoldState.HELD)}
    database = island.house.services["dispatch"].context.database
    assert await database.fetchval("select count(*) from booking") == 1


async def test_a_hold_is_confirmed_once_and_released_once(island: Island) -> None:
    hold = await island.hold()
    assert hold.detail.startswith("pickup 2026-05-20T01:00:00+00:00")
    for _ in range(2):
        assert (await island.port.confirm(hold_id=hold.hold_id)).state is HoldState.CONFIRMED
    for _ in range(2):
        assert (await island.port.release(hold_id=hold.hold_id)).state is HoldState.RELEASED
    assert (await island.port.confirm(hold_id=hold.hold_id)).state is HoldState.RELEASED
    view = await cast("Dispatch", island.port).get_booking(hold.hold_id)
    assert view.record.state is BookingState.CANCELLED_BY_UPSTREAM
    assert view.visits is None


async def test_a_hold_ends_by_itself_and_its_seat_is_sold_again(island: Island) -> None:
    hold = await island.hold(riders=8)
    assert (await island.hold()).state is HoldState.SOLD_OUT
    island.clock.set(EIGHT + timedelta(minutes=10))
    again = await island.hold()  # the seat is given back under the lock, worker or not
    assert again.state is HoldState.HELD
    assert (await island.port.confirm(hold_id=hold.hold_id)).state is HoldState.EXPIRED
    assert (await island.port.release(hold_id=hold.hold_id)).state is HoldState.EXPIRED


async def test_confirming_too_late_gives_the_seat_back(island: Island) -> None:
    hold = await island.hold()
    island.clock.set(hold.expires_at)
    assert (await island.port.confirm(hold_id=hold.hold_id)).state is HoldState.EXPIRED


async def test_the_worker_clears_expired_holds(island: Island) -> None:
    await island.hold()
    island.clock.set(EIGHT + timedelta(minutes=11))
    dispatch = cast("Dispatch", island.port)
    database = island.house.services["dispatch"].context.database
    for _ in range(100):
        await dispatch.expire_holds()
        if await database.fetchval("select count(*) from booking where state = 'expired'"):
            break
    assert await database.fetchval("select visits::text from schedule") == "[]"
    assert await dispatch.expire_holds() == 0


async def test_holds_confirms_releases_and_expiry_mixed_leave_every_schedule_sound(island: Island) -> None:
    await island.put_van("van2", seats=3)

    async def live(number: int) -> None:
        hold = await island.hold(minutes=60 + number * 7 % 90, riders=1 + number % 3)
        if hold.state is HoldState.HELD and number % 3 == 0:
            await island.port.confirm(hold_id=hold.hold_id)
        if number % 2 == 0:
            await island.port.release(hold_id=hold.hold_id)

    await asyncio.gather(*(live(number) for number in range(40)))
    await island.check()
    island.clock.set(EIGHT + timedelta(minutes=11))
    await cast("Dispatch", island.port).expire_holds()
    database = island.house.services["dispatch"].context.database
    assert await database.fetchval("select count(*) from booking where state = 'held'") == 0


async def test_unknown_holds_and_zones(island: Island) -> None:
    with pytest.raises(BookingNotFound):
        await island.port.confirm(hold_id=uuid4())
    assert (await island.port.release(hold_id=uuid4())).state is HoldState.RELEASED
    with pytest.raises(ZoneNotFound):
        await island.port.hold(
            hold_id=uuid4(), zone_id="nowhere", pickup_lat=33.1, pickup_lon=139.8, dropoff_lat=33.1,
            dropoff_lon=139.81, pickup_at=EIGHT, rider_count=1, expires_at=EIGHT,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ({"dropoff": SEA}, "dropoff_outside_zone"),
        ({"pickup": SEA}, "pickup_outside_zone"),
        ({"pickup": SEA, "zone_id": "hachijo_sakashita"}, "pickup_outside_zone"),
        ({"pickup_at": (EIGHT + timedelta(hours=11)).isoformat()}, "outside_hours"),
        ({"pickup_at": (EIGHT + timedelta(minutes=29)).isoformat()}, "too_late_to_book"),
        ({"adults": 9}, "too_many_riders"),
    ],
)
async def test_each_refusal_is_told_by_quote_and_by_booking(
    island: Island, wish: dict[str, Any], reason: str
) -> None:
    status, quote = await island.house.call("POST", "/api/on-demand/quotes", body=wish_for(**wish))
    assert (status, quote["available"], quote["reason"]) == (200, False, reason)
    status, problem = await island.book(**wish)
    assert (status, problem["code"], problem["reason"]) == (409, "ride_not_available", reason)


async def test_a_quote_tells_times_and_price_and_keeps_nothing(island: Island) -> None:
    body = wish_for(adults=2, children=1)
    status, quote = await island.house.call("POST", "/api/on-demand/quotes", body=body)
    assert status == 200
    assert quote["available"] is True
    assert quote["price"] == {"amount_minor": 1100, "currency": "JPY"}  # 2 x 500 + 1 x 100
    assert quote["pickup_at"] == "2026-05-20T01:00:00Z"
    # Boarding takes a minute, then the beeline drive.
    drive_s = BeelineTravel()(store.Place(**PORT).to_point(), store.Place(**AIRPORT).to_point())
    dropoff = datetime.fromisoformat(quote["dropoff_at"])
    assert dropoff == EIGHT + timedelta(hours=2, seconds=60 + drive_s)
    assert quote["is_estimate"] is True
    database = island.house.services["dispatch"].context.database
    assert await database.fetchval("select count(*) from schedule") == 0


async def test_a_booking_is_made_once_seen_by_its_people_and_cancelled(island: Island) -> None:
    status, booking = await island.book(key="k1", children=1)
    assert status == 201
    assert (booking["state"], booking["tomp_package_status"]) == ("confirmed", "CONFIRMED")
    assert booking["price"] == {"amount_minor": 600, "currency": "JPY"}
    _, again = await island.book(key="k1", children=1)
    assert again == booking
    path = f"/api/on-demand/bookings/{booking['booking_id']}"
    assert (await island.house.call("GET", path))[0] == 200
    clerk = {"subject": "c", "role": Role.CLERK}
    assert (await island.house.call("GET", path, operator_id="HachijoDemand", **clerk))[0] == 200
    for stranger in ({"subject": "mallory"}, {**clerk, "operator_id": "Toei"}):
        for method, address, body in (
            ("GET", path, None),
            ("DELETE", path, None),
            ("PUT", f"{path}/state", {"state": "assigned"}),
        ):
            status, problem = await island.house.call(method, address, body=body, **stranger)
            assert (status, problem["code"]) in {(404, "booking_not_found"), (403, "forbidden")}
    status, cancelled = await island.house.call("DELETE", path)
    assert (status, cancelled["state"]) == (200, "cancelled_by_rider")
    assert (cancelled["tomp_package_status"], cancelled["pickup_at"]) == ("CANCELLED", None)


async def test_the_driver_reports_the_ride_step_by_step(island: Island) -> None:
    _, booking = await island.book()
    path = f"/api/on-demand/bookings/{booking['booking_id']}/state"
    clerk = {"role": Role.CLERK, "operator_id": "HachijoDemand"}
    status, problem = await island.house.call("PUT", path, body={"state": "onboard"}, **clerk)
    assert (status, problem["code"]) == (409, "booking_not_movable")
    words = []
    for state in ("assigned", "en_route", "arrived", "onboard", "completed"):
        status, view = await island.house.call("PUT", path, body={"state": state}, **clerk)
        assert (status, view["state"]) == (200, state)
        words.append(view["tomp_leg_status"])
    assert words == ["NOT_STARTED", "PREPARING", "READY_TO_USE", "IN_USE", "ENDED"]
    status, _ = await island.house.call("DELETE", path.removesuffix("/state"))
    assert status == 409


async def test_the_drivers_list_is_the_operators_only(island: Island) -> None:
    _, booking = await island.book()
    path = "/api/on-demand/vehicles/van1/schedule"
    status, day = await island.house.call("GET", path, role=Role.CLERK, operator_id="HachijoDemand")
    assert status == 200
    assert day["service_date"] == "2026-05-20"
    assert [(v["booking_id"], v["kind"], v["riders"]) for v in day["visits"]] == [
        (booking["booking_id"], "pickup", 1),
        (booking["booking_id"], "dropoff", 1),
    ]
    status, problem = await island.house.call("GET", path, role=Role.CLERK, operator_id="Toei")
    assert (status, problem["code"]) == (404, "vehicle_not_found")
    status, _ = await island.house.call(
        "GET", path.replace("van1", "van9"), role=Role.CLERK, operator_id="HachijoDemand"
    )
    assert status == 404


async def test_a_vehicle_keeps_what_it_promised(island: Island) -> None:
    await island.book(adults=5)
    status, problem = await island.put_van(seats=4)
    assert (status, problem["code"]) == (409, "promises_broken")
    status, problem = await island.put_van(shift_ends_s=9 * 3600)
    assert (status, problem["code"]) == (409, "promises_broken")
    assert (await island.put_van(seats=5))[0] == 200


async def test_zones_are_public_geojson(island: Island) -> None:
    async with island.house.client.get("/api/on-demand/zones") as response:
        assert response.status == 200
        assert response.content_type == "application/geo+json"
        zones = await response.json()
    (feature,) = zones["features"]
    assert (zones["type"], feature["id"]) == ("FeatureCollection", "hachijo_sakashita")
    assert feature["geometry"]["coordinates"] == [SQUARE]
    assert feature["properties"]["booking_rule"]["notice_min_minutes"] == 30


@pytest.mark.parametrize(
    "changes",
    [
        {"adults": 0},
        {"adults": 61},
        {"pickup_at": "2026-05-20T10:00:00"},
        {"pickup_at": "0001-01-01T00:00:00Z"},
        {"pickup": {"lat": 91, "lon": 0}},
        {"surprise": 1},
    ],
)
async def test_wishes_out_of_range_are_refused(island: Island, changes: dict[str, Any]) -> None:
    status, problem = await island.house.call("POST", "/api/on-demand/quotes", body=wish_for(**changes))
    assert (status, problem["code"]) == (422, "validation_failed")


async def test_no_traveller_id_is_kept_for_an_orders_ride(island: Island) -> None:
    await island.hold()
    connection = await asyncpg.connect(island.database_url)
    try:
        assert await connection.fetchval("select traveller_id from dispatch.booking") is None
    finally:
        await connection.close()
