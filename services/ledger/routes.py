"""The ledger's endpoints: reading only, for administrators. Money is written through LedgerPort."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from payments.ledger import AMOUNT_MINOR_MAX
from payments.ports import TrialBalance
from payments.transfers import Entry
from services.ledger.handlers import LedgerHandlers
from services.ledger.questions import LedgerQuestions, OpenedAccount, Place
from services.ledger.store import EntryFilter, LedgerStore
from services.platform.clock import Clock
from services.platform.problem import Problem
from services.platform.service import Call, Route

_SEQUENCE_MAX = 2**62

Instant = Annotated[
    AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC))
]
Amount = Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MoneyView(_Strict):
    """An amount."""

    amount_minor: int
    currency: str


class BalanceView(_Strict):
    """The sums of an account, at that date and as far as known then. Pending: holds that were open then."""

    account_id: str
    currency: str
    bound: str
    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int
    as_of: datetime
    known_at: datetime


class BalanceQuestion(_Strict):
    """`as_of`: what was effective before it; `known_at`: as far as it was recorded by then."""

    as_of: Instant | None = None
    known_at: Instant | None = None


class TrialBalanceLine(_Strict):
    """One account of the trial balance."""

    account_id: str
    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int


class TrialBalanceView(_Strict):
    """All accounts; `is_balanced` says whether posted debits equal posted credits."""

    is_balanced: bool
    debits_posted: int
    credits_posted: int
    account_count: int
    transfer_count: int
    balances: list[TrialBalanceLine]


class EntryView(_Strict):
    """A recorded movement."""

    sequence: int
    transfer_id: UUID
    debit: str
    credit: str
    amount: MoneyView
    code: str
    reference: str
    effective_at: datetime
    recorded_at: datetime


class EntriesView(_Strict):
    """A page of entries. `next_after_sequence` asks for the next page; null on the last one."""

    entries: list[EntryView]
    next_after_sequence: int | None


class EntriesQuestion(_Strict):
    """A search by date, amount and counterparty, in any combination. `until` bounds are exclusive."""

    effective_from: Instant | None = None
    effective_until: Instant | None = None
    known_at: Instant | None = None
    amount_minor_min: Amount | None = None
    amount_minor_max: Amount | None = None
    counterparty: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    after_sequence: Annotated[int, Field(ge=0, le=_SEQUENCE_MAX)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


def build_routes(
    handlers: LedgerHandlers, store: LedgerStore, questions: LedgerQuestions, clock: Clock
) -> list[Route]:
    """The endpoints."""

    async def get_trial_balance(_call: Call) -> TrialBalanceView:
        return _trial_balance_view(await handlers.get_trial_balance())

    async def get_account(call: Call) -> BalanceView:
        return await _get_account(store, questions, call.path["account_id"], call.query, clock.now())

    async def list_entries(call: Call) -> EntriesView:
        return await _list_entries(store, questions, call.path["account_id"], call.query, clock.now())

    return [
        Route(
            method="GET",
            path="/api/ledger/trial-balance",
            operation="getTrialBalance",
            handler=get_trial_balance,
            summary="All accounts with their debits and credits, from one snapshot",
            tag="ledger",
            response=TrialBalanceView,
        ),
        Route(
            method="GET",
            path="/api/ledger/accounts/{account_id}",
            operation="getLedgerAccount",
            handler=get_account,
            summary="The balance of an account, now or as of a date",
            tag="ledger",
            query=BalanceQuestion,
            response=BalanceView,
            problems=("account_not_found", "question_unanswerable"),
        ),
        Route(
            method="GET",
            path="/api/ledger/accounts/{account_id}/entries",
            operation="listLedgerEntries",
            handler=list_entries,
            summary="The movements of an account, searched by date, amount and counterparty",
            tag="ledger",
            query=EntriesQuestion,
            response=EntriesView,
            problems=("account_not_found", "question_unanswerable"),
        ),
    ]


async def _get_account(
    store: LedgerStore, questions: LedgerQuestions, account_id: str, asked: BalanceQuestion, now: datetime
) -> BalanceView:
    opened = await questions.get_opened(account_id)
    as_of, known_at = asked.as_of or now, asked.known_at or now
    refuse_future(now, as_of, known_at)
    refuse_unknown_past(opened, known_at)
    if asked.as_of is None and asked.known_at is None:
        balance = (await store.get_account(account_id, now=now)).balance
    else:
        balance = await questions.get_balance_at(opened.account, Place(as_of), known_at=known_at)
    return BalanceView(
        account_id=account_id,
        currency=opened.account.currency,
        bound=opened.account.bound.value,
        debits_posted=balance.debits_posted,
        credits_posted=balance.credits_posted,
        debits_pending=balance.debits_pending,
        credits_pending=balance.credits_pending,
        as_of=as_of,
        known_at=known_at,
    )


async def _list_entries(
    store: LedgerStore, questions: LedgerQuestions, account_id: str, question: EntriesQuestion, now: datetime
) -> EntriesView:
    known_at = question.known_at or now
    refuse_future(now, known_at, question.effective_from)
    check_range(
        question.effective_from,
        question.effective_until,
        question.amount_minor_min,
        question.amount_minor_max,
    )
    for each in (account_id, question.counterparty):
        if each is not None:  # an unknown account is an error, never an empty answer
            refuse_unknown_past(await questions.get_opened(each), known_at)
    entries = await store.list_entries(
        account_id,
        after_sequence=question.after_sequence,
        limit=question.limit + 1,
        where=EntryFilter(
            until=question.effective_until or datetime(2200, 1, 1, tzinfo=UTC),
            effective_from=question.effective_from,
            amount_minor_min=question.amount_minor_min,
            amount_minor_max=question.amount_minor_max,
            counterparty=question.counterparty,
            known_at=question.known_at,
        ),
    )
    page = entries[: question.limit]
    return EntriesView(
        entries=[build_entry_view(entry) for entry in page],
        next_after_sequence=page[-1].sequence if len(entries) > len(page) else None,
    )


def refuse_future(now: datetime, *moments: datetime | None) -> None:
    """Raise Problem for a time that has not come."""
    for moment in moments:
        if moment is not None and moment > now:
            raise Problem(
                "question_unanswerable",
                detail=f"{moment.isoformat()} has not come: the books are known until {now.isoformat()}.",
            )


def refuse_unknown_past(opened: OpenedAccount, known_at: datetime) -> None:
    """Raise Problem where nothing was known of the account yet; zero would be a guess."""
    if known_at < opened.opened_at:
        raise Problem(
            "question_unanswerable",
            detail=f"{opened.account.account_id} was opened at {opened.opened_at.isoformat()}.",
        )


def check_range(first: datetime | None, last: datetime | None, low: int | None, high: int | None) -> None:
    """Raise Problem for a range that can hold nothing: an empty answer would lie."""
    if first is not None and last is not None and first >= last:
        raise Problem("question_unanswerable", detail="effective_from must be before effective_until.")
    if low is not None and high is not None and low > high:
        raise Problem("question_unanswerable", detail="amount_minor_min is above amount_minor_max.")


def build_entry_view(entry: Entry) -> EntryView:
    """A recorded movement as it is shown."""
    transfer = entry.transfer
    return EntryView(
        sequence=entry.sequence,
        transfer_id=transfer.transfer_id,
        debit=transfer.debit,
        credit=transfer.credit,
        amount=MoneyView(amount_minor=transfer.amount_minor, currency=transfer.currency),
        code=transfer.code.value,
        reference=transfer.reference,
        effective_at=transfer.effective_at,
        recorded_at=entry.recorded_at,
    )


def _trial_balance_view(trial: TrialBalance) -> TrialBalanceView:
    return TrialBalanceView(
        is_balanced=trial.is_balanced,
        debits_posted=trial.debits_posted,
        credits_posted=trial.credits_posted,
        account_count=trial.account_count,
        transfer_count=trial.transfer_count,
        balances=[
            TrialBalanceLine(
                account_id=balance.account_id,
                debits_posted=balance.debits_posted,
                credits_posted=balance.credits_posted,
                debits_pending=balance.debits_pending,
                credits_pending=balance.credits_pending,
            )
            for balance in trial.balances
        ],
    )
