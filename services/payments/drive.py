"""Bring a payment to where its owner wants it: provider first, then the ledger, then the row.

Problem   The process may die, and the answer may be lost, between any two of the three.
Idea      One round: read the row; push the provider towards the wish (or only ask it where it is); let
          `payments.payment.follow` say what that means; post the ledger's movement; save the row over the
          version it was read at. Each part repeats without harm, so after a crash another driver simply
          starts a round. Rounds go on until the payment is settled.
          A payment from a wallet has the ledger itself for its provider (wallets/paying.py).
Invariant The wish is saved before the provider is asked; the call's key before the call; `hold_at` before the
          ledger's hold; and the ledger moves before the row shows it.
"""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from maas.events import PaymentCaptured
from payments.errors import PaymentsError, ProviderRefused, ProviderUnavailable
from payments.payment import LedgerStep, ProviderReport, ProviderState, Wanted, follow
from payments.ports import PaymentState
from services.payments.books import Books
from services.payments.calls import run_call
from services.payments.methods.store import MethodsStore
from services.payments.on_account.adapter import OnAccountProvider, is_on_account
from services.payments.on_account.switch import is_elsewhere, source_of
from services.payments.provider import Provider
from services.payments.store import PaymentRow, PaymentsStore
from services.payments.wallets.paying import WalletPaying, is_stored_value
from services.platform.context import ServiceContext
from services.platform.errors import PlatformError

_UNCONFIRMED = frozenset({ProviderState.UNCONFIRMED, ProviderState.DECLINED, ProviderState.REQUIRES_ACTION})


