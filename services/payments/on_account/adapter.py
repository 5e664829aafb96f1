"""Payments on a business customer's account, behind the same `Provider` protocol as Stripe.

Problem   Companies pay for their people's travel once a month, by invoice and bank transfer.
Idea      The provider is a few tables of our own. A payment is an item that is created, held against the
          business's limit, taken and later invoiced. Every command locks the item (and the business, where
          the limit counts), so that a repeat finds what the first has done; `create` is one item for its key.
Invariant What a business has open (held, or taken and not paid) never exceeds its limit at the time it was
          held.
Not here  Invoices and their payment (invoicing.py); which payment goes to which provider (switch.py).
"""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from payments.errors import ProviderRefused
from payments.money import Money
from payments.movements import Movement
from payments.payment import ProviderReport, ProviderState
from payments.ports import RefundState
from services.payments.provider import News, RefundReport, WebhookRefused
from services.platform.database import Database, load_queries

queries = load_queries(__file__)

METHOD = "on_account"
ITEM_PREFIX, REFUND_PREFIX = "oa_", "oar_"
_STATES = {
    "created": ProviderState.UNCONFIRMED,
    "declined": ProviderState.DECLINED,
    "held": ProviderState.HELD,
    "taken": ProviderState.TAKEN,
    "cancelled": ProviderState.CANCELLED,
}


def is_on_account(method: str | None) -> bool:
    """Whether this payment method is a business customer's account."""
    return method == METHOD


class OnAccountProvider:
    """Business customers' accounts as a payment provider."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_business(self, traveller_id: str) -> str | None:
        """Whose account this traveller may use, or None."""
        found: str | None = await self._database.fetchval(queries["find_business_of"], traveller_id)
        return found

    async def create(
        self, *, key: str, payment_id: UUID, order_id: UUID, amount: Money, payment_method: str
    ) -> ProviderReport:
        """As Provider.create."""
        # The item names its payment, and the payment names its order.
        del order_id
        assert is_on_account(payment_method), "the switch chose this provider"
        item_id = ITEM_PREFIX + sha256(key.encode()).hexdigest()[:24]
        await self._database.execute(
            queries["insert_item"], item_id, key, payment_id, amount.amount_minor, amount.currency
        )
        return _report_of(await self._database.fetchrow(queries["find_item_by_key"], key))

    async def confirm(
        self,
        *,
        key: str,
        provider_id: str,
        payment_method: str,
        return_url: str,
        customer: str | None,
        off_session: bool,
    ) -> ProviderReport:
        """As Provider.confirm; `customer` is the business. Declined beyond its limit."""
        # Nobody is asked on the way, and the item itself remembers: its state is the reply to a repeat.
        del key, payment_method, return_url, off_session
        async with self._database.transaction() as tx:
            business = await tx.fetchrow(queries["lock_business"], customer)
            item = await _lock(tx, provider_id)
            if item["state"] not in ("created", "declined"):
                return _report_of(item)
            decline = await _find_decline(tx, business, item["amount_minor"])
            state = "held" if decline is None else "declined"
            business_id = None if business is None else business["business_id"]
            await tx.execute(queries["set_item"], provider_id, state, business_id, decline)
            return _report_of(await _lock(tx, provider_id))

    async def capture(self, *, key: str, provider_id: str, amount: Money) -> ProviderReport:
        """As Provider.capture."""
        assert key, "as confirm"
        async with self._database.transaction() as tx:
            item = await _lock(tx, provider_id)
            if item["state"] == "held":
                if amount.amount_minor != item["amount_minor"]:
                    raise ProviderRefused("amount_differs")
                await tx.execute(queries["set_item"], provider_id, "taken", None, None)
            return _report_of(await _lock(tx, provider_id))

    async def cancel(self, *, key: str, provider_id: str) -> ProviderReport:
        """As Provider.cancel."""
        assert key, "as confirm"
        async with self._database.transaction() as tx:
            item = await _lock(tx, provider_id)
            if item["state"] != "taken":
                await tx.execute(queries["set_item"], provider_id, "cancelled", None, None)
            return _report_of(await _lock(tx, provider_id))

    async def get(self, *, provider_id: str) -> ProviderReport:
        """As Provider.get."""
        row = await self._database.fetchrow(queries["find_item"], provider_id)
        if row is None:
            raise ProviderRefused("resource_missing")
        return _report_of(row)

    async def find(self, *, payment_id: UUID) -> ProviderReport | None:
        """As Provider.find."""
        row = await self._database.fetchrow(queries["find_item_of"], payment_id)
        return None if row is None else _report_of(row)

    async def refund(
        self, *, key: str, provider_id: str, payment_id: UUID, refund_id: UUID, amount: Money
    ) -> RefundReport:
        """As Provider.refund: taken off what the business owes, or off its next invoice."""
        assert key, "one refund for its id"
        async with self._database.transaction() as tx:
            item = await _lock(tx, provider_id)
            assert item["payment_id"] == payment_id, "a refund is of its payment's item"
            if await tx.fetchrow(queries["find_refund"], refund_id) is None:
                if item["state"] != "taken":
                    raise ProviderRefused("payment_intent_unexpected_state")
                if amount.amount_minor > item["amount_minor"] - item["refunded_minor"]:
                    raise ProviderRefused("refund_exceeds_what_was_taken")
                await tx.execute(queries["insert_refund"], refund_id, provider_id, amount.amount_minor)
                await tx.execute(queries["add_refunded"], provider_id, amount.amount_minor)
        return _refunded(refund_id)

    async def get_refund(self, *, provider_refund_id: str) -> RefundReport:
        """As Provider.get_refund."""
        refund_id = UUID(provider_refund_id.removeprefix(REFUND_PREFIX))
        if await self._database.fetchrow(queries["find_refund"], refund_id) is None:
            raise ProviderRefused("resource_missing")
        return _refunded(refund_id)

    async def find_refund(self, *, provider_id: str, refund_id: UUID) -> RefundReport | None:
        """As Provider.find_refund."""
        row = await self._database.fetchrow(queries["find_refund"], refund_id)
        return None if row is None or row["item_id"] != provider_id else _refunded(refund_id)

    async def list_movements(self, *, since: datetime | None = None) -> list[Movement]:
        """None: a business's money moves when its invoice is paid, at our own bank."""
        assert since is None or since.tzinfo is not None, "an instant is aware"
        return []

    def read_news(self, *, body: bytes, headers: Mapping[str, str], now: datetime) -> News:
        """Nobody sends us news of our own tables."""
        raise WebhookRefused(f"{len(body)} bytes, {len(headers)} headers at {now}: this provider sends none.")

    async def close(self) -> None:
        """The database is closed by its owner."""


async def _lock(tx: Any, item_id: str) -> Any:
    row = await tx.fetchrow(queries["lock_item"], item_id)
    if row is None:
        raise ProviderRefused("resource_missing")
    return row


async def _find_decline(tx: Any, business: Any, amount_minor: int) -> str | None:
    if business is None:
        return "no_business_account"
    open_minor = await tx.fetchval(queries["sum_open"], business["business_id"])
    return "credit_limit_exceeded" if open_minor + amount_minor > business["credit_limit_minor"] else None


def _report_of(row: Any) -> ProviderReport:
    return ProviderReport(
        state=_STATES[row["state"]], provider_id=row["item_id"], decline_code=row["decline_code"]
    )


def _refunded(refund_id: UUID) -> RefundReport:
    return RefundReport(provider_id=f"{REFUND_PREFIX}{refund_id}", state=RefundState.SUCCEEDED)
