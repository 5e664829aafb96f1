"""`maas validator` and `maas validate --store`: offline for days, after a kill, and back at the house."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from maas.events import LegCancelled
from maas.taps import TapKind
from maas.tickets.keys import KeyListUnreadable, encode_key
from maas.tickets.verify import Checkpoint
from services.cli.errors import CommandFailed
from services.cli.validator.commands import House, Synchronised, synchronise
from services.cli.validator.store import FILE, ValidatorStore
from services.platform.auth import Role
from tests.support.counter import Counter
from tests.support.tickets import KEY, SHIP, TOKAI, issue, night_trip, tokyo_time

TICKET = issue(night_trip())[0]
REF = TICKET.ticket.ticket_ref
PIER = Checkpoint(operator_id=TOKAI, stop_id="demo:[05]東京・竹芝")
EVENING = tokyo_time(20, "21:40")
KEY_LIST = json.dumps(
    {
        "keys": [
            {
                "key_id": KEY.public.key_id,
                "public_key": encode_key(KEY.public.public_key),
                "valid_from": KEY.public.valid_from.isoformat(),
                "valid_until": KEY.public.valid_until.isoformat(),
                "revoked_at": None,
            }
        ]
    }
)


@pytest.fixture
def store(tmp_path: Path) -> ValidatorStore:
    made = ValidatorStore.create(tmp_path / "gate", "pier-1")
    made.take_keys(KEY_LIST)
    made.are_fetched(EVENING)
    return made


def check(store: ValidatorStore, minutes: int = 0) -> str:
    now = EVENING + timedelta(minutes=minutes)
    return store.check(TICKET.payload, at=PIER, kind=TapKind.SCAN, now=now).verdict.status.value


def test_an_acceptance_outlives_the_process_and_is_sent_once(store: ValidatorStore, tmp_path: Path) -> None:
    assert check(store) == "accepted"
    # No close: the power is gone. Another process finds what was let through.
    again = ValidatorStore.open(tmp_path / "gate")
    assert check(again, minutes=5) == "already_used"
    (tap,) = again.list_unsent(10)
    assert (tap["sequence"], tap["accepted_offline"], tap["payload"]) == (0, True, TICKET.payload)
    again.mark_sent([{"sequence": 0, "status": "accepted"}])
    assert again.list_unsent(10) == []
    assert (tmp_path / "gate" / FILE).stat().st_mode & 0o077 == 0


def test_differences_are_taken_in_and_read_by_ticket(store: ValidatorStore) -> None:
    news = {"kind": "fare", "ticket_ref": REF, "fare_index": SHIP}
    assert store.take_revocations(json.dumps({"revocations": [news], "latest": 4})) == 1
    assert store.revocation_sequence == 4
    assert check(store) == "revoked"
    more = [
        {"kind": "codes", "ticket_ref": REF, "first_edition": 2},
        {"kind": "codes", "ticket_ref": REF, "first_edition": 1},
    ]
    store.take_revocations(json.dumps({"revocations": more, "latest": 9}))
    assert store.lists_for(REF).revocations.first_editions == {REF: 2}
    assert check(store) == "superseded"
    store.take_revocations(json.dumps({"revocations": [{"kind": "key", "key_id": 7}], "latest": 10}))
    assert check(store) == "revoked_key"
    # Nothing of this concerns another ticket, but the key.
    other = store.lists_for("0" * 16).revocations
    assert (other.revoked, other.first_editions, other.keys) == (frozenset(), {}, {7})
    with pytest.raises(KeyListUnreadable):
        store.take_revocations('{"revocations": [{"kind": "fare"}]}')
    assert store.revocation_sequence == 10


def test_uses_of_paper_are_taken_in(store: ValidatorStore) -> None:
    use = {"ticket_ref": REF, "fare_index": SHIP, "first_used_at": EVENING.isoformat()}
    assert store.take_uses(json.dumps({"uses": [use], "latest": 77})) == 1
    assert store.use_sequence == 77
    assert check(store) == "already_used"


def test_a_folder_without_a_validator_and_one_with(tmp_path: Path, store: ValidatorStore) -> None:
    assert store.device_id == "pier-1"
    with pytest.raises(CommandFailed, match="maas validator init"):
        ValidatorStore.open(tmp_path)
    with pytest.raises(CommandFailed, match="would be lost"):
        ValidatorStore.create(tmp_path / "gate", "pier-2")


RUN = """
import sys

def refuse(event, _arguments):
    if event.startswith("socket.") or event in {"urllib.Request", "http.client.connect"}:
        raise AssertionError(f"called out: {event}")

sys.addaudithook(refuse)
from services.cli.verbs import app
app()
"""


def run_offline(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process in which whatever touches a socket fails."""
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )


