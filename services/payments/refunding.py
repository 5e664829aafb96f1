"""Bring a refund to its end: set aside, paid by the provider, written down.

Problem   A refund has no state at the provider that keeps it from happening twice, and it may come back.
Idea      The ledger sets the money aside first, so that two refunds never spend the same yen. The provider is
          then asked under a key that was written down; before any later try it is looked for. What the
          provider made of it is saved as the `outcome` before the ledger follows it, so that two drivers
          never follow different words.
"""

from dataclasses import replace
from uuid import UUID

from maas.events import RefundPaid, RefundReturned
from payments.accounts import AccountId, traveller_wallet
from payments.errors import PaymentsError, ProviderRefused
from payments.payment import RefundOutcome, follow_refund
from payments.ports import RefundState
from services.payments.books import Books, paid_account
from services.payments.calls import run_call
from services.payments.on_account.switch import source_of
from services.payments.provider import Provider, RefundReport
from services.payments.store import PaymentRow, PaymentsStore, RefundRow
from services.payments.wallets.paying import WalletPaying, is_stored_value
from services.platform.context import ServiceContext
from services.platform.errors import PlatformError

_STATES = {
    RefundOutcome.PAID: RefundState.SUCCEEDED,
    RefundOutcome.FAILED: RefundState.FAILED,
    RefundOutcome.RETURNED: RefundState.FAILED,
}
_UNSETTLED = {
    RefundOutcome.PAID: RefundState.PENDING,
    RefundOutcome.FAILED: RefundState.PENDING,
    RefundOutcome.RETURNED: RefundState.SUCCEEDED,
}


