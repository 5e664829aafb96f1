"""What money can be asked for by the rest of the house. Each port has a local and an HTTP adapter.

Arguments and results are dataclasses, enums, UUIDs, datetimes and plain values, so that one generic adapter
(services/platform/rpc.py) carries every port over HTTP.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from payments.accounts import Account, AccountId, Balance
from payments.money import Money
from payments.transfers import Entry, Transfer, TransferStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBalance:
    """All posted debits and credits of the ledger. They are equal or the books are broken."""

    debits_posted: int
    credits_posted: int
    account_count: int
    transfer_count: int
    balances: tuple[Balance, ...]

    @property
    def is_balanced(self) -> bool:
        """The first invariant of the house."""
        return self.debits_posted == self.credits_posted


class LedgerPort(Protocol):
    """The only writer of money."""

    async def open_accounts(self, *, accounts: Sequence[Account]) -> None:
        """Open what is not open yet."""

    async def post(self, *, transfers: Sequence[Transfer]) -> list[TransferStatus]:
        """Record a batch in order; one status each. Safe to repeat."""

    async def get_balance(self, *, account_id: AccountId) -> Balance:
        """The balance now. Raises AccountNotFound."""

    async def list_entries(
        self, *, account_id: AccountId, after_sequence: int, until: datetime, limit: int
    ) -> list[Entry]:
        """Posted movements of an account with sequence above `after_sequence`, effective before `until`."""

    async def get_trial_balance(self) -> TrialBalance:
        """Sums over all accounts, from one snapshot."""


class PaymentState(StrEnum):
    """A customer's payment. OPEN -> REQUIRES_ACTION* -> AUTHORISED -> CAPTURED, or VOIDED.

    DECLINED holds nothing; another method may then be tried on the same payment. The table: payment.py.
    """

    OPEN = "open"
    REQUIRES_ACTION = "requires_action"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    DECLINED = "declined"
    VOIDED = "voided"


class PaymentPurpose(StrEnum):
    """What a payment is for, and with it where its money goes; see services/payments/books.py.

    ORDER: fares not ridden yet. TOP_UP: the traveller's wallet. DEBT: what the traveller owes for rides made.
    """

    ORDER = "order"
    TOP_UP = "top_up"
    DEBT = "debt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A payment as its owner sees it. `decline_code` and `next_action_url` are set in their states only.

    `order_id` is the id of what is paid for: an order, a top-up, or a bill. `modes` are those that an order's
    journey uses, for the terms of a mandate.
    """

    payment_id: UUID
    order_id: UUID
    traveller_id: str
    amount: Money
    captured: Money
    refunded: Money
    state: PaymentState
    decline_code: str | None = None
    next_action_url: str | None = None
    purpose: PaymentPurpose = PaymentPurpose.ORDER
    modes: tuple[str, ...] = ()


class RefundState(StrEnum):
    """A refund. PENDING until the provider has it; FAILED is told to the clerk and retried by hand."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUSED_EXCEEDS_CAPTURED = "refused_exceeds_captured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """A refund of part or all of a captured payment."""

    refund_id: UUID
    payment_id: UUID
    amount: Money
    reason: str
    state: RefundState


class PaymentsPort(Protocol):
    """Customers' payments. Every command is safe to repeat with the same ids."""

    async def open_payment(
        self,
        *,
        payment_id: UUID,
        order_id: UUID,
        traveller_id: str,
        amount: Money,
        modes: Sequence[str] = (),
    ) -> Payment:
        """Make a payment known; money does not move yet. `modes`: see Payment."""

    async def authorise(self, *, payment_id: UUID, payment_method: str) -> Payment:
        """Hold the money (ledger: pending). `payment_method`: `pm_...`, `wallet`, or `mandate:{id}`."""

    async def capture(self, *, payment_id: UUID) -> Payment:
        """Take the held money (ledger: posted)."""

    async def void(self, *, payment_id: UUID) -> Payment:
        """Let the held money go (ledger: voided)."""

    async def refund(
        self, *, refund_id: UUID, payment_id: UUID, amount: Money, reason: str, to_wallet: bool = False
    ) -> Refund:
        """Give back captured money, at most what is left of it: to where it came from, or into the wallet.

        Asked again, a refund that failed and was tried again by a clerk is answered as the last try.
        """

    async def get_payment(self, *, payment_id: UUID) -> Payment:
        """Raises PaymentNotFound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What a customer owes for travel of one service day; a negative amount gives back, 0 is no charge.

    `charge_id` is derived by the caller, so that a repeat changes nothing. `customer_id` travelled, and pays
    unless a mandate in their favour names who does; `modes` are those of the ride, for a mandate's terms.
    A charge may be of several rides of a day: `ride_minor_max` is then what the dearest of them costs; None:
    it is one ride. `reference` tells what it is for, for example `travel:{journey id}`: what is given back
    goes to whoever paid under the same reference.
    """

    charge_id: UUID
    customer_id: str
    amount: Money
    reference: str
    service_date: date
    modes: tuple[str, ...] = ()
    ride_minor_max: int | None = None


