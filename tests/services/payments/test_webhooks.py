"""What the provider sends by itself: only what is signed, in time and about us has an effect."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from services.payments.stand_in.webhooks import sign
from tests.services.payments.setting import SECRET, Setting, eventually


@pytest.mark.parametrize("offset_s", [-301, 301, 86_000])
async def test_webhooks_too_old_or_from_the_future_are_refused(setting: Setting, offset_s: int) -> None:
    event = a_strange_event()
    now = int(datetime.now(UTC).timestamp())
    # One second of tolerance for the second that may pass between the two readings.
    assert await setting.send_webhook(event, at=now + offset_s + (5 if offset_s > 0 else -5)) == 400
    assert await setting.send_webhook(event, at=now + (290 if offset_s > 0 else -290)) == 200


def a_strange_event(kind: str = "mandate.updated") -> dict[str, Any]:
    return {"id": f"evt_{uuid4().hex}", "type": kind, "created": 1_800_000_000, "data": {"object": {}}}


async def test_a_forged_webhook_is_refused(setting: Setting) -> None:
    assert await setting.send_webhook(a_strange_event(), secret="whsec_wrong") == 400  # noqa: S106
    async with setting.house.client.post("/api/payments/webhooks/stripe", data=b"{}") as unsigned:
        assert unsigned.status == 400
        assert (await unsigned.json())["code"] == "webhook_signature_invalid"
    foreign = {"Stripe-Signature": "t=1,v1=署名"}
    async with setting.house.client.post("/api/payments/webhooks/stripe", headers=foreign) as response:
        assert response.status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b"nonsense",
        b"\xff",
        b'{"id":7,"type":"a","created":1,"data":{"object":{}}}',
        b'{"id":"e","type":"a","created":1,"data":{"object":[]}}',
        b'{"id":"e","type":"a","created":99999999999999999,"data":{"object":{}}}',
    ],
)
async def test_signed_nonsense_is_refused(setting: Setting, body: bytes) -> None:
    signature = sign(body, secret=SECRET, at=int(datetime.now(UTC).timestamp()))
    async with setting.house.client.post(
        "/api/payments/webhooks/stripe", data=body, headers={"Stripe-Signature": signature}
    ) as response:
        assert response.status == 400


async def test_unknown_events_are_acknowledged_and_kept(setting: Setting) -> None:
    event = a_strange_event()
    assert await setting.send_webhook(event) == 200
    assert await setting.send_webhook(event) == 200
    [row] = await setting.rows("select event_type, next_attempt_at from webhook")
    assert (row["event_type"], row["next_attempt_at"]) == ("mandate.updated", None)


async def test_an_event_about_another_houses_payment_changes_nothing(setting: Setting) -> None:
    event = a_strange_event("payment_intent.succeeded")
    stranger = {"object": "payment_intent", "id": "pi_x", "metadata": {"payment_id": str(uuid4())}}
    event["data"]["object"] = stranger
    assert await setting.send_webhook(event) == 200

    async def is_done() -> bool:
        return not await setting.rows("select 1 from webhook where next_attempt_at is not null")

    await eventually(is_done)
