"""Seeds of payments under kills, faults and disorder; `make simulate SEED=n` plays those from n on."""

import os
from pathlib import Path

import pytest

from tests.simulation.payments_scenarios import run_scenario
from tests.support.servers import PostgresForTests

SEEDS_IN_GROUP = 6
ASKED_FOR = os.environ.get("MAAS_SEED", "")
GROUPS = [int(ASKED_FOR)] if ASKED_FOR else list(range(200, 230, SEEDS_IN_GROUP))


@pytest.mark.parametrize("group", GROUPS)
async def test_three_sides_agree_after_any_story(
    group: int, postgres_server: PostgresForTests, tmp_path: Path
) -> None:
    for seed in range(group, group + SEEDS_IN_GROUP):
        url = postgres_server.create_database()
        story = await run_scenario(seed, database_url=url, folder=tmp_path)
        assert " -> " in story, "something was done"
        postgres_server.drop_database(url)


async def test_a_seed_gives_the_same_story_again(postgres_server: PostgresForTests, tmp_path: Path) -> None:
    stories = []
    for name in ("one", "two"):
        url, folder = postgres_server.create_database(), tmp_path / name
        folder.mkdir()
        stories.append(await run_scenario(42, database_url=url, folder=folder))
        postgres_server.drop_database(url)
    assert stories[0] == stories[1]
