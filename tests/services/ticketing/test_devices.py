"""Devices: only signed batches of registered ones count; swapped ones are seen, and put right."""

import asyncio
import itertools
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.platform.auth import Role
from tests.support.counter import EVENING, Counter, open_counter, tap_body
from tests.support.tickets import OEDO, TOKAI, tokyo_time

IN, OUT = EVENING[:2]
ORIGIN, DESTINATION = (f"demo:{tap[2]}" for tap in (IN, OUT))


async def payload_of(counter: Counter) -> tuple[Any, str]:
    event = await counter.confirm()
    return event, (await counter.tickets(event))[0]["payload"]


async def count_taps(counter: Counter) -> int:
    return int(await counter.context.database.fetchval("select count(*) from tap"))


async def test_an_unsigned_or_wrongly_signed_batch_is_refused_whole(counter: Counter) -> None:
    _, payload = await payload_of(counter)
    for device in ("a", "b"):
        await counter.put_device(device, operator_id="Toei")
    raw = orjson.dumps({"device_id": "a", "taps": [tap_body(payload, *IN)]})
    status, answer = await counter.house.call(
        "POST", "/api/taps", role=Role.VALIDATOR, operator_id="Toei", raw=raw
    )
    assert (status, answer["code"]) == (400, "tap_signature_missing")
    assert "Content-Digest" in answer["detail"]
    # Signed by b, which has a key of its own; signed as a by somebody else; changed after signing.
    status, answer = await counter.send_raw(raw, "b", operator="Toei")
    assert (status, answer["code"]) == (403, "tap_signature_invalid")
    genuine = counter.devices["a"]
    counter.devices["a"] = Ed25519PrivateKey.generate()
    status, answer = await counter.send_raw(raw, "a", operator="Toei")
    assert (status, answer["code"]) == (403, "tap_signature_invalid")
    counter.devices["a"] = genuine
    digest = "sha-256=:" + "A" * 43 + "=:"
    status, answer = await counter.send_raw(raw, "a", operator="Toei", **{"Content-Digest": digest})
    assert (status, answer["code"]) == (403, "tap_signature_invalid")
    assert await count_taps(counter) == 0
    assert (await counter.send_raw(raw, "a", operator="Toei"))[0] == 200


async def test_a_bad_batch_does_not_spoil_those_gathered_with_it(counter: Counter) -> None:
    _, payload = await payload_of(counter)
    raws = {}
    for device in ("a", "b", "c", "stranger"):
        await counter.put_device(device, operator_id="Toei")
        raws[device] = orjson.dumps({"device_id": device, "taps": [tap_body(payload, *IN)]})
    raws["stranger"] = raws["a"].replace(b'"device_id":"a"', b'"device_id":"b"')
    answers = await asyncio.gather(
        *(counter.send_raw(raw, device, operator="Toei") for device, raw in raws.items())
    )
    assert [status for status, _ in answers] == [200, 200, 200, 403]
    assert await count_taps(counter) == 3


@pytest.mark.parametrize(("state", "reason"), [("denied", "denied"), ("retired", "retired")])
async def test_a_denied_or_retired_device_taps_no_more(counter: Counter, state: str, reason: str) -> None:
    event, payload = await payload_of(counter)
    await counter.put_device("Toei/gate", operator_id="Toei")
    assert await counter.statuses(payload, IN) == ["accepted"]
    counter.clock.set(tokyo_time(20, "21:00"))
    status, body = await counter.put_device("Toei/gate", operator_id="Toei", state=state)
    assert (status, body["state"]) == (200, state)
    status, answer = await counter.tap(payload, ("exit", *OUT[1:3], "21:01"))
    assert (status, answer["code"], answer["reason"]) == (403, "device_refused", reason)
    # What a retired one saw before it retired is still owed its ride; nothing of a stolen one is.
    status, _ = await counter.tap(payload, OUT)
    assert status == (200 if state == "retired" else 403)
    assert list(await counter.rated(event)) == ([OEDO] if state == "retired" else [])


async def test_an_unknown_device_and_another_operators_are_refused(counter: Counter) -> None:
    _, payload = await payload_of(counter)
    raw = orjson.dumps({"device_id": "ghost", "taps": [tap_body(payload, *IN)]})
    counter.devices["ghost"] = Ed25519PrivateKey.generate()
    status, answer = await counter.send_raw(raw, "ghost", operator="Toei")
    assert (status, answer["code"], answer["reason"]) == (403, "device_refused", "unknown")
    await counter.put_device("ghost", operator_id="Yurikamome")
    status, answer = await counter.send_raw(raw, "ghost", operator="Toei")
    assert (status, answer["code"], answer["reason"]) == (403, "device_refused", "unknown")
    status, answer = await counter.put_device("ghost", operator_id="Toei")
    assert (status, answer["code"]) == (409, "conflict")


async def test_registering_is_for_administrators_and_checks_the_key(counter: Counter) -> None:
    for role in (Role.VALIDATOR, Role.CLERK, Role.TRAVELLER):
        status, _ = await counter.house.call(
            "PUT", "/api/ticketing/devices/a", role=role, operator_id="Toei", body={}
        )
        assert status == 403
    for key in ("", "AAAA", "not base64!"):
        status, answer = await counter.house.call(
            "PUT",
            "/api/ticketing/devices/a",
            role=Role.ADMIN,
            body={"operator_id": "Toei", "public_key": key},
        )
        assert (status, answer["code"]) == (422, "validation_failed")
        assert answer["errors"][0]["field"] == "body.public_key"
    status, answer = await counter.house.call("GET", "/api/ticketing/devices/a", role=Role.ADMIN)
    assert (status, answer["code"]) == (404, "device_not_found")


