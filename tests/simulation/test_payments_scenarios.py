"""Seeds of payments under kills, faults and disorder; `make simulate` plays ten thousand and more."""

import os

import pytest

from tests.simulation.payments_scenarios import STEPS, open_database, run_scenario
from tests.support.servers import PostgresForTests

SEEDS_IN_GROUP = 50
WALLET_SEEDS = 20
ASKED_FOR = os.environ.get("MAAS_SEED", "")
GROUPS = [int(ASKED_FOR)] if ASKED_FOR else list(range(200, 400, SEEDS_IN_GROUP))


@pytest.mark.parametrize("group", GROUPS)
async def test_three_sides_agree_after_any_story(group: int, postgres_server: PostgresForTests) -> None:
    url = postgres_server.create_database()
    async with open_database(url) as database:
        for seed in range(group, group + SEEDS_IN_GROUP):
            story = await run_scenario(seed, database)
            assert " -> " in story, "something was done"
    postgres_server.drop_database(url)


async def test_wallets_debts_and_bills_agree_after_any_story(postgres_server: PostgresForTests) -> None:
    url, first = postgres_server.create_database(), int(ASKED_FOR or 200)
    async with open_database(url) as database:
        for seed in range(first, first + WALLET_SEEDS):
            story = await run_scenario(seed, database, kind="wallets")
            assert " -> " in story, "something was done"
    postgres_server.drop_database(url)


@pytest.mark.parametrize(("kind", "steps"), [("cards", 400), ("wallets", 110)])
async def test_a_seed_gives_the_same_story_again(
    kind: str, steps: int, postgres_server: PostgresForTests
) -> None:
    url = postgres_server.create_database()
    async with open_database(url) as database:
        stories = [await run_scenario(42, database, kind=kind, steps=steps) for _ in range(2)]
    postgres_server.drop_database(url)
    assert stories[0] == stories[1]


@pytest.mark.parametrize(
    ("seed", "steps", "kind"),
    [
        # A card that was let go while its payer was at the bank, who then convinced it.
        (133, 160, "cards"),
        # A refund was driven to its end by an answer older than the news that it had come back.
        (1252, STEPS, "cards"),
        # A paid refund came back, and the webhook that told of it was lost for good.
        (217, STEPS, "cards"),
        # A card that was let go before it was ready became the default, and took it along when it went.
        (1152, STEPS, "cards"),
        # A hold of a wallet was taken before it was to be let go, and who asked for that died at the answer.
        (1731, STEPS, "wallets"),
        # What was to be paid out of a wallet was taken by a bill before it was set aside.
        (4429, STEPS, "wallets"),
        # What a bill gave back went to a card whose payment the bank was disputing, and waits for a clerk.
        (5074, STEPS, "wallets"),
    ],
)
async def test_what_failed_once(seed: int, steps: int, kind: str, postgres_server: PostgresForTests) -> None:
    url = postgres_server.create_database()
    async with open_database(url) as database:
        await run_scenario(seed, database, kind=kind, steps=steps)
    postgres_server.drop_database(url)
