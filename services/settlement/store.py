"""Settlement's rows as the domain's values, and back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from payments.bank_files import BankAccount
from payments.netting import NetPosition
from payments.settlement import (
    Agreement,
    Earning,
    OddYen,
    PaidBy,
    PaymentOutcome,
    Reversal,
    RunState,
    TravelEarning,
)
from payments.statements import Statement, StatementNote
from payments.transfers import Entry, Transfer, TransferCode
from services.platform.database import load_queries

queries = load_queries(__file__)

_BANK_ACCOUNT = TypeAdapter(BankAccount)
_STATEMENT = TypeAdapter(Statement)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A settlement run's own row. Sums are None until it is netted."""

    batch_id: UUID
    cut_off: datetime
    pay_on: date
    state: RunState
    opened_at: datetime
    locked_at: datetime | None
    gross_minor: int | None
    net_minor: int | None
    efficiency_bp: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPayment:
    """A payment of a batch: positive to the operator, negative from it."""

    payment_id: UUID
    operator_id: str
    net_minor: int
    outcome: PaymentOutcome
    paid_by: PaidBy = PaidBy.BANK
    batch_id: UUID | None = None


async def insert_agreement(tx: Any, agreement: Agreement, *, now: datetime) -> None:
    """Keep a version of an agreement."""
    await tx.execute(
        queries["insert_agreement"],
        agreement.operator_id,
        agreement.valid_from,
        agreement.name,
        agreement.commission_bp,
        agreement.odd_yen.value,
        agreement.registration_number,
        agreement.consignor_code,
        _BANK_ACCOUNT.dump_python(agreement.bank_account, mode="json"),
        now,
        agreement.paid_by.value,
    )


async def find_newest_agreement(tx: Any, operator_id: str) -> Agreement | None:
    """The newest version, in force or not yet."""
    row = await tx.fetchrow(queries["find_newest_agreement"], operator_id)
    return None if row is None else _agreement(row)


async def find_agreement(tx: Any, operator_id: str, *, at: datetime) -> Agreement | None:
    """The version in force at an instant."""
    row = await tx.fetchrow(queries["find_agreement_at"], operator_id, at)
    return None if row is None else _agreement(row)


async def list_agreements(tx: Any, *, at: datetime) -> dict[str, Agreement]:
    """All versions in force at an instant, by operator."""
    return {row["operator_id"]: _agreement(row) for row in await tx.fetch(queries["list_agreements_at"], at)}


async def insert_earnings(tx: Any, earnings: Sequence[Earning]) -> None:
    """Keep the earnings of one component; those that are there stay as they are."""
    first = earnings[0]
    await tx.execute(
        queries["insert_earnings"],
        first.order_id,
        first.component_index,
        first.earned_at,
        [each.operator_id for each in earnings],
        [each.share_minor for each in earnings],
        [each.commission_minor for each in earnings],
    )


async def list_earnings(
    tx: Any, order_id: UUID, component_index: int, *, lock: bool = False
) -> list[Earning]:
    """The earnings of one component, by operator."""
    name = "lock_earnings" if lock else "list_earnings"
    return [Earning(**dict(row)) for row in await tx.fetch(queries[name], order_id, component_index)]


async def list_reversals(tx: Any, order_id: UUID, component_index: int) -> list[Reversal]:
    """What went back of one component."""
    rows = await tx.fetch(queries["list_reversals"], order_id, component_index)
    return [Reversal(**dict(row)) for row in rows]


async def insert_reversal(tx: Any, reversal: Reversal) -> None:
    """Keep a reversal; one that is there stays as it is."""
    await tx.execute(
        queries["insert_reversal"],
        reversal.refund_id,
        reversal.order_id,
        reversal.component_index,
        reversal.operator_id,
        reversal.share_minor,
        reversal.commission_minor,
        reversal.reversed_at,
    )


async def insert_travel_earnings(tx: Any, earnings: Sequence[TravelEarning]) -> None:
    """Keep what a day's travel earned; what is there stays as it is."""
    await tx.executemany(
        queries["insert_travel_earning"],
        [
            (
                each.earning_id,
                each.operator_id,
                each.service_date,
                each.share_minor,
                each.commission_minor,
                each.earned_at,
            )
            for each in earnings
        ],
    )


async def list_travel_earnings(tx: Any, earning_id: UUID) -> list[TravelEarning]:
    """What one telling of a day's travel earned."""
    return [TravelEarning(**dict(row)) for row in await tx.fetch(queries["list_travel_earnings"], earning_id)]


async def insert_turn(
    tx: Any, order_id: UUID, component_index: int, *, turn: int, turned_at: datetime
) -> datetime:
    """Keep a turn of a fare; returns when it turned, which stays what it was."""
    await tx.execute(queries["insert_turn"], order_id, component_index, turn, turned_at)
    kept: datetime = await tx.fetchval(queries["find_turn"], order_id, component_index, turn)
    return kept


async def find_batch(tx: Any, query: str, *args: Any) -> Batch | None:
    """The batch that one of the find_..., lock_... queries gives."""
    row = await tx.fetchrow(queries[query], *args)
    return None if row is None else _batch(row)


