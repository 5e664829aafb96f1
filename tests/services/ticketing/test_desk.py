"""Codes read by telephone: they name a ticket, let it pass like a gate would, and are not guessed."""

from datetime import timedelta
from typing import Any

from maas.tickets.phone_code import draw_phone_code, spell, with_check
from services.platform.auth import Role
from tests.support.counter import BOUGHT_AT, EVENING, Counter
from tests.support.tickets import SHIP, TOKAI


async def ask(
    counter: Counter, what: str, subject: str = "clerk", operator: str | None = TOKAI, **body: Any
) -> tuple[int, Any]:
    return await counter.house.call(
        "POST",
        f"/api/ticketing/phone-codes/{what}",
        subject=subject,
        role=Role.CLERK,
        operator_id=operator,
        body=body,
    )


async def test_a_clerk_sees_the_ticket_and_only_the_own_operators_fares(counter: Counter) -> None:
    event = await counter.confirm()
    (ticket,) = await counter.tickets(event)
    status, found = await ask(counter, "look-ups", code=spell(ticket["phone_code"]).lower())
    assert status == 200, found
    assert found["ticket_ref"] == ticket["ticket_ref"]
    assert [fare["fare_index"] for fare in found["fares"]] == [SHIP]
    assert found["riders"] == {"adult": 1}
    assert "alice" not in str(found)
    status, _ = await counter.house.call(
        "POST", "/api/ticketing/phone-codes/look-ups", role=Role.TRAVELLER, body={"code": "x"}
    )
    assert status == 403


async def test_a_use_by_telephone_is_a_ride_once(counter: Counter) -> None:
    event = await counter.confirm()
    (ticket,) = await counter.tickets(event)
    place = {"code": ticket["phone_code"], "stop_id": "demo:[05]東京・竹芝", "kind": "scan"}
    status, answer = await ask(counter, "uses", **place)
    assert (status, answer["status"]) == (200, "accepted")
    assert list(await counter.rated(event)) == [SHIP]
    _, again = await ask(counter, "uses", **place)
    assert again["status"] == "already_used"
    # The same ticket's own code is used up with it.
    assert await counter.statuses(ticket["payload"], EVENING[4]) == ["already_used"]


async def test_a_slip_of_the_tongue_is_told_and_a_guesser_waits(counter: Counter) -> None:
    (ticket,) = await counter.tickets(await counter.confirm())
    code = ticket["phone_code"]
    slip = ("0" if code[0] != "0" else "1") + code[1:]
    for _ in range(15):
        assert (await ask(counter, "look-ups", code=slip))[1]["code"] == "phone_code_mistyped"
    for _ in range(10):
        assert (await ask(counter, "look-ups", code=draw_phone_code()))[1]["code"] == "phone_code_unknown"
    status, refused = await ask(counter, "look-ups", code=code)
    assert (status, refused["code"]) == (429, "rate_limited")
    # Somebody else is not kept waiting, and the guesser not for ever.
    assert (await ask(counter, "look-ups", subject="another", code=code))[0] == 200
    counter.clock.set(BOUGHT_AT + timedelta(minutes=11))
    assert (await ask(counter, "look-ups", code=code))[0] == 200
    assert with_check(code[:7]) == code
