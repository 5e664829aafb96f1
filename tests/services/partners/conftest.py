"""A pier: the partners service on a real database, with one ship on sale."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from maas.ports import BerthPort, Hold
from services.partners.service import build
from services.platform.auth import Role
from services.platform.clock import FixedClock
from tests.support.house import TestHouse, running_house

NOON = datetime(2026, 5, 20, 3, 0, tzinfo=UTC)  # 12:00 in Tokyo
TONIGHT = date(2026, 5, 20)
SHIP = "demo:Sarubia.A"
TOKAI = "3010401020097"
SIZES = {"2nd": 20, "1st": 6}


@dataclass
class Pier:
    house: TestHouse
    clock: FixedClock
    port: BerthPort
    database: Any

    async def put_classes(self, trip_id: str = SHIP, **sizes: int) -> None:
        classes = [{"fare_class": name, "place_count": size} for name, size in sizes.items()]
        body = {"operator_id": TOKAI, "classes": classes}
        status, answer = await self.house.call(
            "PUT", f"/api/sailings/{trip_id}/berths", role=Role.ADMIN, body=body
        )
        assert status == 200, answer

    async def hold(
        self,
        hold_id: UUID | None = None,
        *,
        places: int = 1,
        fare_class: str = "2nd",
        trip_id: str = SHIP,
        minutes: int = 10,
    ) -> Hold:
        return await self.port.hold(
            hold_id=hold_id or uuid4(),
            trip_id=trip_id,
            service_date=TONIGHT,
            fare_class=fare_class,
            place_count=places,
            expires_at=self.clock.now() + timedelta(minutes=minutes),
        )

    async def left(self, fare_class: str = "2nd") -> int:
        path = f"/api/sailings/berths?trip_id={SHIP}&service_date={TONIGHT}"
        status, answer = await self.house.call("GET", path)
        assert status == 200, answer
        lefts = {each["fare_class"]: each["places_left"] for each in answer["classes"]}
        return cast("int", lefts[fare_class])

    async def cancel(self, *, operator_id: str = TOKAI, key: str | None = None) -> tuple[int, Any]:
        body = {"trip_id": SHIP, "service_date": TONIGHT.isoformat(), "reason": "高波のため欠航"}
        return await self.house.call(
            "POST",
            "/api/sailings/cancellations",
            subject="clerk",
            role=Role.CLERK,
            operator_id=operator_id,
            body=body,
            key=key,
        )

    async def events(self) -> list[Any]:
        rows = await self.database.fetch("select event_type, payload from outbox order by id")
        return [row["payload"] for row in rows if row["event_type"] == "SailingCancelled"]

    async def check(self) -> None:
        """taken = the places of holds that are held or confirmed, and never more than there are."""
        rows = await self.database.fetch(
            """
            select c.place_count, c.taken, coalesce(sum(h.place_count), 0) as held
            from berth_count c left join hold h on h.state in ('held', 'confirmed')
                and (h.trip_id, h.service_date, h.fare_class) = (c.trip_id, c.service_date, c.fare_class)
            group by c.trip_id, c.service_date, c.fare_class, c.place_count, c.taken
            """
        )
        for row in rows:
            assert row["taken"] == row["held"] <= row["place_count"]
        names = await self.database.fetch(
            "select hold_id from manifest join hold using (hold_id) where state <> 'confirmed'"
        )
        assert names == [], "names are kept of passengers only"


@pytest.fixture
async def pier(database_url: str, tmp_path: Path) -> AsyncIterator[Pier]:
    clock = FixedClock(NOON)
    async with running_house(database_url, {"partners": build}, clock=clock, data_dir=tmp_path) as house:
        service = house.services["partners"]
        port = cast("BerthPort", service.ports[BerthPort])
        found = Pier(house, clock, port, service.context.database)
        await found.put_classes(**SIZES)
        yield found
        await found.check()
