"""The ticketing service of each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.counter import Counter, open_counter


@pytest.fixture
async def counter(database_url: str, tmp_path: Path) -> AsyncIterator[Counter]:
    async with open_counter(database_url, tmp_path) as opened:
        yield opened
