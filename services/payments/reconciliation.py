"""The three-way match: our payments and refunds, the ledger, the provider's movements, to the yen.

Idea      Each subject (a payment, a refund, or a movement that is nobody's) has three amounts: what our row
          says moved, what the ledger posted on card clearing, what the provider moved. Equal: matched. Else
          it is listed with its age; what is on its way right now is listed too, until the next look.
          Beside them stand the two balances: card clearing in the ledger, and the provider's, of all
          movements. They are equal but for refunds that have left the provider and are not paid in the books
          yet.
Not here  Which movement is which entry (balance/); what `maas check payments` works out from the tables.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict

from payments.accounts import CARD_CLEARING
from payments.movements import Movement
from payments.ports import LedgerPort
from payments.transfers import Entry, TransferCode
from services.payments.books import CAPTURE, PAY, RETURN
from services.payments.provider import Provider
from services.payments.store import PaymentsStore
from services.platform.clock import SystemClock
from services.platform.context import ServiceContext

_PAGE = 1000
_END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)
_KINDS = frozenset(
    {"charge", "refund", "refund_failure", "payment", "payment_refund", "payment_failure_refund"}
)


class Mismatch(BaseModel):
    """A subject whose three amounts differ. `subject_id` is ours, or the provider's where we have none."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: str
    subject_id: str
    ours_minor: int
    ledger_minor: int
    provider_minor: int
    age_s: float


class Unfinished(BaseModel):
    """A payment, refund or webhook on its way, or a refund that failed and waits for a clerk."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: str
    subject_id: str
    state: str
    attempts: int
    last_error: str
    age_s: float


class Reconciliation(BaseModel):
    """The answer of GET /api/payments/reconciliation. Totals are what each side says moved to us."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    as_of: datetime
    is_matched: bool
    matched_count: int
    ours_minor: int
    ledger_minor: int
    provider_minor: int
    provider_fees_minor: int
    clearing_minor: int
    balance_minor: int
    unmatched: list[Mismatch]
    unfinished: list[Unfinished]


@dataclass(slots=True)
class Subject:
    """The three amounts of one payment, refund or stranger."""

    kind: str
    subject_id: str
    ours_minor: int = 0
    ledger_minor: int = 0
    provider_minor: int = 0
    age_s: float = 0.0

    @property
    def is_matched(self) -> bool:
        """All three sides agree."""
        return self.ours_minor == self.ledger_minor == self.provider_minor


@dataclass(slots=True)
class Match:
    """The match being made: subjects by their own id, by the provider's id and by the transfers' ids."""

    subjects: list[Subject] = field(default_factory=list)
    by_source: dict[str, Subject] = field(default_factory=dict)
    by_transfer: dict[UUID, Subject] = field(default_factory=dict)

    def add(self, subject: Subject, source_id: str | None, transfer_ids: Iterable[UUID]) -> None:
        """One of our own rows."""
        self.subjects.append(subject)
        if source_id is not None:
            self.by_source[source_id] = subject
        self.by_transfer.update(dict.fromkeys(transfer_ids, subject))

    def add_entry(self, entry: Entry) -> None:
        """A movement of card clearing in the ledger."""
        transfer = entry.transfer
        subject = self.by_transfer.get(transfer.transfer_id)
        if subject is None:
            subject = Subject("ledger_entry", str(transfer.transfer_id))
            self.subjects.append(subject)
        subject.ledger_minor += _sign(entry) * transfer.amount_minor

    def add_movement(self, movement: Movement, now: datetime) -> None:
        """A movement at the provider."""
        subject = self.by_source.get(movement.source_id)
        if subject is None:
            age_s = (now - movement.moved_at).total_seconds()
            subject = Subject("provider_movement", movement.source_id, age_s=age_s)
            self.subjects.append(subject)
            self.by_source[movement.source_id] = subject
        subject.provider_minor += movement.amount_minor


async def reconcile(context: ServiceContext, store: PaymentsStore, provider: Provider) -> Reconciliation:
    """Compare the three sides now. Raises ProviderUnavailable."""
    now = SystemClock().now()
    match = Match()
    for row in await store.list_rows("list_charged"):
        payment_id = row["payment_id"]
        subject = Subject("payment", str(payment_id), ours_minor=row["amount_minor"], age_s=row["age_s"])
        match.add(subject, row["source_id"], [uuid5(payment_id, CAPTURE)])
    for row in await store.list_rows("list_refunds"):
        refund_id = row["refund_id"]
        subject = Subject("refund", str(refund_id), ours_minor=row["amount_minor"], age_s=row["age_s"])
        match.add(subject, row["source_id"], [uuid5(refund_id, PAY), uuid5(refund_id, RETURN)])
    movements = await provider.list_movements()
    for movement in movements:
        if movement.kind in _KINDS:
            match.add_movement(movement, now)
    entries = await _list_entries(context.ports.get(LedgerPort))
    for entry in entries:
        if entry.transfer.code in (TransferCode.PAYMENT, TransferCode.REFUND):
            match.add_entry(entry)
    unfinished = [_unfinished(row) for row in await store.list_rows("list_unfinished")]
    return _answer(match, movements, entries, unfinished, now)


async def _list_entries(ledger: LedgerPort) -> list[Entry]:
    entries: list[Entry] = []
    while True:
        page = await ledger.list_entries(
            account_id=CARD_CLEARING,
            after_sequence=entries[-1].sequence if entries else 0,
            until=_END_OF_TIME,
            limit=_PAGE,
        )
        entries.extend(page)
        if len(page) < _PAGE:
            return entries


def _sign(entry: Entry) -> int:
    return 1 if entry.transfer.debit == CARD_CLEARING else -1


def _unfinished(row: dict[str, object]) -> Unfinished:
    return Unfinished.model_validate({**row, "subject_id": str(row["subject_id"])})


def _answer(
    match: Match,
    movements: list[Movement],
    entries: list[Entry],
    unfinished: list[Unfinished],
    now: datetime,
) -> Reconciliation:
    unmatched = [
        Mismatch(
            kind=each.kind,
            subject_id=each.subject_id,
            ours_minor=each.ours_minor,
            ledger_minor=each.ledger_minor,
            provider_minor=each.provider_minor,
            age_s=each.age_s,
        )
        for each in sorted(match.subjects, key=lambda each: -each.age_s)
        if not each.is_matched
    ]
    return Reconciliation(
        as_of=now,
        is_matched=not unmatched,
        matched_count=sum(1 for each in match.subjects if each.is_matched),
        ours_minor=sum(each.ours_minor for each in match.subjects),
        ledger_minor=sum(each.ledger_minor for each in match.subjects),
        provider_minor=sum(each.provider_minor for each in match.subjects),
        provider_fees_minor=sum(each.fee_minor for each in movements),
        clearing_minor=sum(_sign(each) * each.transfer.amount_minor for each in entries),
        balance_minor=sum(each.net_minor for each in movements),
        unmatched=unmatched,
        unfinished=unfinished,
    )
