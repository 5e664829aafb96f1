"""What settlement's endpoints take and give."""

from datetime import UTC, date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from payments.bank_files import AccountType, BankAccount
from payments.ledger import AMOUNT_MINOR_MAX
from payments.money import JPY
from payments.netting import NetPosition
from payments.settlement import BASIS_POINTS, PLATFORM, Agreement, OddYen, PaidBy
from payments.statements import Statement
from services.settlement.store import Batch, BatchPayment

OperatorId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^/\s\x00-\x1f\x7f]+$")]
Name = Annotated[str, Field(min_length=1, max_length=140, pattern=r"^[^\x00-\x1f\x7f\ufffe\uffff]+$")]
Kana = Annotated[str, Field(min_length=1, max_length=60)]
Instant = Annotated[
    AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC))
]
Day = Annotated[date, Field(ge=date(1970, 1, 1), le=date(2200, 1, 1))]


class Strict(BaseModel):
    """Unknown fields are errors; values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MoneyView(Strict):
    """An amount."""

    amount_minor: int
    currency: str


class BankAccountBody(Strict):
    """An account at a Japanese bank. Names in kana of any width."""

    bank_code: Annotated[str, Field(pattern=r"^[0-9]{4}$")]
    bank_name_kana: Kana
    branch_code: Annotated[str, Field(pattern=r"^[0-9]{3}$")]
    branch_name_kana: Kana
    account_type: Literal["ordinary", "current"]
    account_number: Annotated[str, Field(pattern=r"^[0-9]{7}$")]
    holder_kana: Kana


class AgreementBody(Strict):
    """What is agreed. `commission_bp`: basis points, without tax. `consignor_code`: the platform's alone.

    `paid_by`: bank file, or through the payment provider, where the operator has opened an account.
    """

    name: Name
    commission_bp: Annotated[int, Field(ge=0, le=BASIS_POINTS)]
    odd_yen: OddYen = OddYen.DOWN
    registration_number: Annotated[str, Field(pattern=r"^T[0-9]{13}$")] | None = None
    consignor_code: Annotated[str, Field(pattern=r"^[0-9]{10}$")] | None = None
    bank_account: BankAccountBody
    valid_from: Instant | None = None
    paid_by: PaidBy = PaidBy.BANK


class AgreementView(AgreementBody):
    """An agreement in force."""

    operator_id: str


class RunBody(Strict):
    """`cut_off`: what was effective before it is settled; without it, everything until now."""

    cut_off: Instant | None = None
    pay_on: Day | None = None


class PositionView(Strict):
    """A participant's position: what it gets and owes, and the difference."""

    participant: str
    gets: MoneyView
    owes: MoneyView
    net: MoneyView


class PaymentView(Strict):
    """A payment that remains after netting."""

    payment_id: UUID
    payer: str
    payee: str
    amount: MoneyView
    outcome: str


class StatementSummary(Strict):
    """The sums of an operator's statement."""

    operator_id: str
    operator_name: str
    earned: MoneyView
    given_back: MoneyView
    commission: MoneyView
    commission_tax: MoneyView
    adjustments: MoneyView
    net: MoneyView
    line_count: int
    note_count: int


class RunSummary(Strict):
    """A run as the list shows it. Sums are null until it is netted."""

    batch_id: UUID
    state: str
    cut_off: datetime
    pay_on: date
    opened_at: datetime
    locked_at: datetime | None
    gross: MoneyView | None
    net: MoneyView | None
    efficiency_bp: int | None


class RunView(RunSummary):
    """A run with its statements, positions and payments; `bank_files` names the formats to be fetched."""

    entry_count: int
    statements: list[StatementSummary]
    positions: list[PositionView]
    payments: list[PaymentView]
    bank_files: list[str]


class ConfirmationBody(Strict):
    """What the bank did, with the payments for these operators or (null) with all that wait."""

    outcome: Literal["confirmed", "failed"]
    operator_ids: Annotated[list[OperatorId], Field(min_length=1, max_length=1000)] | None = None


class AmountBody(Strict):
    """A positive amount in yen."""

    amount_minor: Annotated[int, Field(ge=1, le=AMOUNT_MINOR_MAX)]
    currency: Literal["JPY"] = "JPY"


class AdjustmentBody(Strict):
    """`debtor` owes `creditor` so much more. Either may be `platform`."""

    debtor: OperatorId
    creditor: OperatorId
    amount: AmountBody
    reason: Name


