"""A city with agreements and fares to earn."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.ledger.service import build as build_ledger
from services.platform.clock import FixedClock
from services.settlement.service import build as build_settlement
from tests.support.house import running_house
from tests.support.settlement_city import NAMES, START, City


@pytest.fixture
async def city(database_url: str, tmp_path: Path) -> AsyncIterator[City]:
    clock = FixedClock(START)
    builds = {"ledger": build_ledger, "settlement": build_settlement}
    async with running_house(database_url, builds, clock=clock, data_dir=tmp_path) as house:
        city = City(house, clock, database_url)
        await city.agree("platform", "つなぐ株式会社", 0, consignor_code="1234567890")
        for operator_id, name in NAMES.items():
            await city.agree(operator_id, name)
        await city.fund(1_000_000)
        yield city
