"""Codes over a ticket's life: on a telephone, on another, on paper, signed anew; only the last counts."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from maas.events import LegCancelled
from maas.tickets.holder import has_device_signed
from maas.tickets.revocations import Revocations
from services.platform.auth import Role
from services.platform.clock import FixedClock
from services.ticketing.codes import Codes
from tests.support.counter import BOUGHT_AT, EVENING, Counter, open_counter
from tests.support.phone import Phone
from tests.support.tickets import BUS, SHIP, TOKAI, tokyo_time

PIER = EVENING[4]
AT_PIER = tokyo_time(20, "21:40")


async def buy(counter: Counter, subject: str = "alice") -> Any:
    (ticket,) = await counter.tickets(await counter.confirm(traveller=subject), subject=subject)
    return ticket


async def bound(counter: Counter, ticket: Any, subject: str = "alice") -> Phone:
    phone = Phone(counter, subject)
    assert (await phone.register())[0] == 201
    status, answer = await phone.bind(ticket)
    assert status == 201, answer
    return phone


async def fetch_revocations(counter: Counter) -> Revocations:
    list_ = Revocations()
    while True:
        status, body = await counter.house.call(
            "GET", f"/api/ticketing/revocations?since={list_.sequence}&limit=2", role=Role.ADMIN
        )
        assert status == 200, body
        if not body["revocations"]:
            return list_
        document = {name: body[name] for name in ("revocations", "latest")}
        list_ = list_.with_difference(json.dumps(document))


async def test_a_ticket_on_a_telephone_passes_by_its_moving_code_only(counter: Counter) -> None:
    ticket = await buy(counter)
    assert (ticket["code"]["form"], ticket["code"]["edition"]) == ("static", 0)
    static = ticket["payload"]
    phone = await bound(counter, ticket)
    _, moved = await phone.call("GET", f"/api/tickets/{ticket['ticket_id']}")
    assert (moved["payload"], moved["code"]["form"], moved["code"]["edition"]) == (None, "device", 1)
    status, body = await phone.call("GET", f"/api/tickets/{ticket['ticket_id']}/qr.svg")
    assert (status, body["code"]) == (409, "ticket_on_device")
    assert await counter.statuses(static, PIER, device="a") == ["superseded"]
    old = phone.screen(ticket, AT_PIER - timedelta(minutes=10))
    assert await counter.statuses(old, PIER, device="b") == ["stale_code"]
    assert await counter.statuses(phone.screen(ticket, AT_PIER), PIER, device="c") == ["accepted"]
    assert await counter.statuses(phone.screen(ticket, AT_PIER), PIER, device="d") == ["already_used"]
    assert (await fetch_revocations(counter)).first_editions == {ticket["ticket_ref"]: 1}


async def test_moving_to_a_new_telephone_ends_the_old_one(counter: Counter) -> None:
    ticket = await buy(counter)
    old = await bound(counter, ticket)
    new = Phone(counter)
    await new.register()
    assert old.device_id != new.device_id
    status, answer = await new.bind(ticket | {"code": {"edition": 1}})
    assert (status, answer["edition"]) == (201, 2)
    assert await counter.statuses(old.screen(ticket, AT_PIER), PIER, device="a") == ["superseded"]
    assert await counter.statuses(new.screen(ticket, AT_PIER), PIER, device="b") == ["accepted"]


async def test_a_lost_telephone_is_closed_and_the_ticket_printed(counter: Counter) -> None:
    ticket = await buy(counter)
    phone = await bound(counter, ticket)
    status, closed = await phone.call("DELETE", f"/api/ticket-devices/{phone.device_id}")
    assert (status, closed["closed_at"] is not None) == (200, True)
    assert (await phone.call("DELETE", f"/api/ticket-devices/{phone.device_id}"))[1] == closed
    status, answer = await phone.bind(ticket | {"code": {"edition": 2}})
    assert (status, answer["code"]) == (404, "ticket_device_not_found")
    _, paper = await phone.call("POST", f"/api/tickets/{ticket['ticket_id']}/static-code")
    assert (paper["form"], paper["edition"], paper["reason"]) == ("static", 2, "device_closed")
    assert await counter.statuses(paper["payload"], PIER) == ["accepted"]


async def test_printing_ends_the_telephones_code_and_is_safe_to_repeat(counter: Counter) -> None:
    ticket = await buy(counter)
    phone = await bound(counter, ticket)
    path = f"/api/tickets/{ticket['ticket_id']}/static-code"
    first, again = [await phone.call("POST", path) for _ in range(2)]
    assert first == again
    assert first[1]["edition"] == 2
    assert await counter.statuses(phone.screen(ticket, AT_PIER), PIER, device="a") == ["superseded"]
    assert await counter.statuses(first[1]["payload"], PIER, device="b") == ["accepted"]


async def test_a_cancelled_fare_ends_every_code_that_was_ever_issued(counter: Counter) -> None:
    event = await counter.confirm()
    (ticket,) = await counter.tickets(event)
    codes = [ticket["payload"]]
    first = await bound(counter, ticket)
    codes.append(first.screen(ticket, AT_PIER))
    second = Phone(counter)
    await second.register()
    await second.bind(ticket | {"code": {"edition": 1}})
    codes.append(second.screen(ticket, AT_PIER))
    paper = (await first.call("POST", f"/api/tickets/{ticket['ticket_id']}/static-code"))[1]
    codes.append(paper["payload"])
    await counter.deliver(
        LegCancelled(order_id=event.order_id, case_id=uuid4(), component_indices=(SHIP,), reason="waves")
    )
    found = [await counter.statuses(code, PIER, device=str(place)) for place, code in enumerate(codes)]
    assert found == [["superseded"]] * 3 + [["revoked"]]
    # A gate that has only heard of the fare, and of no later edition, refuses all of them too.
    fares = await fetch_revocations(counter)
    assert (ticket["ticket_ref"], SHIP) in fares
    # The other fares of the ticket stay good.
    assert await counter.statuses(codes[-1], EVENING[5], device="bus") == ["accepted"]
    body = {"code": ticket["phone_code"], "stop_id": "demo:[05]東京・竹芝", "kind": "scan"}
    status, answer = await counter.house.call(
        "POST", "/api/ticketing/phone-codes/uses", role=Role.CLERK, operator_id=TOKAI, body=body
    )
    assert (status, answer["status"]) == (200, "revoked")


async def test_a_scan_accepted_offline_of_a_cancelled_ticket_stays_an_acceptance(counter: Counter) -> None:
    event = await counter.confirm()
    (ticket,) = await counter.tickets(event)
    await counter.deliver(
        LegCancelled(order_id=event.order_id, case_id=uuid4(), component_indices=(SHIP,), reason="waves")
    )
    assert await counter.statuses(ticket["payload"], PIER, accepted_offline=True) == ["revoked"]
    # It is a ride, that somebody has made, and earns nothing, since the money went back.
    assert await counter.rated(event) == {}
    assert [ride["component_index"] for ride in await counter.rides()] == [SHIP]
    row = await counter.context.database.fetchrow("select * from tap")
    assert (row["accepted_offline"], row["is_counted"], row["verdict"]) == (True, True, "revoked")


async def test_a_code_of_an_old_telephone_accepted_offline_is_a_ride(counter: Counter) -> None:
    event = await counter.confirm()
    (ticket,) = await counter.tickets(event)
    await bound(counter, ticket)
    static = ticket["payload"]
    assert await counter.statuses(static, PIER, accepted_offline=True) == ["superseded"]
    assert list(await counter.rated(event)) == [SHIP]
    # Refused at the gate it is none.
    assert await counter.statuses(static, EVENING[5]) == ["superseded"]
    assert list(await counter.rated(event)) == [SHIP]


async def test_a_leaked_key_is_revoked_and_its_tickets_are_signed_anew(counter: Counter) -> None:
    on_phone, on_paper = await buy(counter), await buy(counter)
    phone = await bound(counter, on_phone)
    counter.clock.set(BOUGHT_AT + timedelta(minutes=5))
    leaked = on_paper["payload"]
    screen = phone.screen(on_phone, AT_PIER)
    status, _ = await counter.house.call(
        "POST", "/api/ticketing/keys/1/revocation", role=Role.TRAVELLER, body={"reason": "x"}
    )
    assert status == 403
    for _ in range(2):
        status, _ = await counter.house.call(
            "POST", "/api/ticketing/keys/1/revocation", role=Role.ADMIN, body={"reason": "found on a disk"}
        )
        assert status == 204
    _, published = await counter.house.call("GET", "/api/ticketing/keys")
    assert [(key["key_id"], key["revoked_at"] is None) for key in published["keys"]] == [
        (1, False),
        (2, True),
    ]
    for _ in range(100):
        fresh = [
            await phone.refresh(on_phone),
            (await phone.call("GET", f"/api/tickets/{on_paper['ticket_id']}"))[1],
        ]
        if [ticket["code"]["edition"] for ticket in fresh] == [2, 1]:
            break
        await asyncio.sleep(0.05)
    assert [ticket["code"]["reason"] for ticket in fresh] == ["key_revoked"] * 2
    assert await counter.statuses(leaked, PIER, device="a") == ["revoked_key"]
    assert await counter.statuses(screen, PIER, device="b") == ["revoked_key"]
    # The telephone goes on with its own secret, under the new signature; the reprint counts.
    assert await counter.statuses(phone.screen(on_phone, AT_PIER), PIER, device="c") == ["accepted"]
    assert await counter.statuses(fresh[1]["payload"], PIER, device="d") == ["accepted"]
    heard = await fetch_revocations(counter)
    assert heard.keys == {1}
    assert heard.first_editions == {on_phone["ticket_ref"]: 2, on_paper["ticket_ref"]: 1}


async def test_killed_while_signing_anew_it_goes_on_after_the_restart(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FixedClock(BOUGHT_AT)

    async def never(_self: Codes, **_after: str) -> None:
        return None

    with monkeypatch.context() as patched:
        patched.setattr(Codes, "reissue_some", never)
        async with open_counter(database_url, tmp_path, clock) as before:
            ticket = await buy(before)
            # Killed after the key file was written, before anything reached the database.
            codes = next(
                worker.__self__
                for worker in before.house.services["ticketing"].workers
                if isinstance(getattr(worker, "__self__", None), Codes)
            )
            codes.keys.revoke(1, clock.now())
    async with open_counter(database_url, tmp_path, clock) as after:
        for _ in range(100):
            _, found = await after.house.call("GET", f"/api/tickets/{ticket['ticket_id']}")
            if found["code"]["edition"] == 1:
                break
            await asyncio.sleep(0.05)
        assert await after.statuses(found["payload"], PIER) == ["accepted"]
        assert (await fetch_revocations(after)).keys == {1}


async def test_binding_needs_the_devices_own_proof_for_this_edition(counter: Counter) -> None:
    ticket = await buy(counter)
    phone, thief = Phone(counter), Phone(counter, "mallory")
    status, answer = await phone.register(signed_for="mallory")
    assert (status, answer["code"]) == (422, "device_proof_invalid")
    await phone.register()
    await thief.register()
    # Of another's ticket; with another's device; for another edition than was signed for.
    assert (await thief.bind(ticket))[0] == 404
    status, answer = await phone.bind(ticket, device_id=thief.device_id)
    assert (status, answer["code"]) == (404, "ticket_device_not_found")
    body = phone.binding(ticket, edition=2) | {"edition": 1}
    path = f"/api/tickets/{ticket['ticket_id']}/device-code"
    status, answer = await phone.call("POST", path, body)
    assert (status, answer["code"]) == (422, "device_proof_invalid")
    status, answer = await phone.bind(ticket, edition=2)
    assert (status, answer["code"]) == (409, "conflict")
    # The right one counts once; its repeat answers the same; replayed after a move it is out of date.
    body = phone.binding(ticket)
    first = await phone.call("POST", path, body)
    assert first[0] == 201
    assert await phone.call("POST", path, body) == first
    await phone.call("POST", f"/api/tickets/{ticket['ticket_id']}/static-code")
    assert (await phone.call("POST", path, body))[0] == 409


@pytest.mark.parametrize(
    "changes",
    [
        {"valid_from": "2026-05-19T03:59:00+09:00"},
        {"valid_until": "2026-05-23T04:00:00+09:00"},
        {"valid_from": "2026-05-20T04:00:30+09:00"},
        {"period_s": 10},  # two days of ten seconds are 17,280 periods, more than 16,384
        {"valid_until": "2026-05-20T18:59:00+09:00"},  # over before now
    ],
)
async def test_a_window_that_no_chain_covers_is_refused(counter: Counter, changes: dict[str, Any]) -> None:
    phone = Phone(counter)
    await phone.register()
    status, answer = await phone.bind(await buy(counter), **changes)
    assert (status, answer["code"]) == (422, "binding_invalid")


async def test_nobody_keeps_a_drawer_full_of_telephones(counter: Counter) -> None:
    phones = [Phone(counter) for _ in range(11)]
    statuses = [(await phone.register())[0] for phone in phones]
    assert statuses == [201] * 10 + [409]
    assert (await phones[0].register())[0] == 201
    await phones[1].call("DELETE", f"/api/ticket-devices/{phones[1].device_id}")
    assert (await phones[10].register())[0] == 201
    _, listed = await phones[0].call("GET", "/api/ticket-devices")
    assert len(listed["devices"]) == 11


async def test_two_telephones_bind_at_once_and_one_wins(counter: Counter) -> None:
    ticket = await buy(counter)
    phones = [Phone(counter), Phone(counter)]
    for phone in phones:
        await phone.register()
    answers = await asyncio.gather(*(phone.bind(ticket) for phone in phones))
    assert sorted(status for status, _ in answers) == [201, 409]


async def test_used_static_tickets_are_published(counter: Counter) -> None:
    on_paper, on_phone = await buy(counter), await buy(counter)
    phone = await bound(counter, on_phone)
    await counter.statuses(on_paper["payload"], PIER, device="a")
    await counter.statuses(phone.screen(on_phone, AT_PIER), PIER, device="b")
    await counter.settle()

    async def since(number: int) -> Any:
        _, body = await counter.house.call(
            "GET", f"/api/ticketing/uses?since={number}", role=Role.VALIDATOR, operator_id=TOKAI
        )
        return body

    body = await since(0)
    assert [(each["ticket_ref"], each["fare_index"]) for each in body["uses"]] == [
        (on_paper["ticket_ref"], SHIP)
    ]
    assert (await since(body["latest"]))["uses"] == []
    await counter.statuses(on_paper["payload"], EVENING[5], device="c")
    await counter.settle()
    assert [each["fare_index"] for each in (await since(body["latest"]))["uses"]] == [BUS]


def test_the_key_of_a_secure_enclave_is_understood() -> None:
    key = generate_private_key(SECP256R1())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    signature = key.sign(b"bind this", ECDSA(SHA256()))
    assert has_device_signed(point, signature, b"bind this")
    assert not has_device_signed(point, signature, b"bind that")
