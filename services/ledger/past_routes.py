"""What auditors and clerks read of the past: statements of an account, and searches over all books."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from payments.accounts import AccountId, Balance
from payments.transfers import Entry
from services.ledger.questions import LedgerQuestions, Place, Search
from services.ledger.routes import (
    Amount,
    EntryView,
    Instant,
    MoneyView,
    build_entry_view,
    check_range,
    refuse_future,
    refuse_unknown_past,
)
from services.platform.clock import Clock
from services.platform.problem import Problem
from services.platform.service import Call, Route

AccountName = Annotated[str, Field(min_length=1, max_length=200)]
PlaceText = Annotated[str, Field(pattern=r"^\d{1,17}-\d{1,18}$")]
PageSize = Annotated[int, Field(ge=1, le=1000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StatementQuestion(_Strict):
    """Effective from (inclusive) until (exclusive, now if absent), as far as recorded by `known_at`.

    `after` is the `next_after` of the page before; pass that page's `effective_until` and `known_at` too.
    """

    effective_from: Instant
    effective_until: Instant | None = None
    known_at: Instant | None = None
    after: PlaceText | None = None
    limit: PageSize = 100


class StatementLine(_Strict):
    """A movement as the account sees it. `net_credit_minor` is the balance behind it: credits less debits."""

    sequence: int
    transfer_id: UUID
    side: Literal["debit", "credit"]
    counterparty: str
    amount: MoneyView
    code: str
    reference: str
    effective_at: datetime
    recorded_at: datetime
    net_credit_minor: int


class StatementView(_Strict):
    """A page of a statement. Opening, closing: the balance, credits less debits, before and behind the page.

    `next_after` asks for the next page; null on the last one, whose closing balance is the statement's.
    """

    account_id: str
    currency: str
    effective_from: datetime
    effective_until: datetime
    known_at: datetime
    opening_net_credit_minor: int
    lines: list[StatementLine]
    closing_net_credit_minor: int
    next_after: str | None


class SearchQuestion(_Strict):
    """By date, amount and accounts, in any combination; both accounts: what moved between the two."""

    effective_from: Instant
    effective_until: Instant
    known_at: Instant | None = None
    account: AccountName | None = None
    counterparty: AccountName | None = None
    amount_minor_min: Amount | None = None
    amount_minor_max: Amount | None = None
    after: PlaceText | None = None
    limit: PageSize = 100


class SearchView(_Strict):
    """A page of movements by effective time, as recorded by `known_at`; `next_after` is null on the last."""

    known_at: datetime
    entries: list[EntryView]
    next_after: str | None


def build_past_routes(questions: LedgerQuestions, clock: Clock) -> list[Route]:
    """The endpoints."""

    async def get_statement(call: Call) -> StatementView:
        return await _get_statement(questions, call.path["account_id"], call.query, clock.now())

    async def search(call: Call) -> SearchView:
        return await _search(questions, call.query, clock.now())

    return [
        Route(
            method="GET",
            path="/api/ledger/accounts/{account_id}/statement",
            operation="getLedgerStatement",
            handler=get_statement,
            summary="The statement of an account: opening balance, movements, closing balance",
            tag="ledger",
            query=StatementQuestion,
            response=StatementView,
            problems=("account_not_found", "question_unanswerable"),
        ),
        Route(
            method="GET",
            path="/api/ledger/transfers",
            operation="searchTransfers",
            handler=search,
            summary="All movements of the books, searched by date, amount and counterparty",
            tag="ledger",
            query=SearchQuestion,
            response=SearchView,
            problems=("account_not_found", "question_unanswerable"),
        ),
    ]


async def _get_statement(
    questions: LedgerQuestions, account_id: AccountId, asked: StatementQuestion, now: datetime
) -> StatementView:
    opened = await questions.get_opened(account_id)
    until, known_at = asked.effective_until or now, asked.known_at or now
    refuse_future(now, until, known_at)
    check_range(asked.effective_from, until, None, None)
    refuse_unknown_past(opened, known_at)
    start = _find_start(asked.effective_from, until, asked.after)
    opening = await questions.get_balance_at(opened.account, start, known_at=known_at)
    wanted = Search(start=start, until=until, known_at=known_at, account_id=account_id)
    found = await questions.search(wanted, limit=asked.limit + 1)
    page = found[: asked.limit]
    lines = _list_lines(account_id, opening, page)
    return StatementView(
        account_id=account_id,
        currency=opened.account.currency,
        effective_from=asked.effective_from,
        effective_until=until,
        known_at=known_at,
        opening_net_credit_minor=opening.net_credit,
        lines=lines,
        closing_net_credit_minor=lines[-1].net_credit_minor if lines else opening.net_credit,
        next_after=str(Place.behind(page[-1])) if len(found) > len(page) else None,
    )


def _list_lines(account_id: AccountId, opening: Balance, page: list[Entry]) -> list[StatementLine]:
    lines, net = list[StatementLine](), opening.net_credit
    for entry in page:
        transfer = entry.transfer
        credited = transfer.credit == account_id
        net += transfer.amount_minor if credited else -transfer.amount_minor
        lines.append(
            StatementLine(
                sequence=entry.sequence,
                transfer_id=transfer.transfer_id,
                side="credit" if credited else "debit",
                counterparty=transfer.debit if credited else transfer.credit,
                amount=MoneyView(amount_minor=transfer.amount_minor, currency=transfer.currency),
                code=transfer.code.value,
                reference=transfer.reference,
                effective_at=transfer.effective_at,
                recorded_at=entry.recorded_at,
                net_credit_minor=net,
            )
        )
    return lines


async def _search(questions: LedgerQuestions, asked: SearchQuestion, now: datetime) -> SearchView:
    known_at = asked.known_at or now
    refuse_future(now, asked.effective_from, known_at)
    check_range(asked.effective_from, asked.effective_until, asked.amount_minor_min, asked.amount_minor_max)
    for account_id in (asked.account, asked.counterparty):
        if account_id is not None:  # an unknown account is an error, never an empty answer
            refuse_unknown_past(await questions.get_opened(account_id), known_at)
    found = await questions.search(
        Search(
            start=_find_start(asked.effective_from, asked.effective_until, asked.after),
            until=asked.effective_until,
            known_at=known_at,
            account_id=asked.account,
            counterparty=asked.counterparty,
            amount_minor_min=asked.amount_minor_min,
            amount_minor_max=asked.amount_minor_max,
        ),
        limit=asked.limit + 1,
    )
    page = found[: asked.limit]
    return SearchView(
        known_at=known_at,
        entries=[build_entry_view(entry) for entry in page],
        next_after=str(Place.behind(page[-1])) if len(found) > len(page) else None,
    )


def _find_start(effective_from: datetime, until: datetime, after: str | None) -> Place:
    """Where the page begins."""
    if after is None:
        return Place(effective_from)
    try:
        place = Place.parse(after)
    except OverflowError as error:
        raise Problem("question_unanswerable", detail="`after` is no `next_after` of a page.") from error
    if not Place(effective_from) <= place < Place(until):
        raise Problem("question_unanswerable", detail="`after` is a page of another range of dates.")
    return place
