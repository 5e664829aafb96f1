"""The ledger's slow twin: no running sums, no undo. Every answer is worked out from the whole log."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from payments.accounts import Account, Bound
from payments.transfers import Transfer, TransferKind, TransferStatus

S = TransferStatus


@dataclass
class NaiveLedger:
    accounts: dict[str, Account] = field(default_factory=dict)
    log: list[tuple[Transfer, datetime]] = field(default_factory=list)
    dead_ids: set[UUID] = field(default_factory=set)

    def post(self, transfers: Sequence[Transfer], now: datetime) -> list[S]:
        answers: list[S] = []
        index = 0
        while index < len(transfers):
            end = index
            while end < len(transfers) and transfers[end].linked:
                end += 1
            if end == len(transfers):
                return answers + [S.LINKED_EVENT_FAILED] * (end - index - 1) + [S.LINKED_CHAIN_OPEN]
            answers += self._post_chain(transfers[index : end + 1], now)
            index = end + 1
        return answers

    def _post_chain(self, chain: Sequence[Transfer], now: datetime) -> list[S]:
        log_before = list(self.log)
        answers: list[S] = []
        for transfer in chain:
            answer = self.answer(transfer, now)
            answers.append(answer)
            if answer is S.CREATED:
                self.log = [*self.log, (transfer, now)]
            elif answer is not S.EXISTS:
                self.log = log_before
                if answer is not S.ID_ALREADY_FAILED and not answer.startswith("exists_with_different_"):
                    self.dead_ids.add(transfer.transfer_id)
                for place in range(len(answers) - 1):
                    in_books = self._find(chain[place].transfer_id) is not None
                    answers[place] = S.EXISTS if in_books else S.LINKED_EVENT_FAILED
                return answers + [S.LINKED_EVENT_FAILED] * (len(chain) - len(answers))
        return answers

    def answer(self, t: Transfer, now: datetime) -> S:
        found = self._find(t.transfer_id)
        checks = [
            (found is not None and _find_difference(found, t) is None, S.EXISTS),
            (found is not None, found and _find_difference(found, t)),
            (t.transfer_id in self.dead_ids, S.ID_ALREADY_FAILED),
            (t.amount_minor <= 0, S.AMOUNT_MUST_BE_POSITIVE),
            (t.debit == t.credit, S.ACCOUNTS_MUST_BE_DIFFERENT),
            (t.debit not in self.accounts, S.DEBIT_ACCOUNT_NOT_FOUND),
            (t.credit not in self.accounts, S.CREDIT_ACCOUNT_NOT_FOUND),
        ]
        for wrong, status in checks:
            if wrong:
                return status
        debit, credit = self.accounts[t.debit], self.accounts[t.credit]
        resolves = t.kind in (TransferKind.POST_PENDING, TransferKind.VOID_PENDING)
        later_checks = [
            (not (t.currency == debit.currency == credit.currency), S.CURRENCY_MUST_MATCH),
            (resolves and t.pending_id is None, S.PENDING_ID_REQUIRED),
            (not resolves and t.pending_id is not None, S.PENDING_ID_FORBIDDEN),
            (t.kind is not TransferKind.PENDING and t.timeout_s is not None, S.TIMEOUT_FORBIDDEN),
        ]
        for wrong, status in later_checks:
            if wrong:
                return status
        return self._answer_hold(t, now) if resolves else self._answer_bounds(t, now)

    def _answer_hold(self, t: Transfer, now: datetime) -> S:
        assert t.pending_id is not None
        hold = self._find(t.pending_id)
        if hold is None or hold.kind is not TransferKind.PENDING:
            return S.PENDING_TRANSFER_NOT_FOUND
        if (hold.debit, hold.credit) != (t.debit, t.credit):
            return S.PENDING_TRANSFER_HAS_DIFFERENT_ACCOUNTS
        fate = self._fate(t.pending_id, now)
        if fate != "open":
            return {
                "post_pending": S.PENDING_TRANSFER_ALREADY_POSTED,
                "void_pending": S.PENDING_TRANSFER_ALREADY_VOIDED,
                "expired": S.PENDING_TRANSFER_EXPIRED,
            }[fate]
        if t.amount_minor > hold.amount_minor:
            return S.EXCEEDS_PENDING_AMOUNT
        if t.kind is TransferKind.VOID_PENDING and t.amount_minor < hold.amount_minor:
            return S.PENDING_TRANSFER_HAS_DIFFERENT_AMOUNT
        return S.CREATED

    def _answer_bounds(self, t: Transfer, now: datetime) -> S:
        debits, credits_, debits_pending, _ = self.sums(t.debit, now)
        if (
            self.accounts[t.debit].bound is Bound.DEBITS_MUST_NOT_EXCEED_CREDITS
            and debits + debits_pending + t.amount_minor > credits_
        ):
            return S.EXCEEDS_CREDITS
        debits, credits_, _, credits_pending = self.sums(t.credit, now)
        if (
            self.accounts[t.credit].bound is Bound.CREDITS_MUST_NOT_EXCEED_DEBITS
            and credits_ + credits_pending + t.amount_minor > debits
        ):
            return S.EXCEEDS_DEBITS
        return S.CREATED

    def sums(self, account_id: str, now: datetime) -> tuple[int, int, int, int]:
        """Debits posted, credits posted, debits pending, credits pending."""
        moved = [t for t, _ in self.log if t.kind in (TransferKind.POSTED, TransferKind.POST_PENDING)]
        held = [
            t
            for t, _ in self.log
            if t.kind is TransferKind.PENDING and self._fate(t.transfer_id, now) == "open"
        ]
        return (
            sum(t.amount_minor for t in moved if t.debit == account_id),
            sum(t.amount_minor for t in moved if t.credit == account_id),
            sum(t.amount_minor for t in held if t.debit == account_id),
            sum(t.amount_minor for t in held if t.credit == account_id),
        )

    def _find(self, transfer_id: UUID) -> Transfer | None:
        return next((t for t, _ in self.log if t.transfer_id == transfer_id), None)

    def _fate(self, hold_id: UUID, now: datetime) -> str:
        for t, _ in self.log:
            if t.pending_id == hold_id:
                return str(t.kind)
        hold, recorded_at = next(each for each in self.log if each[0].transfer_id == hold_id)
        if hold.timeout_s is not None and recorded_at + timedelta(seconds=hold.timeout_s) <= now:
            return "expired"
        return "open"


FIELDS_IN_ORDER = {
    "kind": "kind",
    "pending_id": "pending_id",
    "timeout_s": "timeout",
    "debit": "debit_account",
    "credit": "credit_account",
    "amount_minor": "amount",
    "currency": "currency",
    "code": "code",
    "reference": "reference",
}


def _find_difference(known: Transfer, asked: Transfer) -> S | None:
    for name, word in FIELDS_IN_ORDER.items():
        if getattr(known, name) != getattr(asked, name):
            return S(f"exists_with_different_{word}")
    return None
