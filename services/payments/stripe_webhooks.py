"""Read Stripe's webhooks: is it theirs, is it of now, and what is it about.

Invariant Nothing is read from a body whose signature is not right. A time-stamp more than five minutes old
          or ahead is refused; the SDK itself would take one a day ahead (facts on payments, rule 18).
"""

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import stripe

from services.payments.provider import News, WebhookRefused

TOLERANCE_S = 300
_TIMESTAMP = re.compile(r"(?:^|,)\s*t=(\d{1,12})(?:,|$)")


def read_news(body: bytes, *, signature: str, secret: str, now: datetime) -> News:
    """The event in a signed body. `now` is real time. Raises WebhookRefused."""
    if not signature.isascii():
        # The SDK compares texts in constant time, which Python does for ASCII only.
        raise WebhookRefused("The signature is no ASCII text.")
    try:
        stripe.WebhookSignature.verify_header(body, signature, secret, tolerance=None)
    except (stripe.SignatureVerificationError, UnicodeDecodeError) as error:
        raise WebhookRefused("The signature does not fit the body and our secret.") from error
    _check_age(signature, now)
    try:
        return _news_of(orjson.loads(body))
    except (AttributeError, KeyError, OSError, OverflowError, TypeError, ValueError) as error:
        raise WebhookRefused("The body is signed but is no event.") from error


def _check_age(signature: str, now: datetime) -> None:
    match = _TIMESTAMP.search(signature)
    if match is None:
        raise WebhookRefused("The signature tells no time.")
    ahead_s = int(match[1]) - now.timestamp()
    if not -TOLERANCE_S <= ahead_s <= TOLERANCE_S:
        raise WebhookRefused(f"The signature's time is {ahead_s:+.0f} s from now; at most 300 are allowed.")


def _news_of(event: dict[str, Any]) -> News:
    item = event["data"]["object"]
    kind = item.get("object")
    metadata = item.get("metadata") or {}
    return News(
        event_id=_text(event["id"]),
        event_type=_text(event["type"]),
        told_at=datetime.fromtimestamp(event["created"], UTC),
        payment_id=_find_uuid(metadata.get("payment_id")),
        refund_id=_find_uuid(metadata.get("refund_id")),
        provider_id=_find_text(item.get("id") if kind == "payment_intent" else item.get("payment_intent")),
        provider_refund_id=_find_text(item.get("id")) if kind == "refund" else None,
        object_kind=_find_text(kind) or "",
        object_id=_find_text(item.get("id")),
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 255 or "\0" in value:  # noqa: PLR2004 - an id's bound
        raise ValueError("an event's id and type are short texts")
    return value


def _find_text(value: object) -> str | None:
    return value if isinstance(value, str) and "\0" not in value else None


def _find_uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
