"""Ticketing on a real database: one ticket, one ride, one earning, whatever comes twice, late or shuffled."""

import asyncio
import itertools
import json
import random
import stat
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from xml.etree import ElementTree as ET

import pytest

from maas.events import LegCancelled
from maas.ports import RidesPort
from maas.tickets.keys import SigningKey
from maas.tickets.verify import Checkpoint
from services.cli.validate import judge
from services.platform.auth import Role
from services.platform.clock import FixedClock
from services.ticketing.rating import Rating
from tests.support.counter import BOUGHT_AT, EVENING, PRICES, Counter, open_counter, tap_body
from tests.support.fares import ADULT, CHILD, journey, ride
from tests.support.tickets import BUS, OEDO, SHIP, TOKAI, U, issue, night_trip, tokyo_time


async def test_an_order_gives_each_rider_one_ticket_however_often_it_is_told(counter: Counter) -> None:
    event = await counter.confirm(ADULT, CHILD)
    await counter.deliver(event)
    tickets = await counter.tickets(event)
    assert [ticket["rider"] for ticket in tickets] == ["adult", "child"]
    assert [fare["amount"]["amount_minor"] for fare in tickets[0]["fares"]] == list(PRICES.values())
    assert {fare["state"] for ticket in tickets for fare in ticket["fares"]} == {"unused"}
    assert await counter.count_events("TicketIssued") == 2
    assert tickets[0]["ticket_ref"] == tickets[0]["ticket_id"].replace("-", "")[:16]


async def test_a_ticket_is_its_travellers_only(counter: Counter) -> None:
    event = await counter.confirm()
    ticket_id = (await counter.tickets(event))[0]["ticket_id"]
    assert await counter.tickets(event, subject="mallory") == []
    for path in (f"/api/tickets/{ticket_id}", f"/api/tickets/{ticket_id}/qr.svg"):
        status, body = await counter.house.call("GET", path, subject="mallory")
        assert (status, body["code"]) == (404, "ticket_not_found")
    status, picture = await counter.house.call("GET", f"/api/tickets/{ticket_id}/qr.svg")
    assert status == 200
    assert ET.fromstring(picture).tag.endswith("svg")  # noqa: S314  # our own output


async def test_an_evening_is_ridden_and_earned(counter: Counter) -> None:
    event = await counter.confirm()
    payload = (await counter.tickets(event))[0]["payload"]
    for tap in EVENING:
        assert await counter.statuses(payload, tap) == ["accepted"]
    rated = await counter.rated(event)
    assert {index: each["amount_minor"] for index, each in rated.items()} == PRICES
    assert all(sum(each["shares"].values()) == each["amount_minor"] for each in rated.values())
    assert rated[SHIP]["mode"] == "ferry"
    assert rated[SHIP]["shares"] == {TOKAI: 5750}
    rides = await counter.rides()
    assert [ride["state"] for ride in rides] == ["complete"] * 4
    assert [ride["amount"]["amount_minor"] for ride in rides] == list(PRICES.values())
    assert all(ride["rated_at"] for ride in rides)
    assert {fare["state"] for fare in (await counter.tickets(event))[0]["fares"]} == {"used"}


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_shuffled_repeated_and_late_taps_end_the_same(counter: Counter, seed: int) -> None:
    event = await counter.confirm()
    payload = (await counter.tickets(event))[0]["payload"]
    counter.clock.set(tokyo_time(21, "07:00"))
    chance = random.Random(seed)
    taps = [*EVENING, *chance.choices(EVENING, k=6)]
    chance.shuffle(taps)
    for tap in taps:
        status, body = await counter.tap(payload, tap)
        assert status == 200, body
    rated = await counter.rated(event)
    assert {index: each["amount_minor"] for index, each in rated.items()} == PRICES
    rides = await counter.rides()
    assert [(ride["state"], ride["began_at"] is None) for ride in rides] == [("complete", False)] * 4


