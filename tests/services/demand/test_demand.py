"""Demand on a real database: every event counts once, and no answer shows fewer than ten."""

import asyncio
import csv
import io
import random
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from maas.events import Event, JourneysPlanned, NothingFound, OrderConfirmed, RideRated, RideUnrated
from services.demand.handlers import Demand
from services.demand.service import build
from services.platform.auth import Role
from services.platform.bus import Envelope
from services.platform.clock import FixedClock
from services.platform.outbox import event_adapter, receive
from tests.support.house import TestHouse, running_house
from tests.support.journeys import island_journey, island_price

EVENING = datetime(2026, 5, 20, 10, 0, tzinfo=UTC)  # Wednesday 19:00 in Tokyo
TODAY = date(2026, 5, 20)
TOCHO = (35.6905, 139.6926)  # 533945255
PIERS = (35.6545, 139.7618)


def search(
    origin: tuple[float, float] = TOCHO, asked_for: datetime = EVENING, *, found: bool = True
) -> JourneysPlanned | NothingFound:
    lat, lon = origin
    ends = {"origin_lat": lat, "origin_lon": lon, "destination_lat": PIERS[0], "destination_lon": PIERS[1]}
    if found:
        return JourneysPlanned(**ends, asked_for=asked_for, journey_count=1, modes=("subway",))
    return NothingFound(**ends, asked_for=asked_for, reason="no_journey")


@dataclass
class City:
    house: TestHouse
    clock: FixedClock

    @property
    def context(self) -> Any:
        return self.house.services["demand"].context

    async def happen(self, events: Iterable[Event]) -> None:
        """Deliver events as the bus does."""
        for event in events:
            await self.deliver(envelope_of(event))

    async def deliver(self, envelope: Envelope) -> None:
        by_type = {each.event.__name__: each for each in self.house.services["demand"].subscriptions}
        await receive(self.context.database, by_type, envelope)

    async def ask(
        self, metric: str = "searches", *, role: Role = Role.ANALYST, **query: Any
    ) -> tuple[int, Any]:
        fields = {"since": "2026-05-01", "until": "2026-05-31", **query}
        path = f"/api/demand/{metric}?" + "&".join(f"{name}={value}" for name, value in fields.items())
        return await self.house.call("GET", path, role=role)

    async def release(self, day: date = TODAY, *, role: Role = Role.ADMIN) -> tuple[int, Any]:
        return await self.house.call("POST", "/api/demand/releases", role=role, body={"day": day.isoformat()})

    async def count_rows(self, table: str) -> int:
        total = await self.context.database.fetchval(f"select coalesce(sum(count), 0)::bigint from {table}")  # noqa: S608 - the test's own word
        return int(total)


def envelope_of(event: Event) -> Envelope:
    name = type(event).__name__
    payload = event_adapter(name).dump_python(event, mode="json")
    return Envelope(event_id=uuid4(), event_type=name, payload=payload, occurred_at=EVENING, source="planner")


@pytest.fixture
async def city(database_url: str, tmp_path: Path) -> AsyncIterator[City]:
    clock = FixedClock(EVENING)
    async with running_house(database_url, {"demand": build}, clock=clock, data_dir=tmp_path) as house:
        yield City(house, clock)


async def test_twelve_searches_are_shown_when_the_day_is_over_and_three_are_not(city: City) -> None:
    await city.happen(search() for _ in range(12))
    await city.happen(search(found=False) for _ in range(3))
    status, problem = await city.release()
    assert (status, problem["code"]) == (409, "demand_day_not_over")
    assert (await city.ask())[1]["rows"] == []
    city.clock.set(EVENING + timedelta(hours=5))  # midnight in Tokyo
    status, released = await city.release()
    assert (status, released["atoms"], released["events"]) == (200, 2, 24)  # 12 at each end
    status, answer = await city.ask()
    assert status == 200
    assert answer["query"]["k_value"] == 10
    shown = {tuple(row[:-1]): row[-1] for row in answer["rows"]}
    assert shown.pop(("53394525", 19)) == 12
    assert set(shown) == {("53394525", hour) for hour in range(24) if hour != 19}
    assert set(shown.values()) == {-1}
    assert (await city.ask("unmet"))[1]["rows"] == []


async def test_events_that_come_through_the_outbox_are_counted(city: City) -> None:
    async with city.context.database.transaction() as tx:
        await city.context.outbox.append(tx, *(search() for _ in range(10)))
    for _ in range(200):
        if await city.count_rows("tally") == 20:
            break
        await asyncio.sleep(0.02)
    assert await city.count_rows("tally") == 20  # both ends of ten searches


