"""The statement an operator gets for a run, with the particulars of a qualified invoice for the commission.

Problem   The operator must be able to follow every yen from the ride to the bank transfer, and needs from the
          platform an invoice that the tax office accepts.
Idea      A statement is the operator's view of the batch's entries: signed lines, their sums by kind, the tax
          on the commission, and what is paid. Tax is rounded once per rate per invoice, on the sum of the
          commissions, never line by line.
Not here  Layout and language; PDF.
Invariant net = earned - given back - commission - tax + adjustments = sum of lines - tax.
Source    Facts on payments, rule 25 (vector: 105 yen three times at 10 % is 31, not 30).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from payments.accounts import operator_payable
from payments.money import JPY
from payments.settlement import Agreement
from payments.transfers import Entry, TransferCode

CONSUMPTION_TAX_PERCENT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One entry as the operator sees it: positive amounts are its gain."""

    transfer_id: UUID
    effective_at: datetime
    code: TransferCode
    reference: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementNote:
    """A refund of a fare that the operator had not earned: told, but without effect on what it is paid."""

    refund_id: UUID
    order_id: UUID
    amount_minor: int
    reason: str
    refunded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceParticulars:
    """What makes the commission part a qualified invoice, in the order in which the law names it."""

    issuer_name: str
    issuer_registration_number: str | None
    supplied_until: date
    description: str
    rate_percent: int
    taxable_minor: int
    tax_minor: int
    recipient_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """An operator's statement for one batch."""

    batch_id: UUID
    operator_id: str
    operator_name: str
    cut_off: datetime
    currency: str
    lines: tuple[StatementLine, ...]
    notes: tuple[StatementNote, ...]
    earned_minor: int
    given_back_minor: int
    commission_minor: int
    commission_tax_minor: int
    adjustments_minor: int
    net_minor: int
    invoice: InvoiceParticulars


def build_statement(
    *,
    batch_id: UUID,
    cut_off: datetime,
    supplied_until: date,
    agreement: Agreement,
    platform: Agreement,
    entries: Sequence[Entry],
    notes: Sequence[StatementNote] = (),
) -> Statement:
    """The statement of `agreement`'s operator over the entries of its payable account in the batch."""
    lines = tuple(_line(entry, agreement.operator_id) for entry in entries)
    sums = {code: sum(line.amount_minor for line in lines if line.code is code) for code in TransferCode}
    commission = -sums[TransferCode.COMMISSION]
    tax = calculate_tax(commission)
    named = (TransferCode.RIDE, TransferCode.REFUND, TransferCode.COMMISSION)
    return Statement(
        batch_id=batch_id,
        operator_id=agreement.operator_id,
        operator_name=agreement.name,
        cut_off=cut_off,
        currency=JPY,
        lines=lines,
        notes=tuple(notes),
        earned_minor=sums[TransferCode.RIDE],
        given_back_minor=-sums[TransferCode.REFUND],
        commission_minor=commission,
        commission_tax_minor=tax,
        adjustments_minor=sum(amount for code, amount in sums.items() if code not in named),
        net_minor=sum(line.amount_minor for line in lines) - tax,
        invoice=InvoiceParticulars(
            issuer_name=platform.name,
            issuer_registration_number=platform.registration_number,
            supplied_until=supplied_until,
            description="販売手数料 (sales commission)",
            rate_percent=CONSUMPTION_TAX_PERCENT,
            taxable_minor=commission,
            tax_minor=tax,
            recipient_name=agreement.name,
        ),
    )


def calculate_tax(taxable_minor: int) -> int:
    """Consumption tax on the sum of an invoice, rounded toward zero, once. A credit note mirrors it."""
    if taxable_minor < 0:
        return -calculate_tax(-taxable_minor)
    return taxable_minor * CONSUMPTION_TAX_PERCENT // 100


def _line(entry: Entry, operator_id: str) -> StatementLine:
    transfer = entry.transfer
    payable = operator_payable(operator_id)
    assert payable in (transfer.debit, transfer.credit), "a statement shows the operator's own entries"
    return StatementLine(
        transfer_id=transfer.transfer_id,
        effective_at=transfer.effective_at,
        code=transfer.code,
        reference=transfer.reference,
        amount_minor=transfer.amount_minor if transfer.credit == payable else -transfer.amount_minor,
    )