class PaymentDriver:
    """Drives payments. Any number of drivers may drive the same payment."""

    def __init__(
        self,
        *,
        context: ServiceContext,
        store: PaymentsStore,
        methods: MethodsStore,
        books: Books,
        provider: Provider,
        on_account: OnAccountProvider,
        wallets: WalletPaying,
    ) -> None:
        self._context = context
        self._store = store
        self._methods = methods
        self._books = books
        self._provider = provider
        self._on_account = on_account
        self._wallets = wallets
        self._locks: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    async def drive(self, payment_id: UUID) -> PaymentRow:
        """The payment, settled. What raises (ProviderUnavailable, for example) is driven on by recovery."""
        lock = self._locks.setdefault(payment_id, asyncio.Lock())
        async with lock:
            return await self._drive(await self._store.get_payment(payment_id))

    async def look(self, payment_id: UUID) -> PaymentRow:
        """The payment brought to where the provider is, also when it was settled before."""
        row = await self._store.get_payment(payment_id)
        if row.is_settled and row.provider_id is not None and not is_stored_value(row.method):
            report = await self._provider.get(provider_id=row.provider_id)
            await self._apply(row, report)
        return await self.drive(payment_id)

    async def _drive(self, row: PaymentRow) -> PaymentRow:
        try:
            while not row.is_settled:
                if row.provider_id is not None and _has_moved(row):
                    await self._leave_card(row, row.provider_id)
                elif not await self._apply(row, await self._push(row)):
                    raise ProviderUnavailable("The payment provider is still working on it. Ask again.")
                row = await self._store.get_payment(row.payment.payment_id)
        except (PaymentsError, PlatformError) as error:
            await self._store.note_payment_failure(row, f"{type(error).__name__}: {error}")
            raise
        return row

    async def _push(self, row: PaymentRow) -> ProviderReport:
        """One step of the provider towards the wish, or where it is when it cannot be pushed."""
        if is_stored_value(row.method):
            return await self._wallets.push(row)
        if row.provider_id is None:
            if row.wanted is Wanted.VOIDED:
                # Whatever was created there was never confirmed: its id is saved before that.
                return ProviderReport(state=ProviderState.UNKNOWN_THERE)
            return await self._create(row)
        if row.wanted is Wanted.AUTHORISED:
            return await self._confirm(row, row.provider_id)
        return await self._resolve(row, row.provider_id)

    async def _leave_card(self, row: PaymentRow, provider_id: str) -> None:
        """A card was tried before, and its payer might still act: it must not hold money as well."""
        call = await self._store.begin_call("cancel", row.payment.payment_id, {"provider_id": provider_id})
        left = await run_call(
            self._store, call.key, lambda key: self._provider.cancel(key=key, provider_id=provider_id)
        )
        if left.state is ProviderState.CANCELLED:
            await self._store.forget_provider(row)
            return
        raise ProviderUnavailable("The card that was tried before is not let go yet. Ask again.")

    async def _create(self, row: PaymentRow) -> ProviderReport:
        payment = row.payment
        if row.attempts > 0:
            found = await self._provider.find(payment_id=payment.payment_id)
            if found is not None and found.state is not ProviderState.CANCELLED:
                return found
        params = {
            "order_id": str(payment.order_id),
            "amount_minor": payment.amount.amount_minor,
            "currency": payment.amount.currency,
        }
        call = await self._store.begin_call("create", payment.payment_id, params)
        try:
            return await run_call(
                self._store,
                call.key,
                lambda key: self._provider.create(
                    key=key,
                    payment_id=payment.payment_id,
                    order_id=payment.order_id,
                    amount=payment.amount,
                    payment_method=row.method or "",
                ),
            )
        except ProviderRefused as refusal:
            return ProviderReport(state=ProviderState.DECLINED, decline_code=str(refusal))

    async def _confirm(self, row: PaymentRow, provider_id: str) -> ProviderReport:
        assert row.method is not None, "a payment is wanted authorised with a method"
        if row.attempts > 0:
            report = await self._provider.get(provider_id=provider_id)
            if report.state not in _UNCONFIRMED:
                return report
        method, return_url, off_session = row.method, self._return_url(row), row.off_session
        customer = await self._find_customer(method, row.payment.traveller_id)
        params: dict[str, Any] = {"provider_id": provider_id, "payment_method": method}
        params |= {"return_url": return_url, "customer": customer, "off_session": off_session}
        call = await self._store.begin_call("confirm", row.payment.payment_id, params)
        try:
            return await run_call(
                self._store,
                call.key,
                lambda key: self._provider.confirm(
                    key=key,
                    provider_id=provider_id,
                    payment_method=method,
                    return_url=return_url,
                    customer=customer,
                    off_session=off_session,
                ),
            )
        except ProviderRefused as refusal:
            return ProviderReport(state=ProviderState.DECLINED, decline_code=str(refusal))

    async def _find_customer(self, method: str, traveller_id: str) -> str | None:
        """Who pays there: the business on whose account they travel, or the customer who keeps this card."""
        if is_on_account(method):
            return await self._on_account.find_business(traveller_id)
        return await self._methods.find_owner(method, traveller_id)

    async def _resolve(self, row: PaymentRow, provider_id: str) -> ProviderReport:
        """Capture or cancel."""
        captures = row.wanted is Wanted.CAPTURED
        if row.attempts > 0:
            report = await self._provider.get(provider_id=provider_id)
            is_past = report.state in (ProviderState.TAKEN, ProviderState.CANCELLED)
            if is_past or (captures and report.state is not ProviderState.HELD):
                return report
        call = await self._store.begin_call(
            "capture" if captures else "cancel", row.payment.payment_id, {"provider_id": provider_id}
        )
        amount = row.payment.amount
        if captures:
            return await run_call(
                self._store,
                call.key,
                lambda key: self._provider.capture(key=key, provider_id=provider_id, amount=amount),
            )
        return await run_call(
            self._store, call.key, lambda key: self._provider.cancel(key=key, provider_id=provider_id)
        )

    async def _apply(self, row: PaymentRow, report: ProviderReport) -> bool:
        """Follow the report: the ledger, then the row, step by step. False: there was nothing to follow."""
        current = await self._learn_ids(row, report)
        changed = current is not row
        while current is not None:
            payment, step = follow(current.payment, report, hold_begun=current.hold_at is not None)
            if payment == current.payment:
                return changed
            if step is not LedgerStep.NONE and not is_stored_value(current.method):
                current = await self._begin_hold(current)
                if current is None:
                    break
                await self._books.post_step(payment, step, source=source_of(current.method))
            current = await self._save(replace(current, payment=payment))
            changed = True
        # Somebody else has written the row: the next round reads it again.
        return True

    async def _learn_ids(self, row: PaymentRow, report: ProviderReport) -> PaymentRow | None:
        ids = (report.provider_id or row.provider_id, report.charge_id or row.charge_id)
        if ids == (row.provider_id, row.charge_id):
            return row
        return await self._store.save_payment(replace(row, provider_id=ids[0], charge_id=ids[1]))

    async def _begin_hold(self, row: PaymentRow) -> PaymentRow | None:
        if row.hold_at is not None:
            return row
        return await self._store.save_payment(replace(row, hold_at=self._context.clock.now()))

    async def _save(self, row: PaymentRow) -> PaymentRow | None:
        payment = row.payment
        async with self._context.database.transaction() as tx:
            saved = await self._store.save_payment(row, tx)
            if saved is not None and payment.state is PaymentState.CAPTURED:
                event = PaymentCaptured(
                    payment_id=payment.payment_id,
                    order_id=payment.order_id,
                    amount_minor=payment.captured.amount_minor,
                    purpose=payment.purpose.value,
                )
                await self._context.outbox.append(tx, event)
        return saved

    def _return_url(self, row: PaymentRow) -> str:
        settings = self._context.settings
        return f"http://{settings.host}:{settings.port}/?order={row.payment.order_id}"


def _has_moved(row: PaymentRow) -> bool:
    """Another way to pay was chosen than the one that the payment was begun with."""
    if is_stored_value(row.method):
        return True
    return row.wanted is Wanted.AUTHORISED and is_elsewhere(row.method, row.provider_id)
