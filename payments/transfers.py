"""A movement of money and the answer to it.

Problem   A retry, a race and a shortage must each get one clear answer, the same each time.
Idea      The caller chooses the id, so a retry is recognised. Checks run in a fixed precedence and give
          exactly one status; after the last check the transfer must succeed. An id that was refused for a
          lasting reason never succeeds later.
Not here  How transfers are applied (ledger.py) and stored (services/ledger).
Source    TigerBeetle's create_transfers, for the habit of one status by precedence.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from payments.accounts import AccountId
from payments.money import JPY


class TransferKind(StrEnum):
    """What a transfer does. POSTED moves at once; PENDING holds; the others resolve a hold, once."""

    POSTED = "posted"
    PENDING = "pending"
    POST_PENDING = "post_pending"
    VOID_PENDING = "void_pending"


class TransferCode(StrEnum):
    """Why money moved. The statement, the auditor and the clerk read this word."""

    PAYMENT = "payment"
    REFUND = "refund"
    CHARGE = "charge"
    CASH_SALE = "cash_sale"
    HANDOVER = "handover"
    COLLECTION = "collection"
    WRITE_OFF = "write_off"
    RIDE = "ride"
    COMMISSION = "commission"
    TOP_UP = "top_up"
    PROVIDER_FEE = "provider_fee"
    PAYOUT = "payout"
    DISPUTE = "dispute"
    SETTLEMENT = "settlement"
    SUBSIDY = "subsidy"
    ADJUSTMENT = "adjustment"
    ROUNDING = "rounding"
    TAX = "tax"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Move `amount_minor` (> 0) from `debit` to `credit`.

    `pending_id` names the hold that POST_PENDING or VOID_PENDING resolves; their accounts must be the
    hold's; POST_PENDING moves at most the held amount, in full when `amount_minor` equals it, and frees the
    rest; VOID_PENDING names the held amount and frees it.
    `linked` chains this transfer to the next one of the batch: all of a chain happen or none.
    `timeout_s` (PENDING only) frees the hold that many seconds after it was recorded; None never does.
    `effective_at` is when it counts for the books; the ledger adds when it was recorded.
    `reference` names the business object, for example `order:...`, `ride:...`, `batch:...`.
    """

    transfer_id: UUID
    debit: AccountId
    credit: AccountId
    amount_minor: int
    code: TransferCode
    reference: str
    effective_at: datetime
    kind: TransferKind = TransferKind.POSTED
    pending_id: UUID | None = None
    linked: bool = False
    timeout_s: int | None = None
    currency: str = JPY


class TransferStatus(StrEnum):
    """The one answer to a transfer, in order of precedence after the linked-chain ones."""

    CREATED = "created"
    EXISTS = "exists"
    LINKED_EVENT_FAILED = "linked_event_failed"
    LINKED_CHAIN_OPEN = "linked_chain_open"
    EXISTS_WITH_DIFFERENT_KIND = "exists_with_different_kind"
    EXISTS_WITH_DIFFERENT_PENDING_ID = "exists_with_different_pending_id"
    EXISTS_WITH_DIFFERENT_TIMEOUT = "exists_with_different_timeout"
    EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT = "exists_with_different_debit_account"
    EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT = "exists_with_different_credit_account"
    EXISTS_WITH_DIFFERENT_AMOUNT = "exists_with_different_amount"
    EXISTS_WITH_DIFFERENT_CURRENCY = "exists_with_different_currency"
    EXISTS_WITH_DIFFERENT_CODE = "exists_with_different_code"
    EXISTS_WITH_DIFFERENT_REFERENCE = "exists_with_different_reference"
    ID_ALREADY_FAILED = "id_already_failed"
    AMOUNT_MUST_BE_POSITIVE = "amount_must_be_positive"
    ACCOUNTS_MUST_BE_DIFFERENT = "accounts_must_be_different"
    DEBIT_ACCOUNT_NOT_FOUND = "debit_account_not_found"
    CREDIT_ACCOUNT_NOT_FOUND = "credit_account_not_found"
    CURRENCY_MUST_MATCH = "currency_must_match"
    PENDING_ID_REQUIRED = "pending_id_required"
    PENDING_ID_FORBIDDEN = "pending_id_forbidden"
    TIMEOUT_FORBIDDEN = "timeout_forbidden"
    PENDING_TRANSFER_NOT_FOUND = "pending_transfer_not_found"
    PENDING_TRANSFER_HAS_DIFFERENT_ACCOUNTS = "pending_transfer_has_different_accounts"
    PENDING_TRANSFER_ALREADY_POSTED = "pending_transfer_already_posted"
    PENDING_TRANSFER_ALREADY_VOIDED = "pending_transfer_already_voided"
    PENDING_TRANSFER_EXPIRED = "pending_transfer_expired"
    EXCEEDS_PENDING_AMOUNT = "exceeds_pending_amount"
    PENDING_TRANSFER_HAS_DIFFERENT_AMOUNT = "pending_transfer_has_different_amount"
    EXCEEDS_CREDITS = "exceeds_credits"
    EXCEEDS_DEBITS = "exceeds_debits"

    @property
    def is_done(self) -> bool:
        """The transfer is in the books, now or since an earlier try."""
        return self is TransferStatus.CREATED or self is TransferStatus.EXISTS

    @property
    def is_other_under_this_id(self) -> bool:
        """Another transfer is in the books under this id; the status names the first field that differs."""
        return self.value.startswith("exists_with_different_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A recorded transfer as the books show it. `sequence` grows in the order of recording."""

    sequence: int
    transfer: Transfer
    recorded_at: datetime
