"""The rows of this service.

Invariant A row is saved only over the version it was read at; who loses reads again and decides again.
"""

import hashlib
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from payments.errors import PaymentNotFound
from payments.money import Money
from payments.payment import RefundOutcome, Wanted, is_settled
from payments.ports import Payment, PaymentPurpose, PaymentState, Refund, RefundState
from services.payments.provider import News
from services.platform.database import Database, load_queries

queries = load_queries(__file__)

TAKE_UP_S = 30.0
"""A driver that died is followed by another after so long."""
LOOK_AGAIN_S = 60.0
"""A traveller who must act, or a refund on its way, is looked at again after so long."""
HOLD_LOOK_S = 6 * 3600.0
"""A card's hold expires after days, and the news of it may be lost: it is looked at again after so long."""
_PAUSE_S_MAX = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRow:
    """A payment with what only this service knows of it."""

    payment: Payment
    wanted: Wanted
    method: str | None
    off_session: bool
    provider_id: str | None
    charge_id: str | None
    hold_at: datetime | None
    version: int
    attempts: int

    @property
    def is_settled(self) -> bool:
        """Nothing is left for us to do now."""
        return is_settled(self.payment.state, self.wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRow:
    """A refund with what only this service knows of it. `root_id`: the first try, as its owner knows it."""

    refund: Refund
    root_id: UUID
    into_wallet: bool
    outcome: RefundOutcome
    provider_id: str | None
    failure: str | None
    version: int
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """A call to the provider as it was written down before it was made. `is_first`: none was made before."""

    key: str
    is_first: bool


class PaymentsStore:
    """The door to the service's tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert_payment(self, payment: Payment, opened_at: datetime) -> None:
        """Make a payment known; a repeat changes nothing."""
        await self._database.execute(
            queries["insert_payment"],
            payment.payment_id,
            payment.order_id,
            payment.traveller_id,
            payment.amount.amount_minor,
            payment.amount.currency,
            payment.state.value,
            Wanted.NOTHING.value,
            opened_at,
            payment.purpose.value,
            list(payment.modes),
        )

    async def get_payment(self, payment_id: UUID) -> PaymentRow:
        """The payment. Raises PaymentNotFound."""
        return _payment_row(await self._database.fetchrow(queries["find_payment"], payment_id), payment_id)

    async def has_payment(self, payment_id: UUID) -> bool:
        """Whether we know a payment of this id; another house may share the provider's account."""
        return await self._database.fetchrow(queries["find_payment"], payment_id) is not None

    async def lock_payment(self, tx: Any, payment_id: UUID) -> PaymentRow:
        """The payment, locked until the transaction ends. Raises PaymentNotFound."""
        return _payment_row(await tx.fetchrow(queries["lock_payment"], payment_id), payment_id)

    async def save_payment(self, row: PaymentRow, tx: Any = None) -> PaymentRow | None:
        """The row at its new version, or None when somebody else has written it since."""
        payment = row.payment
        version = await (tx or self._database).fetchval(
            queries["save_payment"],
            payment.payment_id,
            row.version,
            payment.state.value,
            payment.decline_code,
            payment.next_action_url,
            payment.captured.amount_minor,
            row.wanted.value,
            row.method,
            row.provider_id,
            row.charge_id,
            row.hold_at,
            row.attempts,
            _next_payment_look_s(row),
            row.off_session,
        )
        return None if version is None else replace(row, version=version)

    async def rest_payment(self, row: PaymentRow) -> None:
        """There was nothing to do at this version of the row."""
        await self._database.execute(
            queries["rest_payment"], row.payment.payment_id, row.version, _next_payment_look_s(row)
        )

    async def forget_provider(self, row: PaymentRow) -> None:
        """What the provider has of this payment was let go there: a later card begins anew."""
        async with self._database.transaction() as tx:
            if await self.save_payment(replace(row, provider_id=None, charge_id=None), tx) is not None:
                await tx.execute(queries["leave_calls"], row.payment.payment_id)

    async def note_payment_failure(self, row: PaymentRow, error: str) -> None:
        """Try again later, and later each time; unless somebody else has come further."""
        await self._database.execute(
            queries["note_payment_failure"],
            row.payment.payment_id,
            row.version,
            pause_s(row.attempts),
            error[:500],
        )

    async def add_refunded(self, tx: Any, payment_id: UUID, amount_minor: int) -> None:
        """Book a refund on its payment; negative takes it back."""
        await tx.execute(queries["add_refunded"], payment_id, amount_minor)

    async def insert_refund(
        self,
        tx: Any,
        refund: Refund,
        opened_at: datetime,
        *,
        into_wallet: bool = False,
        retry_of: UUID | None = None,
    ) -> None:
        """A refund, pending or refused; `retry_of` names the failed try that it follows."""
        await tx.execute(
            queries["insert_refund"],
            refund.refund_id,
            refund.payment_id,
            refund.amount.amount_minor,
            refund.amount.currency,
            refund.reason,
            refund.state.value,
            RefundOutcome.UNDECIDED.value,
            opened_at,
            TAKE_UP_S if refund.state is RefundState.PENDING else None,
            into_wallet,
            retry_of,
        )

    async def find_latest_try(self, tx: Any, refund_id: UUID) -> RefundRow | None:
        """The last try of the refund that was first asked for under this id, or None."""
        row = await tx.fetchrow(queries["find_latest_try"], refund_id)
        return None if row is None else _refund_row(row)

    async def find_refund(self, refund_id: UUID, tx: Any = None) -> RefundRow | None:
        """The refund, or None."""
        row = await (tx or self._database).fetchrow(queries["find_refund"], refund_id)
        return None if row is None else _refund_row(row)

    async def get_refund(self, refund_id: UUID) -> RefundRow:
        """A refund that is known to exist."""
        row = await self.find_refund(refund_id)
        assert row is not None, "a refund is never deleted"
        return row

    async def sum_pending_refunds(self, tx: Any, payment_id: UUID) -> int:
        """What is being refunded of a payment, in minor units."""
        total: int = await tx.fetchval(queries["sum_pending_refunds"], payment_id)
        return total

    async def save_refund(self, row: RefundRow, tx: Any = None) -> RefundRow | None:
        """The row at its new version, or None when somebody else has written it since."""
        version = await (tx or self._database).fetchval(
            queries["save_refund"],
            row.refund.refund_id,
            row.version,
            row.refund.state.value,
            row.outcome.value,
            row.provider_id,
            row.failure,
            _next_refund_look_s(row),
        )
        return None if version is None else replace(row, version=version)

    async def rest_refund(self, row: RefundRow) -> None:
        """There was nothing to do at this version of the row."""
        await self._database.execute(
            queries["rest_refund"], row.refund.refund_id, row.version, _next_refund_look_s(row)
        )

    async def note_refund_failure(self, row: RefundRow, error: str) -> None:
        """Try again later, and later each time; unless somebody else has come further."""
        await self._database.execute(
            queries["note_refund_failure"],
            row.refund.refund_id,
            row.version,
            pause_s(row.attempts),
            error[:500],
        )

    async def begin_call(self, kind: str, subject_id: UUID, params: dict[str, Any]) -> CallRow:
        """Write down the key of a call before it is made.

        The key of an earlier try is used again while its answer is unknown or may be replayed; a new one is
        taken when the earlier call is known to have ended badly, was for something else, or is a day old.
        """
        text = orjson.dumps(params, option=orjson.OPT_SORT_KEYS)
        digest = hashlib.sha256(text).digest()
        latest = await self._database.fetchrow(queries["find_latest_call"], subject_id, kind)
        if latest is not None and _is_repeatable(latest, digest):
            return CallRow(key=latest["key"], is_first=False)
        generation = 1 if latest is None else latest["generation"] + 1
        key = f"{kind}:{subject_id}:{generation}"
        await self._database.execute(
            queries["insert_call"], key, kind, subject_id, generation, orjson.loads(text), digest
        )
        return CallRow(key=key, is_first=latest is None)

    async def end_call(self, key: str, state: str, result: Any) -> None:
        """What became of a call: answered, refused or faulted."""
        shown = {"error": str(result)} if isinstance(result, Exception) else asdict(result)
        await self._database.execute(queries["end_call"], key, state, shown)

    async def insert_webhook(
        self, news: News, payment_id: UUID | None, refund_id: UUID | None, *, is_heard: bool
    ) -> bool:
        """Keep an event of the provider; False when it came before. `is_heard`: a room hears of it."""
        concerns_us = is_heard or payment_id is not None or refund_id is not None
        fresh = await self._database.fetchval(
            queries["insert_webhook"],
            news.event_id,
            news.event_type,
            payment_id,
            refund_id,
            news.told_at,
            concerns_us,
            news.object_kind,
            news.object_id,
        )
        return fresh is not None

    async def find_payment_id(self, provider_id: str) -> UUID | None:
        """Our payment of the provider's id."""
        found: UUID | None = await self._database.fetchval(
            queries["find_payment_by_provider_id"], provider_id
        )
        return found

    async def find_refund_id(self, provider_id: str) -> UUID | None:
        """Our refund of the provider's id."""
        found: UUID | None = await self._database.fetchval(queries["find_refund_by_provider_id"], provider_id)
        return found

    async def claim(self, what: str, *, at_once: bool, limit: int) -> list[Any]:
        """Unfinished `payments`, `refunds` or `webhooks` whose time has come, or all of them `at_once`."""
        rows: list[Any] = await self._database.fetch(queries[f"claim_{what}"], at_once, limit)
        return rows

    async def finish_webhook(self, event_id: str) -> None:
        """The event has had its effect."""
        await self._database.execute(queries["finish_webhook"], event_id)

    async def note_webhook_failure(self, event_id: str, attempts: int, error: str) -> None:
        """Try again later, and later each time."""
        await self._database.execute(
            queries["note_webhook_failure"], event_id, pause_s(attempts), error[:500]
        )

    async def list_failed_refunds(self, *, limit: int) -> list[Any]:
        """Refunds whose last try failed or came back, the oldest first."""
        return await self._database.fetch(queries["list_failed_refunds"], limit)

    async def list_rows(self, name: str) -> list[Any]:
        """The rows of a query without arguments, for reconciliation."""
        return await self._database.fetch(queries[name])


def _is_repeatable(latest: Any, digest: bytes) -> bool:
    return (
        latest["state"] in ("started", "answered")
        and latest["params_hash"] == digest
        and not latest["is_stale"]
    )


def pause_s(attempts: int) -> float:
    """How long to wait before the next try: longer each time, at most five minutes."""
    return min(_PAUSE_S_MAX, float(2 ** min(attempts, 10)))


def _next_payment_look_s(row: PaymentRow) -> float | None:
    if not row.is_settled:
        return TAKE_UP_S
    if row.payment.state is PaymentState.AUTHORISED and row.provider_id is not None:
        return HOLD_LOOK_S
    return LOOK_AGAIN_S if row.payment.state is PaymentState.REQUIRES_ACTION else None


def _next_refund_look_s(row: RefundRow) -> float | None:
    return LOOK_AGAIN_S if row.refund.state is RefundState.PENDING else None


def _payment_row(row: Any, payment_id: UUID) -> PaymentRow:
    if row is None:
        raise PaymentNotFound(f"No payment has the id {payment_id}. Take the id from the order.")
    currency = row["currency"]
    payment = Payment(
        payment_id=row["payment_id"],
        order_id=row["order_id"],
        traveller_id=row["traveller_id"],
        amount=Money(row["amount_minor"], currency),
        captured=Money(row["captured_minor"], currency),
        refunded=Money(row["refunded_minor"], currency),
        state=PaymentState(row["state"]),
        decline_code=row["decline_code"],
        next_action_url=row["next_action_url"],
        purpose=PaymentPurpose(row["purpose"]),
        modes=tuple(row["modes"]),
    )
    return PaymentRow(
        payment=payment,
        wanted=Wanted(row["wanted"]),
        method=row["payment_method"],
        off_session=row["off_session"],
        provider_id=row["provider_id"],
        charge_id=row["charge_id"],
        hold_at=row["hold_at"],
        version=row["version"],
        attempts=row["attempts"],
    )


def _refund_row(row: Any) -> RefundRow:
    refund = Refund(
        refund_id=row["refund_id"],
        payment_id=row["payment_id"],
        amount=Money(row["amount_minor"], row["currency"]),
        reason=row["reason"],
        state=RefundState(row["state"]),
    )
    return RefundRow(
        refund=refund,
        root_id=row["root_id"],
        into_wallet=row["into_wallet"],
        outcome=RefundOutcome(row["outcome"]),
        provider_id=row["provider_id"],
        failure=row["failure"],
        version=row["version"],
        attempts=row["attempts"],
    )