async def test_a_device_that_says_another_place_is_seen_and_counts_where_it_stands(counter: Counter) -> None:
    event, payload = await payload_of(counter)
    await counter.put_device("Toei/in", operator_id="Toei", stop_id=ORIGIN)
    await counter.put_device("Toei/out", operator_id="Toei", stop_id=DESTINATION)
    # The gate has the wrong station's name, its clock is a minute ahead, one tap is lost on the way.
    wrong = {**tap_body(payload, *IN), "stop_id": "demo:Toei.Oedo.Nerima", "sequence": 7}
    lost_after = {**tap_body(payload, *IN), "sequence": 9}
    counter.clock.set(tokyo_time(20, "20:30"))
    status, answer = await counter.send([wrong, lost_after], operator="Toei", device="in")
    assert status == 200, answer
    assert answer["answers"][0]["status"] == "accepted"
    assert await counter.statuses(payload, OUT, device="out") == ["accepted"]
    assert list(await counter.rated(event)) == [OEDO]
    _, report = await counter.house.call("GET", "/api/ticketing/devices/Toei%2Fin", role=Role.ADMIN)
    health = report["health"]
    assert (health["elsewhere_count"], health["missing_count"], health["clock_ahead_s"]) == (1, 1, 60.0)
    assert (health["tap_count"], health["last_sequence"]) == (2, 9)
    _, body = await counter.house.call("GET", "/api/ticketing/devices?operator_id=Toei", role=Role.ADMIN)
    assert [device["device_id"] for device in body["devices"]] == ["Toei/in", "Toei/out"]


@pytest.mark.parametrize("first", ["taps", "correction"])
async def test_two_swapped_devices_end_right_whether_the_taps_or_the_correction_came_first(
    counter: Counter, first: str
) -> None:
    event, payload = await payload_of(counter)
    mounted_at = tokyo_time(20, "05:00")
    # Each is registered at the other's gate, and believes it.
    await counter.put_device("Toei/a", operator_id="Toei", stop_id=DESTINATION)
    await counter.put_device("Toei/b", operator_id="Toei", stop_id=ORIGIN)

    async def correct() -> None:
        for device, stop_id in (("Toei/a", ORIGIN), ("Toei/b", DESTINATION)):
            status, body = await counter.put_device(
                device, operator_id="Toei", stop_id=stop_id, placed_from=mounted_at.isoformat()
            )
            assert status == 200, body

    async def ride() -> None:
        for device, believed, tap in (("a", DESTINATION, IN), ("b", ORIGIN, OUT)):
            body = {**tap_body(payload, *tap), "stop_id": believed}
            counter.clock.set(tokyo_time(20, tap[3]))
            assert (await counter.send([body], operator="Toei", device=device))[0] == 200

    for step in (correct, ride) if first == "correction" else (ride, correct):
        await step()
    assert list(await counter.rated(event)) == [OEDO]
    assert [(ride["state"], ride["component_index"]) for ride in await counter.rides()] == [
        ("complete", OEDO)
    ]
    # A correction that is sent again changes nothing.
    await correct()
    assert len(await counter.rides()) == 1


async def test_media_of_replaced_taps_are_due_again(counter: Counter) -> None:
    await counter.put_device("Toei/a", operator_id="Toei", stop_id=DESTINATION)
    tap = tap_body("", *IN)
    del tap["payload"]
    await counter.send([{**tap, "medium": "m_6f1c2a9b77e0"}], operator="Toei", device="a")
    database = counter.context.database
    await database.execute("delete from medium_due")
    early = tokyo_time(20, "05:00").isoformat()
    await counter.put_device("Toei/a", operator_id="Toei", stop_id=ORIGIN, placed_from=early)
    assert await database.fetchval("select medium_ref from medium_due") == "m_6f1c2a9b77e0"
    assert await database.fetchval("select stop_id from tap") == ORIGIN


async def test_two_processes_at_one_database_let_a_copied_ticket_in_once(
    counter: Counter, database_url: str, tmp_path: Path
) -> None:
    event, payload = await payload_of(counter)
    pier = EVENING[4]
    counter.clock.set(tokyo_time(20, "21:45"))
    # The second process has the same keys, and devices that were registered at the first.
    async with open_counter(database_url, tmp_path, counter.clock) as other:
        other.devices = counter.devices
        for number in range(8):
            await counter.put_device(f"{TOKAI}/gate-{number}", operator_id=TOKAI)
        answers = await asyncio.gather(
            *(
                (counter, other)[number % 2].statuses(payload, pier, device=f"gate-{number // 2}")
                for number in range(16)
            )
        )
        # Each gate's tap went to both: the second to come is told what the first was.
        assert sorted(itertools.chain(*answers)) == ["accepted"] * 2 + ["already_used"] * 14
        assert await count_taps(counter) == 8
        assert len(await counter.rated(event)) == 1
