"""The core law over the service: however the same taps come, they end in the same money.

And with real processes, really killed, while taps come in.
"""

import asyncio
import itertools
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maas.account_travel.media import Medium, MediumKind, PaidBy
from maas.taps import Tap
from payments.accounts import traveller_receivable
from services.platform.database import Database
from tests.support.travel import LONG_AGO, MONDAY, at, owed, rate, tap
from tests.support.travel_house import TravelHouse, open_travel, store_taps

ROOT = Path(__file__).parents[4]
AFTER = at("00:00", MONDAY + timedelta(days=8))
KILLS = 2
OFFSETS = itertools.count(10**10)
GATES = ["Toei.Oedo.Tochomae", "Toei.Oedo.Daimon", "Toei.Shinjuku.Ichigaya", "TokyoMetro.Namboku.Ichigaya"]

lines = st.builds(
    lambda minute, kind, gate, day: tap(
        f"{minute // 60:02}:{minute % 60:02} {kind} {'ToeiBus.A' if kind == 'on' else gate}",
        MONDAY + timedelta(days=day),
    ),
    st.integers(5 * 60, 29 * 60),
    st.sampled_from(["in", "out", "on"]),
    st.sampled_from(GATES),
    st.integers(0, 3),
)


def expected(made: list[Tap], customer: str) -> int:
    """What the pure function says the week costs."""
    medium = Medium(
        medium_ref="m", kind=MediumKind.IC_CARD, payers=(PaidBy(since=LONG_AGO, customer_id=customer),)
    )
    return owed(rate(made, medium=medium, closed_through=MONDAY + timedelta(days=7)))


async def enrol(travel: TravelHouse, token: str, customer: str) -> None:
    await travel.enrol(token, subject=customer)
    await travel.database.execute("update medium_link set since = $1 where medium_ref = $2", LONG_AGO, token)


def test_any_arrival_of_the_same_taps_ends_in_the_same_money(database_url: str, tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        house = open_travel(database_url, tmp_path, now=AFTER)
        travel = runner.run(house.__aenter__())

        @settings(max_examples=4, suppress_health_check=list(HealthCheck))
        @given(st.lists(lines, min_size=1, max_size=14), st.randoms(use_true_random=False))
        def check(made: list[Tap], shuffler: random.Random) -> None:
            runner.run(arrive_twice(travel, made, shuffler))

        check()
        runner.run(house.__aexit__(None, None, None))


async def arrive_twice(travel: TravelHouse, made: list[Tap], shuffler: random.Random) -> None:
    """At once on one medium; on another in parts, doubled and shuffled, rated in between."""
    documents = []
    for parts in (1, 3):
        token, customer = f"tok_{uuid4().hex}", uuid4().hex
        await enrol(travel, token, customer)
        # Devices number their taps: another medium's are other numbers.
        own = [renumbered(each, next(OFFSETS)) for each in made]
        arriving = own + shuffler.sample(own, len(own) // 2) if parts > 1 else own
        shuffler.shuffle(arriving)
        for part in range(parts):
            await travel.store(arriving[part::parts], token)
            if part % 2 == 0:
                await travel.until_quiet()
        await travel.until_quiet()
        assert await travel.owed_by(customer) == expected(own, customer)
        rows = await travel.database.fetch(
            "select document from travel_day where medium_ref = $1 order by service_date", token
        )
        documents.append([without_names(row["document"], own) for row in rows])
    assert documents[0] == documents[1]


def renumbered(tap: Tap, offset: int) -> Tap:
    return Tap(
        device_id=tap.device_id,
        sequence=tap.sequence + offset,
        tapped_at=tap.tapped_at,
        kind=tap.kind,
        operator_id=tap.operator_id,
        stop_id=tap.stop_id,
    )


def without_names(document: str, own: list[Tap]) -> list[object]:
    """What a day says, without the numbers of its taps and its customer."""
    assert own
    day = orjson.loads(document)
    rides = [(each["state"], each["origin"], each["destination"], each["began_at"]) for each in day["rides"]]
    fares = [
        (each["nominal_minor"], each["charge_minor"], each["lines"], each["cap"]) for each in day["fares"]
    ]
    return [rides, fares, [each["amount_minor"] for each in day["refunds"]]]


# --- kill -9 ----------------------------------------------------------------------------------------------


async def begin(database_url: str, folder: Path) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.services.ticketing.travel.travel_process",
        database_url,
        str(folder),
        stdout=PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"working\n"
    return process


async def test_whoever_is_killed_every_customer_owes_what_the_taps_say(
    database_url: str, tmp_path: Path
) -> None:
    """Taps come in while the process is killed again and again: nothing is lost, nothing doubled."""
    rng = random.Random(7)
    tokens = {f"tok_{number:02}_of_the_kill_test": f"customer{number}" for number in range(40)}
    async with open_travel(database_url, tmp_path, now=AFTER) as travel:
        for token, customer in tokens.items():
            await enrol(travel, token, customer)
    arriving = [(token, tapped) for token in tokens for tapped in random_taps(rng, token)]
    rng.shuffle(arriving)
    size = len(arriving) // KILLS + 1
    for kill in range(KILLS):
        process = await begin(database_url, tmp_path)
        await feed(database_url, arriving[kill * size : (kill + 1) * size])
        await asyncio.sleep(rng.uniform(0.05, 0.6))
        process.send_signal(signal.SIGKILL)
        await process.wait()
    async with open_travel(database_url, tmp_path, now=AFTER) as travel:
        await travel.until_quiet()
        balances = await travel.balances()
        for token, customer in tokens.items():
            own = [tapped for name, tapped in arriving if name == token]
            assert -balances.get(traveller_receivable(customer), 0) == expected(own, customer), customer
        receivable = sum(each for name, each in balances.items() if name.endswith(":receivable"))
        payable = sum(each for name, each in balances.items() if name.endswith(":payable"))
        assert payable == -receivable, "all that is owed was earned, once"
        assert (
            await travel.database.fetchval("select count(*) from travel_charge where status <> 'posted'") == 0
        )


def random_taps(rng: random.Random, token: str) -> list[Tap]:
    found = []
    for number in range(rng.randint(2, 8)):
        minute, kind = rng.randint(5 * 60, 28 * 60), rng.choice(["in", "out", "on"])
        place = "ToeiBus.A" if kind == "on" else rng.choice(GATES)
        line = f"{minute // 60:02}:{minute % 60:02} {kind} {place}"
        found.append(tap(line, MONDAY + timedelta(days=rng.randint(0, 2)), device=f"{token}-{number}"))
    return found


async def feed(database_url: str, arriving: list[tuple[str, Tap]]) -> None:
    """Another process stores the taps, as the intake does."""
    database = Database(database_url, schema="ticketing")
    await database.open()
    for token, tapped in arriving:
        await store_taps(database, [tapped], token)
    await database.close()