async def test_a_repeated_batch_answers_the_same_and_a_changed_one_is_told(counter: Counter) -> None:
    payload = (await counter.tickets(await counter.confirm()))[0]["payload"]
    first = (await counter.tap(payload, EVENING[4]))[1]["answers"][0]
    again = (await counter.tap(payload, EVENING[4]))[1]["answers"][0]
    assert (first["status"], first["storage"]) == ("accepted", "new")
    assert (again["status"], again["storage"]) == ("accepted", "repeated")
    changed = (await counter.tap(payload + "0", EVENING[4]))[1]["answers"][0]
    assert (changed["status"], changed["storage"]) == ("accepted", "conflicting")


async def test_what_is_refused(counter: Counter) -> None:
    event = await counter.confirm()
    payload = (await counter.tickets(event))[0]["payload"]
    key = SigningKey.generate(
        key_id=1, valid_from=BOUGHT_AT - timedelta(days=9), valid_until=BOUGHT_AT + timedelta(days=9)
    )
    forged = issue(night_trip(), key=key)[0].payload
    unknown = issue(night_trip())[0].payload
    pier = EVENING[4]
    assert await counter.statuses("NO TICKET", pier, device="a") == ["malformed"]
    assert await counter.statuses(forged, pier, device="b") == ["forged"]
    assert await counter.statuses(unknown, pier, device="c") == ["unknown_key"]
    assert await counter.statuses(payload, ("scan", "Keio", "x", "21:40")) == ["wrong_operator"]
    assert await counter.statuses(payload, ("scan", TOKAI, "[12]大島", "21:41")) == ["wrong_place"]
    assert await counter.statuses(payload, ("scan", TOKAI, "[05]東京・竹芝", "54:00")) == ["expired"]
    assert await counter.rated(event) == {}
    # Nothing forged or foreign is lost: it is all on record.
    assert await counter.context.database.fetchval("select count(*) from tap") == 6


async def test_a_device_taps_for_its_own_operator_only(counter: Counter) -> None:
    payload = (await counter.tickets(await counter.confirm()))[0]["payload"]
    taps = [tap_body(payload, *EVENING[0]), tap_body(payload, *EVENING[4])]
    status, answer = await counter.send(taps, operator="Toei")
    assert (status, answer["code"]) == (403, "forbidden")
    body = {"device_id": "Toei/gate", "taps": taps[:1]}
    status, answer = await counter.house.call("POST", "/api/taps", role=Role.TRAVELLER, body=body)
    assert (status, answer["code"]) == (403, "forbidden")
    assert await counter.context.database.fetchval("select count(*) from tap") == 0


async def test_a_copied_ticket_boards_once_among_twenty_gates_at_once(counter: Counter) -> None:
    event = await counter.confirm()
    payload = (await counter.tickets(event))[0]["payload"]
    counter.clock.set(tokyo_time(20, "21:45"))
    answers = await asyncio.gather(
        *(counter.statuses(payload, EVENING[4], device=f"gate-{number}") for number in reversed(range(20)))
    )
    assert sorted(itertools.chain(*answers)) == ["accepted"] + ["already_used"] * 19
    assert list(await counter.rated(event)) == [SHIP]


async def test_a_cancelled_leg_is_refused_and_never_earned(counter: Counter) -> None:
    event = await counter.confirm(ADULT, CHILD)
    payload = (await counter.tickets(event))[0]["payload"]
    cancelled = LegCancelled(
        order_id=event.order_id, case_id=uuid4(), component_indices=(SHIP, BUS), reason="high waves"
    )
    await counter.deliver(cancelled)
    await counter.deliver(cancelled)
    assert await counter.statuses(payload, EVENING[4]) == ["revoked"]
    # The subway of the same ticket is still good.
    assert await counter.statuses(payload, *EVENING[:2]) == ["accepted", "accepted"]
    # A device that was offline let the rider through: recorded, and still nothing is earned of it.
    assert await counter.statuses(payload, EVENING[5], accepted_offline=True) == ["revoked"]
    assert list(await counter.rated(event)) == [OEDO]
    states = [fare["state"] for fare in (await counter.tickets(event))[0]["fares"]]
    assert states == ["used", "unused", "revoked", "revoked"]