async def test_orders_and_rides_are_counted_by_mode_and_keep_no_name(city: City) -> None:
    journey = island_journey()
    city.clock.set(journey.departs_at)
    order = OrderConfirmed(
        order_id=uuid4(), traveller_id="alice", journey=journey, prices=(island_price(),),
        passengers=("山田",),
    )  # fmt: skip
    ride = RideRated(
        ride_id=uuid4(), order_id=order.order_id, component_index=1, leg_indices=(2,), shares={"Tokai": 8220},
        amount_minor=8220, mode="ferry", operator_id="Tokai", origin_lat=PIERS[0], origin_lon=PIERS[1],
        destination_lat=34.79, destination_lon=139.39, ridden_at=journey.legs[2].departs_at,
    )  # fmt: skip
    await city.happen([order, ride])
    rows = await city.context.database.fetch("select * from tally order by metric, mesh_end")
    # By hand, for the pier 34.79, 139.39: 34.79 x 1.5 = 52.2; 0.1233 x 12 = 1.5; 0.04 x 120 = 4.8;
    # and 39; 0.39 x 8 = 3.1; 0.015 x 80 = 1.2: 52-39-1-3-4-1.
    found = [(row["metric"], row["mesh_end"], row["mesh"][:8], row["hour"], row["category"]) for row in rows]
    assert found == [
        ("orders", "destination", "52391208", 20, "ferry"),
        ("orders", "origin", "53394525", 20, "ferry"),
        ("rides", "destination", "52391341", 22, "ferry"),
        ("rides", "origin", "53393680", 22, "ferry"),
    ]
    assert "alice" not in str(rows)
    assert "山田" not in str(rows)


async def test_a_ride_that_was_none_is_taken_off_again(city: City) -> None:
    now = city.context.clock.now()
    fields = {
        "order_id": uuid4(), "component_index": 1, "amount_minor": 8220, "mode": "ferry",
        "origin_lat": PIERS[0], "origin_lon": PIERS[1], "destination_lat": 34.79, "destination_lon": 139.39,
        "ridden_at": now,
    }  # fmt: skip
    rated = {"leg_indices": (2,), "shares": {"Tokai": 8220}, "operator_id": "Tokai"}
    await city.happen([RideRated(ride_id=uuid4(), **rated, **fields) for _ in range(3)])
    await city.happen([RideUnrated(ride_id=uuid4(), turn=1, **fields) for _ in range(2)])
    assert {row["count"] for row in await city.context.database.fetch("select count from tally")} == {1}
    await city.happen([RideUnrated(ride_id=uuid4(), turn=1, **fields) for _ in range(2)])
    assert await city.context.database.fetchval("select coalesce(sum(count), 0) from tally") == 0


async def test_an_event_delivered_five_times_counts_once(city: City) -> None:
    envelope = envelope_of(search())
    await asyncio.gather(*(city.deliver(envelope) for _ in range(5)))
    assert await city.count_rows("tally") == 2


async def test_what_waits_is_published_with_later_days(city: City) -> None:
    await city.happen(search() for _ in range(6))
    city.clock.set(EVENING + timedelta(days=1))
    await city.release()
    assert (await city.ask())[1]["rows"] == []
    await city.happen(search(asked_for=EVENING + timedelta(days=1)) for _ in range(6))
    city.clock.set(EVENING + timedelta(days=2))
    await city.release(TODAY + timedelta(days=1))
    _, answer = await city.ask(by="hour")
    assert [row for row in answer["rows"] if row[-1] != -1] == [[19, 12]]
    # It took two days, so it belongs to no single one of them.
    assert (await city.ask(since="2026-05-21"))[1]["rows"] == []


async def test_releases_at_once_publish_once_and_lose_nothing(city: City) -> None:
    await city.happen(search() for _ in range(15))
    city.clock.set(EVENING + timedelta(days=1))
    late = (search() for _ in range(8))
    await asyncio.gather(*(city.release() for _ in range(4)), city.happen(late))
    await city.release()
    assert await city.count_rows("atom") + await city.count_rows("tally") == 2 * 23
    _, releases = await city.house.call("GET", "/api/demand/releases", role=Role.ANALYST)
    # The worker released the day before at its start, with nothing in it.
    events = {row["day"]: row["events"] for row in releases["releases"]}
    assert events == {"2026-05-20": await city.count_rows("atom"), "2026-05-19": 0}


