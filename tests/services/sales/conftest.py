"""Sales with doubles of the planner, the ships and the card provider, for claims and passes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from maas.fares.engine import FareEngine
from maas.passes import PassProduct
from maas.ports import BerthPort, PlannerPort
from payments.ports import PaymentsPort
from services.platform.clock import FixedClock
from services.sales.service import build
from tests.support.fares import TARIFFS
from tests.support.house import TestHouse, running_house
from tests.support.journeys import START
from tests.support.port_doubles import Berths, OneJourneyPlanner, Payments

NOW = START - timedelta(hours=2)  # 18:30 of 2026-11-20 in Tokyo
TODAY = date(2026, 11, 20)


@dataclass
class Counter:
    """A sales service with the real tariff's passes on sale."""

    house: TestHouse
    clock: FixedClock
    planner: OneJourneyPlanner
    payments: Payments

    async def post(self, path: str, body: Any = None, **who: Any) -> tuple[int, Any]:
        return await self.house.call("POST", path, body={} if body is None else body, **who)

    async def buy(self, product: str, **fields: Any) -> Any:
        """A paid pass."""
        status, ordered = await self.post("/api/passes", {"product_id": product, **fields})
        assert status == 201, ordered
        status, paid = await self.post(
            f"/api/passes/{ordered['pass_id']}/payments", {"payment_method": "pm_card_visa"}
        )
        assert (status, paid["state"]) == (200, "confirmed"), paid
        return paid

    async def events(self, name: str) -> list[Any]:
        rows = await self.house.services["sales"].context.database.fetch(
            "select payload from outbox where event_type = $1 order by id", name
        )
        return [row["payload"] for row in rows]


@pytest.fixture
async def counter(database_url: str, tmp_path: Path) -> AsyncIterator[Counter]:
    engine = FareEngine.from_folder(TARIFFS)
    products = [
        PassProduct(
            row=row,
            operators=engine.list_operators(row.networks.split(), TODAY),
            areas=engine.list_areas(row.networks.split(), TODAY),
        )
        for row in engine.list_passes(TODAY)
    ]
    clock, planner, payments = FixedClock(NOW), OneJourneyPlanner(products=products), Payments()
    doubles = {PlannerPort: planner, BerthPort: Berths(), PaymentsPort: payments}
    async with running_house(
        database_url, {"sales": build}, clock=clock, data_dir=tmp_path, ports=doubles
    ) as house:
        yield Counter(house, clock, planner, payments)
