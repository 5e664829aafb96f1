"""What payments and refunds mean in the ledger. Every transfer's id follows from the payment's or refund's.

step      transfer                                       id
hold      card_clearing -> what is paid, pending         uuid5(payment, "authorise")
post      the hold, posted                               uuid5(payment, "capture")
void      the hold, voided                               uuid5(payment, "void")
reserve   what was paid -> refunds_due                   uuid5(refund, "reserve")
pay       refunds_due -> where it came from              uuid5(refund, "pay")
release   refunds_due -> what was paid                   uuid5(refund, "release")
return    card_clearing -> what was paid                 uuid5(refund, "return")

What is paid follows from the purpose: unearned_fares (an order), the traveller's wallet (a top-up), the
traveller's receivable (a debt). A refund goes back to where the money came from. A payment from a
wallet has its own hold (wallets/paying.py): the ledger is its provider.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid5

from payments.accounts import (
    CARD_CLEARING,
    REFUNDS_DUE,
    UNEARNED_FARES,
    AccountId,
    Balance,
    chart_account,
    traveller_receivable,
    traveller_wallet,
)
from payments.errors import TransferRefused
from payments.money import Money
from payments.payment import LedgerStep, RefundOutcome
from payments.ports import LedgerPort, Payment, PaymentPurpose
from payments.transfers import Transfer, TransferCode, TransferKind, TransferStatus
from services.platform.context import ServiceContext

ACCOUNTS = (CARD_CLEARING, UNEARNED_FARES, REFUNDS_DUE)
HOLD, CAPTURE, VOID, RESERVE, PAY = "authorise", "capture", "void", "reserve", "pay"
RELEASE, RETURN = "release", "return"
_STEP_OF = {RefundOutcome.PAID: PAY, RefundOutcome.FAILED: RELEASE, RefundOutcome.RETURNED: RETURN}
_REMEMBERED_MAX = 500_000


def paid_account(payment: Payment) -> AccountId:
    """Where a payment's money goes, by its purpose."""
    match payment.purpose:
        case PaymentPurpose.ORDER:
            return UNEARNED_FARES
        case PaymentPurpose.TOP_UP:
            return traveller_wallet(payment.traveller_id)
        case PaymentPurpose.DEBT:
            return traveller_receivable(payment.traveller_id)


class Books:
    """The ledger as this service uses it. Every method is safe to repeat."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._open: set[AccountId] = set()

    async def open(self, *account_ids: AccountId) -> None:
        """Open these accounts and those that all payments move money between, once in a process."""
        unknown = {*ACCOUNTS, *account_ids} - self._open
        if unknown:
            await self._ledger.open_accounts(accounts=[chart_account(each) for each in sorted(unknown)])
            if len(self._open) + len(unknown) > _REMEMBERED_MAX:
                self._open.clear()
            self._open |= unknown

    async def post_step(
        self, payment: Payment, step: LedgerStep, *, source: AccountId = CARD_CLEARING
    ) -> None:
        """Post what a payment's step moves, from where its method's money is. Raises TransferRefused."""
        assert step is not LedgerStep.NONE, "a step that moves nothing is not posted"
        await self.post(payment_transfer(payment, step, source=source, at=self._context.clock.now()))

    async def reserve(self, *, refund_id: UUID, amount: Money, paid: AccountId) -> TransferStatus:
        """Set aside what a refund will pay. The status tells when it cannot be."""
        transfer = refund_transfer(refund_id, amount, RESERVE, paid=paid, at=self._context.clock.now())
        [status] = await self.try_to_post([transfer])
        return status

    async def conclude(
        self,
        *,
        refund_id: UUID,
        amount: Money,
        outcome: RefundOutcome,
        paid: AccountId,
        back_to: AccountId = CARD_CLEARING,
    ) -> None:
        """Post what the outcome of a reserved refund moves. Raises TransferRefused."""
        at = self._context.clock.now()
        step = _STEP_OF[outcome]
        await self.post(refund_transfer(refund_id, amount, step, paid=paid, back_to=back_to, at=at))

    async def try_to_post(self, transfers: Sequence[Transfer]) -> list[TransferStatus]:
        """Open the accounts of a batch and post it; one status each."""
        await self.open(*(each.debit for each in transfers), *(each.credit for each in transfers))
        return await self._ledger.post(transfers=transfers)

    async def post(self, transfer: Transfer) -> None:
        """Post what must not be lost. Raises TransferRefused."""
        [status] = await self.try_to_post([transfer])
        if not status.is_done:
            raise TransferRefused(
                f"{transfer.reference}: the ledger says {status} to {transfer.transfer_id}."
            )

    async def get_sums(self, account_id: AccountId) -> Balance:
        """The four sums of an account."""
        await self.open(account_id)
        return await self._ledger.get_balance(account_id=account_id)

    async def get_balance(self, account_id: AccountId) -> int:
        """What may be spent of an account that grows by credit: what is there, less what is held."""
        sums = await self.get_sums(account_id)
        return sums.net_credit - sums.debits_pending

    @property
    def _ledger(self) -> LedgerPort:
        return self._context.ports.get(LedgerPort)


def payment_transfer(
    payment: Payment, step: LedgerStep, *, at: datetime, source: AccountId = CARD_CLEARING
) -> Transfer:
    """The transfer of a payment's step."""
    hold = Transfer(
        transfer_id=uuid5(payment.payment_id, HOLD),
        debit=source,
        credit=paid_account(payment),
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


def refund_transfer(
    refund_id: UUID,
    amount: Money,
    step: str,
    *,
    at: datetime,
    paid: AccountId = UNEARNED_FARES,
    back_to: AccountId = CARD_CLEARING,
) -> Transfer:
    """The transfer of a refund's step: of money that went to `paid` and goes `back_to`."""
    debit, credit = {
        RESERVE: (paid, REFUNDS_DUE),
        PAY: (REFUNDS_DUE, back_to),
        RELEASE: (REFUNDS_DUE, paid),
        RETURN: (back_to, paid),
    }[step]
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
