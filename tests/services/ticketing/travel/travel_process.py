"""A house that rates, charges and settles travel, to be killed: `python -m ... DATABASE_URL FOLDER`."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import structlog

from tests.support.travel import MONDAY, at
from tests.support.travel_house import open_travel

AFTER = at("00:00", MONDAY + timedelta(days=8))


async def run(database_url: str, folder: Path) -> None:
    async with open_travel(database_url, folder, now=AFTER):
        print("working", flush=True)  # noqa: T201 - the parent waits for it
        await asyncio.sleep(120)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    asyncio.run(run(sys.argv[1], Path(sys.argv[2])))
