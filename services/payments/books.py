"""What payments and refunds mean in the ledger. Every transfer's id follows from the payment's or refund's.

step      transfer                                       id
hold      card_clearing -> unearned_fares, pending       uuid5(payment, "authorise")
post      the hold, posted                               uuid5(payment, "capture")
void      the hold, voided                               uuid5(payment, "void")
reserve   unearned_fares -> refunds_due                  uuid5(refund, "reserve")
pay       refunds_due -> card_clearing                   uuid5(refund, "pay")
release   refunds_due -> unearned_fares                  uuid5(refund, "release")
return    card_clearing -> unearned_fares                uuid5(refund, "return")
"""

from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid5

from payments.accounts import CARD_CLEARING, REFUNDS_DUE, UNEARNED_FARES, chart_account
from payments.errors import TransferRefused
from payments.money import Money
from payments.payment import LedgerStep, RefundOutcome
from payments.ports import LedgerPort, Payment
from payments.transfers import Transfer, TransferCode, TransferKind, TransferStatus
from services.platform.context import ServiceContext

ACCOUNTS = tuple(chart_account(each) for each in (CARD_CLEARING, UNEARNED_FARES, REFUNDS_DUE))
HOLD, CAPTURE, VOID, RESERVE, PAY = "authorise", "capture", "void", "reserve", "pay"
RELEASE, RETURN = "release", "return"
_WAYS = {
    RESERVE: (UNEARNED_FARES, REFUNDS_DUE),
    PAY: (REFUNDS_DUE, CARD_CLEARING),
    RELEASE: (REFUNDS_DUE, UNEARNED_FARES),
    RETURN: (CARD_CLEARING, UNEARNED_FARES),
}
_STEP_OF = {RefundOutcome.PAID: PAY, RefundOutcome.FAILED: RELEASE, RefundOutcome.RETURNED: RETURN}


class Books:
    """The ledger as this service uses it. Every method is safe to repeat."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._is_open = False

    async def open(self) -> None:
        """Open the accounts that payments move money between, once in a process."""
        if not self._is_open:
            await self._ledger.open_accounts(accounts=ACCOUNTS)
            self._is_open = True

    async def post_step(self, payment: Payment, step: LedgerStep) -> None:
        """Post what a payment's step moves. Raises TransferRefused."""
        assert step is not LedgerStep.NONE, "a step that moves nothing is not posted"
        await self._post(payment_transfer(payment, step, at=self._context.clock.now()))

    async def reserve(self, *, refund_id: UUID, amount: Money) -> TransferStatus:
        """Set aside what a refund will pay. The status tells when it cannot be."""
        await self.open()
        transfer = refund_transfer(refund_id, amount, RESERVE, at=self._context.clock.now())
        [status] = await self._ledger.post(transfers=[transfer])
        return status

    async def conclude(self, *, refund_id: UUID, amount: Money, outcome: RefundOutcome) -> None:
        """Post what the outcome of a reserved refund moves. Raises TransferRefused."""
        at = self._context.clock.now()
        await self._post(refund_transfer(refund_id, amount, _STEP_OF[outcome], at=at))

    async def _post(self, transfer: Transfer) -> None:
        await self.open()
        [status] = await self._ledger.post(transfers=[transfer])
        if not status.is_done:
            raise TransferRefused(
                f"{transfer.reference}: the ledger says {status} to {transfer.transfer_id}."
            )

    @property
    def _ledger(self) -> LedgerPort:
        return self._context.ports.get(LedgerPort)


def payment_transfer(payment: Payment, step: LedgerStep, *, at: datetime) -> Transfer:
    """The transfer of a payment's step."""
    hold = Transfer(
        transfer_id=uuid5(payment.payment_id, HOLD),
        debit=CARD_CLEARING,
        credit=UNEARNED_FARES,
        amount_minor=payment.amount.amount_minor,
        currency=payment.amount.currency,
        code=TransferCode.PAYMENT,
        reference=f"payment:{payment.payment_id}",
        effective_at=at,
        kind=TransferKind.PENDING,
    )
    if step is LedgerStep.HOLD:
        return hold
    posts = step is LedgerStep.POST
    return replace(
        hold,
        transfer_id=uuid5(payment.payment_id, CAPTURE if posts else VOID),
        kind=TransferKind.POST_PENDING if posts else TransferKind.VOID_PENDING,
        pending_id=hold.transfer_id,
    )


def refund_transfer(refund_id: UUID, amount: Money, step: str, *, at: datetime) -> Transfer:
    """The transfer of a refund's step."""
    debit, credit = _WAYS[step]
    return Transfer(
        transfer_id=uuid5(refund_id, step),
        debit=debit,
        credit=credit,
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        code=TransferCode.REFUND,
        reference=f"refund:{refund_id}",
        effective_at=at,
    )