class ChargeStatus(StrEnum):
    """The answer to a charge. UNKNOWN_CUSTOMER: the id cannot be a customer's (empty, or with a colon)."""

    RECORDED = "recorded"
    EXISTS = "exists"
    EXISTS_WITH_DIFFERENT_AMOUNT = "exists_with_different_amount"
    UNKNOWN_CUSTOMER = "unknown_customer"


@dataclass(frozen=True, slots=True, kw_only=True)
class DenyListing:
    """A customer came on the deny list, or went off it. `sequence` grows, and no later one comes before."""

    sequence: int
    customer_id: str
    is_denied: bool
    since: datetime


class CollectionPort(Protocol):
    """What customers owe for travel already made, and who may not travel on because of it."""

    async def charge(self, *, charges: Sequence[Charge]) -> list[ChargeStatus]:
        """Record what is owed, in batches of thousands; one status each. Safe to repeat.

        Posts customer receivable -> unearned fares, or back. How it is collected is the port's own business:
        from the wallet first, else from the saved card, a day's charges together and at least 50 yen.
        """

    async def list_denied(self, *, after_sequence: int, limit: int) -> list[DenyListing]:
        """Changes of the deny list in order. A customer whose debt is open is denied until it is paid."""


class SavedMethodState(StrEnum):
    """A card kept for later. SETTING_UP -> REQUIRES_ACTION* -> READY -> DETACHED, or FAILED."""

    SETTING_UP = "setting_up"
    REQUIRES_ACTION = "requires_action"
    READY = "ready"
    FAILED = "failed"
    DETACHED = "detached"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedMethod:
    """A customer's card as the customer may see it.

    `payment_method` is the provider's id (`pm_...`) of a READY card, to pay with; the other texts are what is
    printed on the card, `failure` and `next_action_url` are set in their states only.
    """

    method_id: UUID
    customer_id: str
    state: SavedMethodState
    is_default: bool
    payment_method: str | None = None
    brand: str | None = None
    last4: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None
    failure: str | None = None
    next_action_url: str | None = None


class SavedMethodsPort(Protocol):
    """Cards kept for later. `customer_id` is who pays: a traveller id, or who a mandate names."""

    async def save_method(self, *, method_id: UUID, customer_id: str, payment_method: str) -> SavedMethod:
        """Keep a card with its bank's consent to later charges; the first is the default. Safe to repeat."""

    async def list_saved_methods(self, *, customer_id: str) -> list[SavedMethod]:
        """All that are not detached, the default first."""

    async def find_default_method(self, *, customer_id: str) -> SavedMethod | None:
        """The READY card that is charged when nobody is asked, or None."""

    async def detach_method(self, *, method_id: UUID, customer_id: str) -> SavedMethod:
        """Forget a card here and at the provider. Raises SavedMethodNotFound."""

    async def authorise_off_session(self, *, payment_id: UUID, method_id: UUID) -> Payment:
        """As PaymentsPort.authorise, on a READY card of the payment's own customer who is not there now.

        A bank that wants to ask the payer declines with `authentication_required`. Raises
        SavedMethodNotFound, PaymentNotFound, ProviderUnavailable.
        """


class OperatorPayoutState(StrEnum):
    """A payout to an operator through the provider. OPEN waits for the account, or for money."""

    OPEN = "open"
    PAID = "paid"
    REVERSING = "reversing"
    REVERSED = "reversed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorAccount:
    """An operator's account at the provider; `onboarding_url` is where its clerk answers what is asked."""

    operator_id: str
    can_receive: bool
    onboarding_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorPayout:
    """A payout to an operator. `problem` says what an OPEN one waits for."""

    payout_id: UUID
    operator_id: str
    amount_minor: int
    state: OperatorPayoutState
    problem: str | None = None


class OperatorPayoutsPort(Protocol):
    """Operators who are paid through the payment provider instead of by bank file."""

    async def open_account(self, *, operator_id: str, return_url: str) -> OperatorAccount:
        """Open the operator's account there, once, or tell where its clerk goes on."""

    async def pay_operator(self, *, payout_id: UUID, operator_id: str, amount_minor: int) -> OperatorPayout:
        """Pay out of settlement's clearing. Safe to repeat: it tells how far it is."""

    async def reverse_payout(self, *, payout_id: UUID) -> OperatorPayout:
        """Take a paid one back into settlement's clearing. Raises OperatorPayoutNotFound."""
