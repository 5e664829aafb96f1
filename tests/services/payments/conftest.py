"""The stand-in, and the payments service in front of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.services.payments.running import RunningStandIn, start_stand_in, stop_stand_in
from tests.services.payments.setting import Setting, running_setting


@pytest.fixture
async def stand_in(tmp_path: Path) -> AsyncIterator[RunningStandIn]:
    running = await start_stand_in(tmp_path / "book.sqlite3")
    yield running
    await stop_stand_in(running)


@pytest.fixture
async def setting(
    request: pytest.FixtureRequest, database_url: str, stand_in: RunningStandIn, tmp_path: Path
) -> AsyncIterator[Setting]:
    """The service; its port is the local object, or for a test that `both_adapters` marks also HTTP's."""
    over_http = getattr(request, "param", "local") == "http"
    async with running_setting(database_url, stand_in, tmp_path, over_http=over_http) as setting:
        yield setting