async def test_devices_fetch_revocations_in_differences(counter: Counter) -> None:
    async def since(number: int) -> tuple[list[int], int]:
        _, body = await counter.house.call(
            "GET", f"/api/ticketing/revocations?since={number}", role=Role.VALIDATOR, operator_id=TOKAI
        )
        return [each["fare_index"] for each in body["revocations"]], body["latest"]

    def cancel(order_id: UUID, *indices: int) -> LegCancelled:
        return LegCancelled(order_id=order_id, case_id=uuid4(), component_indices=indices, reason="x")

    event = await counter.confirm()
    await counter.deliver(cancel(event.order_id, SHIP))
    first, latest = await since(0)
    assert first == [SHIP]
    # This one is cancelled before ticketing has heard of the order at all.
    early = uuid4()
    await counter.deliver(cancel(early, BUS))
    await counter.deliver(cancel(event.order_id, SHIP, U))
    second, latest = await since(latest)
    assert second == [U]
    late = await counter.confirm(order_id=early)
    third, latest = await since(latest)
    assert third == [BUS]
    assert await since(latest) == ([], latest)
    payload = (await counter.tickets(late))[0]["payload"]
    assert await counter.statuses(payload, EVENING[5]) == ["revoked"]


async def test_an_entry_without_exit_is_earned_when_the_service_day_is_over(counter: Counter) -> None:
    event = await counter.confirm()
    payload = (await counter.tickets(event))[0]["payload"]
    await counter.tap(payload, EVENING[0])
    assert await counter.rated(event) == {}
    assert [ride["state"] for ride in await counter.rides()] == ["begun"]
    assert await counter.count_events("RideBegun") == 1, "sales hears before the fare is earned"
    counter.clock.set(tokyo_time(21, "03:59"))
    assert await counter.rated(event) == {}
    counter.clock.set(tokyo_time(21, "04:00"))
    assert list(await counter.rated(event)) == [OEDO]
    # The exit arrives a day late: the ride is made whole, the fare stays earned once.
    await counter.tap(payload, EVENING[1])
    assert list(await counter.rated(event)) == [OEDO]
    assert await counter.count_events("RideBegun") == 1
    assert [ride["state"] for ride in await counter.rides()] == ["complete"]