async def list_batches(tx: Any, *, limit: int) -> list[Batch]:
    """The newest batches."""
    return [_batch(row) for row in await tx.fetch(queries["list_batches"], limit)]


async def list_taken(tx: Any, transfer_ids: Iterable[UUID]) -> frozenset[UUID]:
    """Which of these transfers are in a batch."""
    rows = await tx.fetch(queries["list_taken"], list(transfer_ids))
    return frozenset(row["transfer_id"] for row in rows)


async def insert_batch_entries(tx: Any, batch_id: UUID, entries: Sequence[Entry]) -> None:
    """Put entries into a batch."""
    await tx.execute(
        queries["insert_batch_entries"],
        batch_id,
        [each.transfer.transfer_id for each in entries],
        [each.sequence for each in entries],
        [each.transfer.debit for each in entries],
        [each.transfer.credit for each in entries],
        [each.transfer.amount_minor for each in entries],
        [each.transfer.code.value for each in entries],
        [each.transfer.reference for each in entries],
        [each.transfer.effective_at for each in entries],
        [each.recorded_at for each in entries],
    )


async def list_batch_entries(tx: Any, batch_id: UUID) -> list[Entry]:
    """The entries of a batch in the order of the books."""
    rows = await tx.fetch(queries["list_batch_entries"], batch_id)
    return [
        Entry(
            sequence=row["sequence"],
            recorded_at=row["recorded_at"],
            transfer=Transfer(
                transfer_id=row["transfer_id"],
                debit=row["debit"],
                credit=row["credit"],
                amount_minor=row["amount_minor"],
                code=TransferCode(row["code"]),
                reference=row["reference"],
                effective_at=row["effective_at"],
            ),
        )
        for row in rows
    ]


async def list_notes(tx: Any, batch_id: UUID) -> dict[str, list[StatementNote]]:
    """The notes that a batch tells, by operator."""
    notes: dict[str, list[StatementNote]] = {}
    for row in await tx.fetch(queries["list_notes"], batch_id):
        notes.setdefault(row["operator_id"], []).append(
            StatementNote(
                refund_id=row["refund_id"],
                order_id=row["order_id"],
                amount_minor=row["amount_minor"],
                reason=row["reason"],
                refunded_at=row["refunded_at"],
            )
        )
    return notes


async def insert_statement(tx: Any, statement: Statement) -> None:
    """Keep a statement as it was calculated."""
    await tx.execute(
        queries["insert_statement"],
        statement.batch_id,
        statement.operator_id,
        statement.net_minor,
        statement.commission_tax_minor,
        _STATEMENT.dump_python(statement, mode="json"),
    )


async def list_statements(tx: Any, batch_id: UUID) -> list[Statement]:
    """The statements of a batch, by operator."""
    rows = await tx.fetch(queries["list_statements"], batch_id)
    return [_STATEMENT.validate_python(row["document"]) for row in rows]


async def find_statement(tx: Any, batch_id: UUID, operator_id: str) -> Statement | None:
    """An issued statement."""
    document = await tx.fetchval(queries["find_statement"], batch_id, operator_id)
    return None if document is None else _STATEMENT.validate_python(document)


async def list_statements_of_operator(tx: Any, operator_id: str, *, limit: int) -> list[Statement]:
    """An operator's issued statements, newest first."""
    rows = await tx.fetch(queries["list_statements_of_operator"], operator_id, limit)
    return [_STATEMENT.validate_python(row["document"]) for row in rows]


async def list_positions(tx: Any, batch_id: UUID) -> list[NetPosition]:
    """The positions of a netted batch."""
    return [NetPosition(**dict(row)) for row in await tx.fetch(queries["list_positions"], batch_id)]


async def list_payments(tx: Any, batch_id: UUID) -> list[BatchPayment]:
    """The payments of a netted batch."""
    return [_payment(row) for row in await tx.fetch(queries["list_payments"], batch_id)]


async def list_waiting_for_provider(database: Any) -> list[BatchPayment]:
    """Payments of instructed runs that the payment provider is to make, and has not said to have made."""
    return [_payment(row) for row in await database.fetch(queries["list_waiting_for_provider"])]


def _payment(row: Any) -> BatchPayment:
    return BatchPayment(
        payment_id=row["payment_id"],
        operator_id=row["operator_id"],
        net_minor=row["net_minor"],
        outcome=PaymentOutcome(row["outcome"]),
        paid_by=PaidBy(row["paid_by"]),
        batch_id=row["batch_id"],
    )


def _agreement(row: Any) -> Agreement:
    return Agreement(
        operator_id=row["operator_id"],
        name=row["name"],
        commission_bp=row["commission_bp"],
        odd_yen=OddYen(row["odd_yen"]),
        registration_number=row["registration_number"],
        bank_account=_BANK_ACCOUNT.validate_python(row["bank_account"]),
        valid_from=row["valid_from"],
        consignor_code=row["consignor_code"],
        paid_by=PaidBy(row["paid_by"]),
    )


def _batch(row: Any) -> Batch:
    return Batch(**{**dict(row), "state": RunState(row["state"])})