async def test_the_worker_releases_yesterday_once(city: City) -> None:
    demand = Demand(city.context)
    await city.context.database.execute("delete from release")
    await city.happen(search() for _ in range(10))
    city.clock.set(EVENING + timedelta(days=1))
    await demand.release_yesterday()
    assert await demand.release_yesterday() is False
    assert await city.count_rows("atom") == 20


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_no_answer_and_no_difference_of_nested_answers_lies_between_one_and_nine(
    city: City, seed: int
) -> None:
    chance = random.Random(seed)
    days = 4
    for ahead in range(days):
        at = EVENING + timedelta(days=ahead)
        events = [
            search(
                (TOCHO[0] + chance.choice([0, 0, 0.004, 0.01]), TOCHO[1] + chance.choice([0, 0, 0.006])),
                at + timedelta(hours=chance.choice([0, 0, 1])),
            )
            for _ in range(chance.randint(20, 120))
        ]
        await city.happen(events)
        city.clock.set(at + timedelta(days=1))
        await city.release(TODAY + timedelta(days=ahead))
    totals = {}
    first_of_may = (date(2026, 5, 1) - TODAY).days
    for since in (first_of_may, 0, 1, 2):
        for until in range(max(since, 0), days):
            for within in ("", "533945", "53394525"):
                query = {
                    "since": TODAY + timedelta(days=since),
                    "until": TODAY + timedelta(days=until),
                    **({"within": within} if within else {}),
                }
                for by in ("mesh,hour", "hour", "mesh"):
                    for level in ("1km", "500m"):
                        _, answer = await city.ask(by=by, mesh_level=level, **query)
                        counts = [row[-1] for row in answer["rows"]]
                        assert all(count == -1 or count >= 10 for count in counts)
                        key = (since, until, within)
                        total = sum(count for count in counts if count != -1)
                        assert totals.setdefault(key, total) == total  # however it is cut, the same sum
    check_nested(totals)
    assert any(totals.values())


def check_nested(totals: dict[tuple[int, int, str], int]) -> None:
    for (a_since, a_until, a_within), a in totals.items():
        for (b_since, b_until, b_within), b in totals.items():
            if a_since <= b_since and b_until <= a_until and b_within.startswith(a_within):
                assert a - b == 0 or a - b >= 10


async def test_an_export_is_the_same_answer_as_csv(city: City) -> None:
    await city.happen(search() for _ in range(11))
    city.clock.set(EVENING + timedelta(days=1))
    await city.release()
    _, answer = await city.ask(by="mesh,day_type,hour")
    status, raw = await city.ask("searches/table.csv", by="mesh,day_type,hour")
    assert status == 200
    header, *rows = csv.reader(io.StringIO(raw.decode()))
    assert header == ["mesh", "day_type", "hour", "searches"]
    assert rows == [[str(value) for value in row] for row in answer["rows"]]
    assert ["53394525", "weekday", "19", "11"] in rows


@pytest.mark.parametrize("role", [Role.TRAVELLER, Role.CLERK, Role.VALIDATOR])
async def test_demand_is_for_analysts_and_administrators(city: City, role: Role) -> None:
    for metric in ("searches", "unmet", "rides", "orders", "releases", "rides/table.csv"):
        status, _ = await city.ask(metric, role=role)
        assert status == 403
    assert (await city.release(role=Role.ANALYST))[0] == 403


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"since": "2026-05-31", "until": "2026-05-01"}, "demand_period_invalid"),
        ({"since": "2020-01-01", "until": "2026-05-01"}, "demand_period_invalid"),
        ({"by": "person"}, "validation_failed"),
        ({"within": "53394"}, "validation_failed"),
        ({"since": "0000"}, "validation_failed"),
        ({"surprise": "1"}, "validation_failed"),
    ],
)
async def test_questions_that_make_no_sense(city: City, query: dict[str, str], code: str) -> None:
    status, problem = await city.ask(**query)
    assert (status, problem["code"]) == (422, code)


async def test_the_read_models_have_no_column_for_a_person_an_order_or_an_instant(city: City) -> None:
    rows = await city.context.database.fetch(
        "select column_name, data_type from information_schema.columns "
        "where table_schema = 'demand' and table_name in ('tally', 'atom')"
    )
    assert {row["column_name"] for row in rows} == {
        "id", "metric", "mesh_end", "mesh", "day", "day_type", "hour", "category", "count", "since", "until"
    }  # fmt: skip
    assert {row["data_type"] for row in rows} <= {"bigint", "smallint", "text", "date"}