class AdjustmentView(AdjustmentBody):
    """An adjustment in the books."""

    adjustment_id: UUID


class StatementsQuestion(Strict):
    """How many of the newest statements."""

    limit: Annotated[int, Field(ge=1, le=120)] = 24


def agreement_of(operator_id: str, body: AgreementBody, now: datetime) -> Agreement:
    """The agreement that a body describes."""
    bank = body.bank_account
    return Agreement(
        operator_id=operator_id,
        name=body.name,
        commission_bp=body.commission_bp,
        odd_yen=body.odd_yen,
        registration_number=body.registration_number,
        consignor_code=body.consignor_code,
        valid_from=body.valid_from or now,
        paid_by=body.paid_by,
        bank_account=BankAccount(
            bank_code=bank.bank_code,
            bank_name_kana=bank.bank_name_kana,
            branch_code=bank.branch_code,
            branch_name_kana=bank.branch_name_kana,
            account_type=AccountType[bank.account_type.upper()],
            account_number=bank.account_number,
            holder_kana=bank.holder_kana,
        ),
    )


def view_agreement(agreement: Agreement) -> AgreementView:
    """An agreement as it is shown."""
    bank = agreement.bank_account
    return AgreementView(
        operator_id=agreement.operator_id,
        name=agreement.name,
        commission_bp=agreement.commission_bp,
        odd_yen=agreement.odd_yen,
        registration_number=agreement.registration_number,
        consignor_code=agreement.consignor_code,
        valid_from=agreement.valid_from,
        paid_by=agreement.paid_by,
        bank_account=BankAccountBody(
            bank_code=bank.bank_code,
            bank_name_kana=bank.bank_name_kana,
            branch_code=bank.branch_code,
            branch_name_kana=bank.branch_name_kana,
            account_type="ordinary" if bank.account_type is AccountType.ORDINARY else "current",
            account_number=bank.account_number,
            holder_kana=bank.holder_kana,
        ),
    )


def view_summary(batch: Batch) -> RunSummary:
    """A run in the list."""
    return RunSummary(**_summary_fields(batch))


def view_run(
    batch: Batch,
    *,
    entry_count: int,
    statements: list[Statement],
    positions: list[NetPosition],
    payments: list[BatchPayment],
) -> RunView:
    """A run in full."""
    paid_out = any(payment.net_minor > 0 for payment in payments)
    instructed = batch.state.value in ("instructed", "confirmed")
    return RunView(
        **_summary_fields(batch),
        entry_count=entry_count,
        statements=[_view_statement(each) for each in statements],
        positions=[_view_position(each) for each in positions],
        payments=[_view_payment(each) for each in payments],
        bank_files=["zengin", "pain001"] if paid_out and instructed else [],
    )


def _yen(amount_minor: int) -> MoneyView:
    return MoneyView(amount_minor=amount_minor, currency=JPY)


def _summary_fields(batch: Batch) -> dict[str, object]:
    return {
        "batch_id": batch.batch_id,
        "state": batch.state.value,
        "cut_off": batch.cut_off,
        "pay_on": batch.pay_on,
        "opened_at": batch.opened_at,
        "locked_at": batch.locked_at,
        "gross": None if batch.gross_minor is None else _yen(batch.gross_minor),
        "net": None if batch.net_minor is None else _yen(batch.net_minor),
        "efficiency_bp": batch.efficiency_bp,
    }


def _view_statement(statement: Statement) -> StatementSummary:
    return StatementSummary(
        operator_id=statement.operator_id,
        operator_name=statement.operator_name,
        earned=_yen(statement.earned_minor),
        given_back=_yen(statement.given_back_minor),
        commission=_yen(statement.commission_minor),
        commission_tax=_yen(statement.commission_tax_minor),
        adjustments=_yen(statement.adjustments_minor),
        net=_yen(statement.net_minor),
        line_count=len(statement.lines),
        note_count=len(statement.notes),
    )


def _view_position(position: NetPosition) -> PositionView:
    return PositionView(
        participant=position.participant,
        gets=_yen(position.gets_minor),
        owes=_yen(position.owes_minor),
        net=_yen(position.net_minor),
    )


def _view_payment(payment: BatchPayment) -> PaymentView:
    to_operator = payment.net_minor > 0
    return PaymentView(
        payment_id=payment.payment_id,
        payer=PLATFORM if to_operator else payment.operator_id,
        payee=payment.operator_id if to_operator else PLATFORM,
        amount=_yen(abs(payment.net_minor)),
        outcome=payment.outcome.value,
    )