class RefundDriver:
    """Drives refunds. Any number of drivers may drive the same refund."""

    def __init__(
        self,
        *,
        context: ServiceContext,
        store: PaymentsStore,
        books: Books,
        provider: Provider,
        wallets: WalletPaying,
    ) -> None:
        self._context = context
        self._store = store
        self._books = books
        self._provider = provider
        self._wallets = wallets

    async def drive(self, refund_id: UUID) -> RefundRow:
        """The refund as far as it goes now: ended, or PENDING at the provider. Raises as PaymentDriver."""
        row = await self._store.get_refund(refund_id)
        try:
            if row.refund.state is RefundState.PENDING and row.outcome is RefundOutcome.UNDECIDED:
                row = await self._ask(row)
            return await self._conclude(row)
        except (PaymentsError, PlatformError) as error:
            await self._store.note_refund_failure(row, f"{type(error).__name__}: {error}")
            raise

    async def look(self, refund_id: UUID) -> RefundRow:
        """The refund brought to where the provider is, also when it was paid before."""
        row = await self.drive(refund_id)
        if row.refund.state is RefundState.SUCCEEDED and row.provider_id is not None:
            # Asked last: the answer that ended it may be older than the news we look because of.
            report = await self._provider.get_refund(provider_refund_id=row.provider_id)
            await self._decide(row, report)
            row = await self.drive(refund_id)
        return row

    async def _ask(self, row: RefundRow) -> RefundRow:
        refund = row.refund
        payment = await self._store.get_payment(refund.payment_id)
        status = await self._books.reserve(
            refund_id=refund.refund_id, amount=refund.amount, paid=paid_account(payment.payment)
        )
        if not status.is_done:
            # Nothing was set aside and the provider was never asked: the id of the reservation comes first.
            failed = replace(row.refund, state=RefundState.FAILED)
            saved = await self._store.save_refund(replace(row, refund=failed, failure=status.value))
            return saved or await self._store.get_refund(row.refund.refund_id)
        return await self._decide(row, await self._push(row, payment))

    async def _push(self, row: RefundRow, payment: PaymentRow) -> RefundReport:
        refund = row.refund
        if row.into_wallet or is_stored_value(payment.method):
            # The ledger is the provider: what is reserved is paid by its next transfer.
            return RefundReport(provider_id=None, state=RefundState.SUCCEEDED)
        if row.provider_id is not None:
            return await self._provider.get_refund(provider_refund_id=row.provider_id)
        assert payment.provider_id is not None, "only what the provider captured is refunded"
        params = {"provider_id": payment.provider_id, "amount_minor": refund.amount.amount_minor}
        call = await self._store.begin_call("refund", refund.refund_id, params)
        if not call.is_first:
            found = await self._provider.find_refund(
                provider_id=payment.provider_id, refund_id=refund.refund_id
            )
            if found is not None:
                await self._store.end_call(call.key, "answered", found)
                return found
        return await self._refund(row, payment, call_key=call.key)

    async def _refund(self, row: RefundRow, payment: PaymentRow, *, call_key: str) -> RefundReport:
        provider_id, refund = payment.provider_id, row.refund
        assert provider_id is not None, "the caller has checked it"
        try:
            return await run_call(
                self._store,
                call_key,
                lambda key: self._provider.refund(
                    key=key,
                    provider_id=provider_id,
                    payment_id=refund.payment_id,
                    refund_id=refund.refund_id,
                    amount=refund.amount,
                ),
            )
        except ProviderRefused as refusal:
            return RefundReport(provider_id=None, state=RefundState.FAILED, failure=str(refusal))

    async def _decide(self, row: RefundRow, report: RefundReport) -> RefundRow:
        """Save what the provider made of it, before the ledger follows."""
        decided = replace(
            row,
            outcome=follow_refund(row.outcome, report.state),
            provider_id=report.provider_id or row.provider_id,
            failure=report.failure or row.failure,
        )
        if decided == row:
            return row
        saved = await self._store.save_refund(decided)
        return saved or await self._store.get_refund(row.refund.refund_id)

    async def _conclude(self, row: RefundRow) -> RefundRow:
        """Let the ledger and the row follow the outcome, if they have not yet."""
        if _UNSETTLED.get(row.outcome) is not row.refund.state:
            return row
        refund = row.refund
        paid_by = await self._store.get_payment(refund.payment_id)
        await self._books.conclude(
            refund_id=refund.refund_id,
            amount=refund.amount,
            outcome=row.outcome,
            paid=paid_account(paid_by.payment),
            back_to=await self._find_source(row, paid_by),
        )
        ended = replace(row, refund=replace(refund, state=_STATES[row.outcome]))
        async with self._context.database.transaction() as tx:
            payment = await self._store.lock_payment(tx, refund.payment_id)
            saved = await self._store.save_refund(ended, tx)
            if saved is not None:
                await self._book(tx, ended, payment)
        return saved or await self._store.get_refund(refund.refund_id)

    async def _find_source(self, row: RefundRow, payment: PaymentRow) -> AccountId:
        """Where the refund goes: where the payment's money came from, or the traveller's wallet."""
        if row.into_wallet and not is_stored_value(payment.method):
            return traveller_wallet(payment.payment.traveller_id)
        if not is_stored_value(payment.method):
            return source_of(payment.method)
        payer_id = await self._wallets.find_payer(payment.payment.payment_id)
        assert payer_id is not None, "what was captured from a wallet has its payer"
        return traveller_wallet(payer_id)

    async def _book(self, tx: object, row: RefundRow, payment: PaymentRow) -> None:
        refund = row.refund
        amount_minor = refund.amount.amount_minor
        if row.outcome is RefundOutcome.RETURNED:
            await self._store.add_refunded(tx, refund.payment_id, -amount_minor)
            returned = RefundReturned(
                refund_id=row.root_id, order_id=payment.payment.order_id, amount_minor=amount_minor
            )
            await self._context.outbox.append(tx, returned)
        if row.outcome is RefundOutcome.PAID:
            await self._store.add_refunded(tx, refund.payment_id, amount_minor)
            event = RefundPaid(
                refund_id=row.root_id,
                order_id=payment.payment.order_id,
                amount_minor=amount_minor,
                reason=refund.reason,
            )
            await self._context.outbox.append(tx, event)