async def test_killed_between_the_tap_and_its_rating_the_ride_is_rated_after_the_restart(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FixedClock(BOUGHT_AT)

    async def never(_self: Rating) -> bool:
        return False

    with monkeypatch.context() as patched:
        patched.setattr(Rating, "rate_one", never)
        async with open_counter(database_url, tmp_path, clock) as before:
            event = await before.confirm()
            payload = (await before.tickets(event))[0]["payload"]
            assert await before.statuses(payload, EVENING[4]) == ["accepted"]
            assert await before.count_events("RideRated") == 0
    async with open_counter(database_url, tmp_path, clock) as after:
        assert list(await after.rated(event)) == [SHIP]
        assert await after.statuses(payload, EVENING[4]) == ["accepted"]


async def test_a_rating_that_dies_half_way_leaves_nothing_half_done(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await counter.confirm()
    payload = (await counter.tickets(event))[0]["payload"]
    outbox = counter.context.outbox
    append, deaths = outbox.append, iter([True, True])

    async def dying(tx: Any, *events: Any) -> None:
        await append(tx, *events)
        if type(events[0]).__name__ == "RideRated" and next(deaths, False):
            raise RuntimeError("killed after the row, before the commit")

    monkeypatch.setattr(outbox, "append", dying)
    await counter.tap(payload, EVENING[4])
    assert list(await counter.rated(event)) == [SHIP]
    assert await counter.context.database.fetchval("select count(*) from rated_fare") == 1


async def test_a_joint_fare_is_earned_once_by_the_first_operator_ridden(counter: Counter) -> None:
    trip = journey(
        ride("TokyoMetro.Marunouchi", "NishiShinjuku", "ShinjukuSanchome", at="20:30"),
        ride("Toei.Shinjuku", "ShinjukuSanchome", "Jimbocho", at="20:45"),
    )
    event = await counter.confirm(trip=trip)
    payload = (await counter.tickets(event))[0]["payload"]
    metro = "TokyoMetro.Marunouchi"
    await counter.tap(
        payload,
        ("enter", "TokyoMetro", f"{metro}.NishiShinjuku", "20:28"),
        ("exit", "TokyoMetro", f"{metro}.ShinjukuSanchome", "20:36"),
    )
    await counter.tap(
        payload,
        ("enter", "Toei", "Toei.Shinjuku.ShinjukuSanchome", "20:40"),
        ("exit", "Toei", "Toei.Shinjuku.Jimbocho", "20:55"),
    )
    rated = await counter.rated(event)
    assert set(rated) == {0}
    assert set(rated[0]["shares"]) == {"TokyoMetro", "Toei"}
    assert sorted(ride["operator_id"] for ride in await counter.rides()) == ["Toei", "TokyoMetro"]


async def test_whoever_must_prove_a_ride_is_told_what_validators_saw(counter: Counter) -> None:
    """Two orders; of the one that was ridden, its one ride, in and out."""
    event, other = await counter.confirm(), await counter.confirm()
    payload = (await counter.tickets(event))[0]["payload"]
    await counter.tap(payload, EVENING[0])
    await counter.tap(payload, EVENING[1])
    await counter.settle()
    port: Any = counter.house.services["ticketing"].ports[RidesPort]
    [seen] = await port.list_order_rides(order_id=event.order_id)
    assert seen.began_at is not None
    assert seen.ended_at is not None
    assert seen.began_at < seen.ended_at
    assert (seen.operator_id, bool(seen.origin_name)) == (EVENING[0][1], True)
    assert await port.list_order_rides(order_id=other.order_id) == []


async def test_keys_are_kept_secret_survive_a_restart_and_rotate(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "keys" / "ticketing.json"
    async with open_counter(database_url, tmp_path) as counter:
        event = await counter.confirm()
        payload = (await counter.tickets(event))[0]["payload"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        secret = json.loads(path.read_text())["keys"][0]["private_key"]
        _, public = await counter.house.call("GET", "/api/ticketing/keys")
        assert secret not in json.dumps(public)
        status, _ = await counter.house.call("POST", "/api/ticketing/keys", role=Role.TRAVELLER)
        assert status == 403
        status, body = await counter.house.call("POST", "/api/ticketing/keys", role=Role.ADMIN)
        assert (status, body["code"]) == (409, "conflict")
        counter.clock.set(BOUGHT_AT + timedelta(minutes=1))
        status, body = await counter.house.call("POST", "/api/ticketing/keys", role=Role.ADMIN)
        assert status == 201
        assert [key["key_id"] for key in body["keys"]] == [1, 2]
        newer = (await counter.tickets(await counter.confirm()))[0]["payload"]
    async with open_counter(database_url, tmp_path) as counter:
        # Tickets of both keys are good after rotation and restart; a far date gets a key of its own.
        assert await counter.statuses(payload, EVENING[4]) == ["accepted"]
        assert await counter.statuses(newer, EVENING[4], device="other") == ["accepted"]
        far = ride("Toei.Oedo", "Tochomae", "Shiodome", day=(BOUGHT_AT + timedelta(days=500)).date())
        far_event = await counter.confirm(trip=journey(far))
        assert len(await counter.tickets(far_event)) == 1
        _, body = await counter.house.call("GET", "/api/ticketing/keys")
        assert [key["key_id"] for key in body["keys"]] == [1, 2, 3]


async def test_the_offline_command_judges_with_what_was_published(counter: Counter, tmp_path: Path) -> None:
    event = await counter.confirm()
    payload = (await counter.tickets(event))[0]["payload"]
    await counter.deliver(
        LegCancelled(order_id=event.order_id, case_id=uuid4(), component_indices=(SHIP,), reason="x")
    )
    keys, revocations = tmp_path / "keys.json", tmp_path / "revocations.json"
    _, body = await counter.house.call("GET", "/api/ticketing/keys")
    keys.write_text(json.dumps(body))
    _, body = await counter.house.call(
        "GET", "/api/ticketing/revocations", role=Role.VALIDATOR, operator_id=TOKAI
    )
    revocations.write_text(json.dumps(body))
    pier = Checkpoint(operator_id=TOKAI, stop_id="demo:[05]東京・竹芝")
    now = tokyo_time(20, "21:40")
    assert judge(payload, keys=keys, revocations=None, checkpoint=pier, at=now).status == "accepted"
    assert judge(payload, keys=keys, revocations=revocations, checkpoint=pier, at=now).status == "revoked"


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": -1},
        {"sequence": 2**63},
        {"tapped_at": "2026-05-20T21:40:00"},
        {"tapped_at": "0001-01-01T00:00:00+09:00"},
        {"kind": "fly"},
        {"payload": ""},
        {"stop_id": "x\u0000"},
        {"extra": 1},
    ],
)
async def test_a_malformed_tap_is_a_problem_not_a_fault(counter: Counter, change: dict[str, Any]) -> None:
    status, answer = await counter.send([{**tap_body("X", *EVENING[4]), **change}], operator=TOKAI)
    assert status == 422, answer


async def test_a_full_batch_is_answered_in_the_order_sent(counter: Counter) -> None:
    payload = (await counter.tickets(await counter.confirm()))[0]["payload"]
    sequences = [*range(99, 0, -1), 50]
    taps = [{**tap_body(payload, *EVENING[4]), "sequence": number} for number in sequences]
    counter.clock.set(tokyo_time(20, "21:45"))
    await counter.put_device(f"{TOKAI}/pier", operator_id=TOKAI)
    answers = await asyncio.gather(*(counter.send(taps, operator=TOKAI, device="pier") for _ in range(3)))
    for status, answer in answers:
        assert status == 200, answer
        assert [each["sequence"] for each in answer["answers"]] == sequences
        # The device's first tap boards; all others are the same person's ticket again.
        accepted = [each["sequence"] for each in answer["answers"] if each["status"] == "accepted"]
        assert accepted == [1]
    new = [each for _, answer in answers for each in answer["answers"] if each["storage"] == "new"]
    assert len(new) == 99


async def test_a_ticket_that_cannot_be_rated_keeps_no_other_from_it(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    payloads = {}
    for _ in range(2):
        event = await counter.confirm()
        payloads[event.order_id] = (await counter.tickets(event))[0]["payload"]
    # The broken one comes first in the queue.
    bad, good = await counter.context.database.fetch("select order_id from ticket order by ticket_ref")
    rate = Rating._rate

    async def broken(self: Rating, tx: Any, ticket: Any, now: datetime) -> None:
        if ticket["order_id"] == bad["order_id"]:
            raise RuntimeError("a row that nobody foresaw")
        await rate(self, tx, ticket, now)

    async def is_rated(order_id: UUID) -> bool:
        for _ in range(80):
            if await counter.context.database.fetchval(
                "select 1 from rated_fare where order_id = $1", order_id
            ):
                return True
            await asyncio.sleep(0.05)
        return False

    with monkeypatch.context() as patched:
        patched.setattr(Rating, "_rate", broken)
        await counter.tap(payloads[bad["order_id"]], EVENING[4], device="one")
        await counter.tap(payloads[good["order_id"]], EVENING[4], device="two")
        assert await is_rated(good["order_id"])
    assert await is_rated(bad["order_id"]), "it is tried again"