def test_the_command_never_calls_out(store: ValidatorStore, tmp_path: Path) -> None:
    store.close()
    arguments = ["validate", TICKET.payload, "--store", str(tmp_path / "gate"), "--operator", TOKAI, "--json"]
    arguments += ["--stop", str(PIER.stop_id), "--at"]
    later = (EVENING + timedelta(hours=3)).isoformat()
    first, second = run_offline(*arguments, EVENING.isoformat()), run_offline(*arguments, later)
    assert first.returncode == 0, first.stderr
    answer: dict[str, Any] = json.loads(first.stdout)
    assert (answer["status"], answer["riders"], answer["fare_index"]) == ("accepted", {"adult": 1}, SHIP)
    assert set(answer["messages"]) == {"ja", "ja-easy", "en", "zh-Hans", "ko"}
    assert second.returncode == 1
    assert json.loads(second.stdout)["status"] == "already_used"
    # The trap itself works: the one command that does call out falls into it.
    out = run_offline(
        "validator", "sync", str(tmp_path / "gate"), "--client-id", "x", "--url", "http://127.0.0.1:9"
    )
    assert "called out" in out.stderr


async def test_two_readers_of_one_folder_let_one_pass(store: ValidatorStore, tmp_path: Path) -> None:
    store.close()

    def read(_number: int) -> str:
        mine = ValidatorStore.open(tmp_path / "gate")
        try:
            return check(mine)
        finally:
            mine.close()

    found = await asyncio.gather(*(asyncio.to_thread(read, number) for number in range(6)))
    assert sorted(found) == ["accepted"] + ["already_used"] * 5
    with sqlite3.connect(tmp_path / "gate" / FILE) as connection:
        assert connection.execute("select count(*) from acceptance").fetchone() == (1,)


async def test_offline_for_a_day_then_settled_at_the_house(counter: Counter, tmp_path: Path) -> None:
    """Two piers offline, one paper ticket copied, one cancelled meanwhile: all on record, and then known."""
    piers = [ValidatorStore.create(tmp_path / name, f"{TOKAI}/{name}") for name in ("one", "two")]
    for pier in piers:
        counter.devices[pier.device_id] = pier.private_key
        assert (await counter.put_device(pier.device_id, operator_id=TOKAI))[0] == 200
    url = str(counter.house.client.make_url("/")).rstrip("/")
    token = counter.house.key.token("pier", Role.VALIDATOR, TOKAI)

    async def sync(pier: ValidatorStore) -> Synchronised:
        async with aiohttp.ClientSession() as session:
            return await synchronise(pier, House(session, url, token))

    copied, cancelled = [await counter.confirm() for _ in range(2)]
    codes = [(await counter.tickets(event))[0]["payload"] for event in (copied, cancelled)]
    for pier in piers:
        await sync(pier)
    waves = LegCancelled(
        order_id=cancelled.order_id, case_id=uuid4(), component_indices=(SHIP,), reason="waves"
    )
    await counter.deliver(waves)

    def scan(pier: ValidatorStore, code: str, minutes: int) -> str:
        now = EVENING + timedelta(minutes=minutes)
        return pier.check(code, at=PIER, kind=TapKind.SCAN, now=now).verdict.status.value

    # Neither pier has heard of the other, or of the waves.
    assert [scan(piers[0], codes[0], 0), scan(piers[1], codes[0], 4)] == ["accepted", "accepted"]
    assert scan(piers[0], codes[1], 6) == "accepted"
    counter.clock.set(EVENING + timedelta(hours=20))
    # The later passage arrives first.
    second = await sync(piers[1])
    first = await sync(piers[0])
    assert (second.sent, second.contested) == (1, {})
    assert (first.sent, first.contested) == (2, {"already_used": 1, "revoked": 1})
    assert (await sync(piers[0])).sent == 0
    # One ride was made of the copies, and earned once; the cancelled one is a ride that earns nothing.
    assert list(await counter.rated(copied)) == [SHIP]
    assert await counter.rated(cancelled) == {}
    rides = await counter.rides()
    assert sorted(ride["order_id"] for ride in rides) == sorted(
        str(event.order_id) for event in (copied, cancelled)
    )
    kept = await counter.context.database.fetch("select * from tap where accepted_offline and is_counted")
    assert len(kept) == 3
    # By their clocks the first pier's passage is the ride, though the second's arrived before it.
    status, told = await counter.house.call(
        "GET", "/api/ticketing/conflicts", role=Role.CLERK, operator_id=TOKAI
    )
    assert status == 200, told
    outcomes = [
        [(tap["device_id"].split("/")[1], tap["verdict"], tap["outcome"]) for tap in each["taps"]]
        for each in told["conflicts"]
    ]
    # Both were contested by one batch: tickets of one moment stand in the order of their numbers.
    assert sorted(outcomes, key=len) == [
        [("one", "revoked", "void")],
        [("one", "already_used", "ridden"), ("two", "accepted", "surplus")],
    ]
    _, others = await counter.house.call(
        "GET", "/api/ticketing/conflicts", role=Role.CLERK, operator_id="Toei"
    )
    assert others == {"conflicts": []}
    # From now on both know all of it.
    for pier in piers:
        await sync(pier)
        assert scan(pier, codes[0], 10) == "already_used"
        assert scan(pier, codes[1], 10) == "revoked"
