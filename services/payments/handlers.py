"""The commands of customers' payments: PaymentsPort, in this process.

Invariant A command first saves its wish, so that a crash or a silent provider never loses it: the recovery
          worker goes on from there. A command that the state does not allow changes nothing; the
          returned payment tells its state.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid5

from payments.errors import PaymentCommandDiffers, ProviderUnavailable, RefundNotRetriable
from payments.money import Money
from payments.payment import (
    Verdict,
    Wanted,
    decide_authorise,
    decide_capture,
    decide_refund,
    decide_void,
    open_payment,
    reopen,
)
from payments.ports import Payment, PaymentPurpose, PaymentState, Refund, RefundState
from services.payments.drive import PaymentDriver
from services.payments.refunding import RefundDriver
from services.payments.store import PaymentRow, PaymentsStore
from services.payments.wallets.paying import is_stored_value
from services.platform.context import ServiceContext


class PaymentsHandlers:
    """The local adapter of PaymentsPort."""

    def __init__(
        self,
        *,
        context: ServiceContext,
        store: PaymentsStore,
        payments: PaymentDriver,
        refunds: RefundDriver,
    ) -> None:
        self._context = context
        self._store = store
        self._payments = payments
        self._refunds = refunds

    async def open_payment(
        self,
        *,
        payment_id: UUID,
        order_id: UUID,
        traveller_id: str,
        amount: Money,
        modes: Sequence[str] = (),
        purpose: PaymentPurpose = PaymentPurpose.ORDER,
    ) -> Payment:
        """Make a payment known; other services open those of orders only. Raises PaymentCommandDiffers."""
        fresh = open_payment(
            payment_id=payment_id,
            order_id=order_id,
            traveller_id=traveller_id,
            amount=amount,
            purpose=purpose,
            modes=modes,
        )
        await self._store.insert_payment(fresh, self._context.clock.now())
        known = (await self._store.get_payment(payment_id)).payment
        if (known.order_id, known.traveller_id, known.amount) != (order_id, traveller_id, amount):
            raise PaymentCommandDiffers(f"Payment {payment_id} is of another order, traveller or amount.")
        return known

    async def authorise(self, *, payment_id: UUID, payment_method: str) -> Payment:
        """Hold the money. After a decline another method may be tried; the same is not asked twice.

        Raises PaymentNotFound, ProviderUnavailable.
        """
        return await self.authorise_with(payment_id=payment_id, payment_method=payment_method)

    async def authorise_with(
        self, *, payment_id: UUID, payment_method: str, off_session: bool = False
    ) -> Payment:
        """As authorise; `off_session`: the payer is not there, so their bank cannot ask them."""
        while True:
            row = await self._store.get_payment(payment_id)
            # A wallet that was too empty may have been filled since: it is asked again, unlike a card.
            was_too_empty = is_stored_value(row.method) and row.payment.state is PaymentState.DECLINED
            same = row.method == payment_method and not was_too_empty
            if not row.is_settled and row.wanted is Wanted.AUTHORISED and not same:
                # What became of the earlier card is found out before another is tried.
                await self._payments.drive(payment_id)
                continue
            match decide_authorise(row.payment.state, row.wanted, same_method=same):
                case Verdict.DO if same and row.wanted is Wanted.AUTHORISED:
                    return (await self._payments.drive(payment_id)).payment
                case Verdict.DO:
                    begun = replace(
                        row, payment=reopen(row.payment), method=payment_method, off_session=off_session
                    )
                    if await self._wish(begun, Wanted.AUTHORISED):
                        return (await self._payments.drive(payment_id)).payment
                case Verdict.LOOK:
                    return (await self._payments.look(payment_id)).payment
                case _:
                    return row.payment

    async def capture(self, *, payment_id: UUID) -> Payment:
        """Take the held money. Raises PaymentNotFound, ProviderUnavailable, ProviderRefused."""
        return await self._resolve(
            payment_id, Wanted.CAPTURED, lambda row: decide_capture(row.payment.state, row.wanted)
        )

    async def void(self, *, payment_id: UUID) -> Payment:
        """Let the held money go. Raises PaymentNotFound, ProviderUnavailable, ProviderRefused."""
        return await self._resolve(payment_id, Wanted.VOIDED, lambda row: decide_void(row.payment.state))

    async def refund(
        self, *, refund_id: UUID, payment_id: UUID, amount: Money, reason: str, to_wallet: bool = False
    ) -> Refund:
        """Give captured money back. PENDING is carried on by the recovery worker; it never raises for that.

        Raises PaymentNotFound, PaymentCommandDiffers.
        """
        wish = Refund(
            refund_id=refund_id,
            payment_id=payment_id,
            amount=amount,
            reason=reason,
            state=RefundState.PENDING,
        )
        admitted = await self._admit(wish, to_wallet=to_wallet)
        return replace(await self._drive_refund(admitted), refund_id=refund_id)

    async def retry_refund(self, *, refund_id: UUID, to_wallet: bool) -> Refund:
        """Try again what failed or came back, as a refund of its own. Raises RefundNotRetriable.

        A refund whose last try is under way or paid is answered as it is.
        """
        async with self._context.database.transaction() as tx:
            latest = await self._store.find_latest_try(tx, refund_id)
            if latest is None:
                raise RefundNotRetriable("No refund has this id. List the failed ones to find it.")
            if latest.refund.state is RefundState.REFUSED_EXCEEDS_CAPTURED:
                raise RefundNotRetriable("It exceeded what was captured; nothing is owed by it.")
            next_try = latest.refund
            if latest.refund.state is RefundState.FAILED:
                row = await self._store.lock_payment(tx, latest.refund.payment_id)
                next_try = await self._admit_within(
                    tx,
                    row,
                    replace(
                        latest.refund,
                        refund_id=uuid5(latest.refund.refund_id, "retry"),
                        state=RefundState.PENDING,
                    ),
                    to_wallet=to_wallet,
                    retry_of=latest.refund.refund_id,
                )
        return replace(await self._drive_refund(next_try), refund_id=refund_id)

    async def _drive_refund(self, refund: Refund) -> Refund:
        if refund.state is not RefundState.PENDING:
            return refund
        try:
            return (await self._refunds.drive(refund.refund_id)).refund
        except ProviderUnavailable:
            return (await self._store.get_refund(refund.refund_id)).refund

    async def get_payment(self, *, payment_id: UUID) -> Payment:
        """Raises PaymentNotFound."""
        return (await self._store.get_payment(payment_id)).payment

    async def _resolve(
        self, payment_id: UUID, wanted: Wanted, decide: Callable[[PaymentRow], Verdict]
    ) -> Payment:
        while True:
            row = await self._store.get_payment(payment_id)
            if wanted is Wanted.CAPTURED and row.payment.state is PaymentState.OPEN and not row.is_settled:
                row = await self._payments.drive(payment_id)
            if decide(row) is not Verdict.DO:
                return row.payment
            if row.wanted is wanted or await self._wish(row, wanted):
                return (await self._payments.drive(payment_id)).payment

    async def _wish(self, row: PaymentRow, wanted: Wanted) -> bool:
        """Save where the payment is to go; False when somebody else has written it since."""
        return await self._store.save_payment(replace(row, wanted=wanted, attempts=0)) is not None

    async def _admit(self, wish: Refund, *, to_wallet: bool) -> Refund:
        """The last try of the refund as it is known, or newly written: pending within what was captured."""
        async with self._context.database.transaction() as tx:
            row = await self._store.lock_payment(tx, wish.payment_id)
            known = await self._store.find_latest_try(tx, wish.refund_id)
            if known is None:
                return await self._admit_within(tx, row, wish, to_wallet=to_wallet)
            if (known.refund.payment_id, known.refund.amount) != (wish.payment_id, wish.amount):
                raise PaymentCommandDiffers(f"Refund {wish.refund_id} is of another payment or amount.")
            return known.refund

    async def _admit_within(
        self, tx: Any, row: PaymentRow, wish: Refund, *, to_wallet: bool, retry_of: UUID | None = None
    ) -> Refund:
        """Write the refund down, with the payment locked: pending within what was captured, else refused."""
        pending = await self._store.sum_pending_refunds(tx, wish.payment_id)
        being_refunded = Money(pending, wish.amount.currency)
        verdict = decide_refund(row.payment, amount=wish.amount, being_refunded=being_refunded)
        if verdict is not Verdict.DO:
            wish = replace(wish, state=RefundState.REFUSED_EXCEEDS_CAPTURED)
        # A top-up goes back to its card: it came out of no order, and into the wallet it went already.
        into_wallet = to_wallet and row.payment.purpose is not PaymentPurpose.TOP_UP
        await self._store.insert_refund(
            tx, wish, self._context.clock.now(), into_wallet=into_wallet, retry_of=retry_of
        )
        return wish
