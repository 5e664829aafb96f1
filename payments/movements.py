"""What a movement on the provider's balance means, and the one ledger entry it maps to.

Problem   The provider's balance moves for reasons of its own: fees, payouts, disputes. The books must follow
          each movement exactly once, and know which entry of theirs it was.
Idea      A movement is either known already, because a payment or a refund posted it (ADOPTED: the entry is
          found), or it is posted when it is seen, under ids made from the movement's own. Its fee is a second
          transfer of the same movement. A word we do not know is not guessed: it stays unmatched and ages.
Not here  Fetching and storing (services/payments/balance).
Source    facts on payments, rule 20; https://docs.stripe.com/reports/balance-transaction-types

  meaning            movements                               amount > 0          amount < 0
  CAPTURE            charge, payment                         adopted: capture
  REFUND             refund, payment_refund                                      adopted: pay, or reserve
  REFUND_RETURNED    refund_failure, payment_failure_refund  adopted: return, or release
  DISPUTE            adjustment: dispute, dispute_reversal   <- disputed         -> disputed
  PAYOUT             payout, payout_cancel, payout_failure   <- bank:cash        -> bank:cash
  OPERATOR_TRANSFER  transfer, transfer_refund, ...          <- settlement       -> settlement_clearing
  FEE                stripe_fee, tax_fee, ...                <- provider:fees    -> provider:fees

Adopted `reserve` and `release`: a refund that never arrived left the provider's balance and came back, while
in the books it was set aside and freed.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

from payments.accounts import (
    BANK_CASH,
    CARD_CLEARING,
    DISPUTED,
    PROVIDER_FEES,
    SETTLEMENT_CLEARING,
    AccountId,
)
from payments.transfers import Transfer, TransferCode

_MOVEMENTS = UUID("0f6b3c52-6b0e-5c56-9d37-6d6f76656d65")


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Money that came to us at the provider (positive) or left (negative), and what the provider kept of it.

    `kind` and `category` are the provider's words; `source_id` its object that moved the money. The balance
    changes by `amount_minor - fee_minor`.
    """

    movement_id: str
    kind: str
    source_id: str
    amount_minor: int
    fee_minor: int
    moved_at: datetime
    category: str = ""
    currency: str = "JPY"

    @property
    def net_minor(self) -> int:
        """By how much the provider's balance changed."""
        return self.amount_minor - self.fee_minor


class Meaning(StrEnum):
    """What a movement is to us. The module's table says what follows."""

    CAPTURE = "capture"
    REFUND = "refund"
    REFUND_RETURNED = "refund_returned"
    DISPUTE = "dispute"
    PAYOUT = "payout"
    OPERATOR_TRANSFER = "operator_transfer"
    FEE = "fee"
    UNKNOWN = "unknown"


_MEANINGS = {
    "charge": Meaning.CAPTURE,
    "payment": Meaning.CAPTURE,
    "refund": Meaning.REFUND,
    "payment_refund": Meaning.REFUND,
    "refund_failure": Meaning.REFUND_RETURNED,
    "payment_failure_refund": Meaning.REFUND_RETURNED,
    "payout": Meaning.PAYOUT,
    "payout_cancel": Meaning.PAYOUT,
    "payout_failure": Meaning.PAYOUT,
    "transfer": Meaning.OPERATOR_TRANSFER,
    "transfer_refund": Meaning.OPERATOR_TRANSFER,
    "transfer_cancel": Meaning.OPERATOR_TRANSFER,
    "transfer_failure": Meaning.OPERATOR_TRANSFER,
    "stripe_fee": Meaning.FEE,
    "stripe_fx_fee": Meaning.FEE,
    "tax_fee": Meaning.FEE,
}
_DISPUTE_CATEGORIES = frozenset({"dispute", "dispute_reversal"})
_OTHER_SIDE: dict[Meaning, tuple[AccountId, TransferCode]] = {
    Meaning.DISPUTE: (DISPUTED, TransferCode.DISPUTE),
    Meaning.PAYOUT: (BANK_CASH, TransferCode.PAYOUT),
    Meaning.OPERATOR_TRANSFER: (SETTLEMENT_CLEARING, TransferCode.PAYOUT),
    Meaning.FEE: (PROVIDER_FEES, TransferCode.PROVIDER_FEE),
}


def meaning_of(movement: Movement) -> Meaning:
    """What a movement is to us; UNKNOWN is for a person to decide."""
    if movement.kind == "adjustment" and movement.category in _DISPUTE_CATEGORIES:
        return Meaning.DISPUTE
    return _MEANINGS.get(movement.kind, Meaning.UNKNOWN)


def build_entry(movement: Movement, *, at: datetime) -> Transfer:
    """The ledger entry of a movement that no payment or refund has posted. Its amount is not 0."""
    account, code = _OTHER_SIDE[meaning_of(movement)]
    return _transfer(movement, uuid5(_MOVEMENTS, movement.movement_id), account, code, at=at)


def build_fee(movement: Movement, *, at: datetime) -> Transfer | None:
    """What the provider kept of a movement, or gave back with it; None when nothing."""
    if movement.fee_minor == 0:
        return None
    transfer_id = uuid5(_MOVEMENTS, f"{movement.movement_id}/fee")
    code = TransferCode.PROVIDER_FEE
    return _transfer(movement, transfer_id, PROVIDER_FEES, code, at=at, minor=-movement.fee_minor)


def _transfer(
    movement: Movement,
    transfer_id: UUID,
    account: AccountId,
    code: TransferCode,
    *,
    at: datetime,
    minor: int | None = None,
) -> Transfer:
    amount = movement.amount_minor if minor is None else minor
    debit, credit = (CARD_CLEARING, account) if amount > 0 else (account, CARD_CLEARING)
    return Transfer(
        transfer_id=transfer_id,
        debit=debit,
        credit=credit,
        amount_minor=abs(amount),
        currency=movement.currency,
        code=code,
        reference=f"movement:{movement.movement_id}",
        effective_at=at,
    )
