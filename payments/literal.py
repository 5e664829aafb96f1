"""A small ledger written as text, for tests and for explaining.

Problem   A ledger test built from constructors hides the story; a table of text tells it.
Idea      One statement a line, `#` starts a comment. Names are free words; ids are made from them.

    account rider debits<=credits              an account with that bound (also credits<=debits, or none)
    transfer t1 bank -> rider 1000 = created   what is asked = the status it must get
    transfer t2 rider -> operator 250 pending timeout 60 = created
    transfer t3 rider -> operator 250 post t2 = created
    wait 61                                    seconds pass
    balance rider debits 250 0 credits 1000 0  posted and pending sums that must hold here

          After the amount may stand, in any order: `pending`, `post ID`, `void ID`, `timeout SECONDS`,
          `linked`, `currency CODE`, `code WORD` (of TransferCode), `reference WORD`, `hold ID` (names a hold
          and does nothing to it).
          Neighbouring transfer lines are one batch; any other line, also an empty one, ends it.
Not here  Running it: `play` runs a script on a pure Ledger; the store's tests walk over the steps themselves.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from payments.accounts import Account, AccountId, Balance, Bound
from payments.ledger import Ledger
from payments.money import JPY
from payments.transfers import Transfer, TransferCode, TransferKind, TransferStatus

START = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)
"""The instant at which every script begins."""

_NAMES = UUID("5a1f1f62-3a9e-5f0c-9c55-6c6564676572")

_BOUNDS = {
    "debits<=credits": Bound.DEBITS_MUST_NOT_EXCEED_CREDITS,
    "credits<=debits": Bound.CREDITS_MUST_NOT_EXCEED_DEBITS,
}


class ScriptInvalid(ValueError):
    """A line of the script cannot be read. The message names the line and what was expected."""


@dataclass(frozen=True, slots=True)
class OpenStep:
    """Open an account."""

    account: Account


@dataclass(frozen=True, slots=True)
class BatchStep:
    """Post these as one batch and expect these statuses."""

    transfers: tuple[Transfer, ...]
    expected: tuple[TransferStatus, ...]


@dataclass(frozen=True, slots=True)
class WaitStep:
    """Let the seconds pass."""

    seconds: int


@dataclass(frozen=True, slots=True)
class BalanceStep:
    """Expect this balance."""

    expected: Balance


Step = OpenStep | BatchStep | WaitStep | BalanceStep


def name_id(name: str) -> UUID:
    """The id that a name of a script stands for."""
    return uuid5(_NAMES, name)


def parse(text: str) -> tuple[Step, ...]:
    """The steps of a script. Raises ScriptInvalid."""
    return tuple(_steps(text))


def play(text: str) -> list[str]:
    """Run a script on a fresh Ledger; one sentence for each expectation that does not hold."""
    ledger, now, wrong = Ledger(), START, list[str]()
    for step in parse(text):
        if isinstance(step, OpenStep):
            ledger.open_account(step.account)
        elif isinstance(step, WaitStep):
            now += timedelta(seconds=step.seconds)
        elif isinstance(step, BatchStep):
            wrong += compare_statuses(step, ledger.post(step.transfers, now=now))
        else:
            wrong += compare_balance(step, ledger.get_balance(step.expected.account_id, now=now))
    return wrong


def compare_statuses(step: BatchStep, got: list[TransferStatus]) -> list[str]:
    """What is wrong with the answers to a batch."""
    assert len(got) == len(step.transfers), "one status a transfer"
    return [
        f"{transfer.debit} -> {transfer.credit} {transfer.amount_minor}: {status} instead of {expected}"
        for transfer, status, expected in zip(step.transfers, got, step.expected, strict=True)
        if status is not expected
    ]


def compare_balance(step: BalanceStep, got: Balance) -> list[str]:
    """What is wrong with a balance."""
    return [] if got == step.expected else [f"{got} instead of {step.expected}"]


def _steps(text: str) -> Iterator[Step]:
    batch: list[tuple[Transfer, TransferStatus]] = []
    for number, raw in enumerate([*text.splitlines(), ""], start=1):
        line = raw.partition("#")[0].strip()
        try:
            if line.startswith("transfer "):
                batch.append(_read_transfer(line))
                continue
            if batch:
                yield BatchStep(tuple(each[0] for each in batch), tuple(each[1] for each in batch))
                batch = []
            if line:
                yield _read_other(line)
        except ValueError as error:
            raise ScriptInvalid(f"line {number}: {raw.strip()!r}: {error}") from error


def _read_other(line: str) -> Step:
    match line.split():
        case ["account", name, *rest]:
            bounds = [_BOUNDS[word] for word in rest if word in _BOUNDS]
            currencies = [word for word in rest if word not in _BOUNDS]
            bound = bounds[0] if bounds else Bound.NONE
            currency = currencies[0] if currencies else JPY
            return OpenStep(Account(account_id=name, bound=bound, currency=currency))
        case ["wait", seconds]:
            return WaitStep(int(seconds))
        case ["balance", name, "debits", debits, debits_pending, "credits", credits_, credits_pending]:
            return BalanceStep(
                _balance(name, int(debits), int(debits_pending), int(credits_), int(credits_pending))
            )
    raise ScriptInvalid("expected account, transfer, wait or balance")


def _balance(
    name: AccountId, debits: int, debits_pending: int, credits_: int, credits_pending: int
) -> Balance:
    return Balance(
        account_id=name,
        debits_posted=debits,
        credits_posted=credits_,
        debits_pending=debits_pending,
        credits_pending=credits_pending,
    )


def _read_transfer(line: str) -> tuple[Transfer, TransferStatus]:
    asked, equals, status = line.partition("=")
    if not equals:
        raise ScriptInvalid("expected `= status` at the end")
    _, name, debit, arrow, credit, amount, *words = asked.split()
    if arrow != "->":
        raise ScriptInvalid("expected `debit -> credit`")
    fields: dict[str, Any] = {"code": TransferCode.PAYMENT, "reference": "script"}
    rest = iter(words)
    fields |= dict(_read_word(word, rest) for word in rest)
    transfer = Transfer(
        transfer_id=name_id(name),
        debit=debit,
        credit=credit,
        amount_minor=int(amount),
        effective_at=START,
        **_with_hold(fields),
    )
    return transfer, TransferStatus(status.strip())


def _read_word(word: str, rest: Iterator[str]) -> tuple[str, object]:
    match word:
        case "pending":
            return "kind", TransferKind.PENDING
        case "post" | "void":
            kind = TransferKind.POST_PENDING if word == "post" else TransferKind.VOID_PENDING
            return "resolve", (kind, name_id(_next_word(word, rest)))
        case "hold":
            return "pending_id", name_id(_next_word(word, rest))
        case "timeout":
            return "timeout_s", int(_next_word(word, rest))
        case "linked":
            return "linked", True
        case "code" | "currency" | "reference":
            said = _next_word(word, rest)
            return word, TransferCode(said) if word == "code" else said
    raise ScriptInvalid(f"{word!r} is no word of a transfer")


def _next_word(after: str, rest: Iterator[str]) -> str:
    word = next(rest, None)
    if word is None:
        raise ScriptInvalid(f"a word is missing after {after!r}")
    return word


def _with_hold(fields: dict[str, Any]) -> dict[str, Any]:
    """`post t1` sets two fields of the transfer: its kind and its hold."""
    if "resolve" in fields:
        kind, pending_id = fields.pop("resolve")
        return {**fields, "kind": kind, "pending_id": pending_id}
    return fields
