"""A settlement run, from its cut-off to the bank.

Problem   A run has many effects: rows here, transfers in the ledger, files for the bank. The process may die
          between any two of them.
Idea      The run's state says what is done. `advance` takes exactly one step: it locks the batch row, does
          the step's work and sets the next state in the same transaction. Work outside this database (the
          ledger's transfers) has ids made from the batch, so that doing it again changes nothing. Repeating
          `advance` therefore ends at the same batch, whatever happened.
Not here  The arithmetic (payments/settlement.py, netting.py, statements.py, bank_files.py).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from maas.events import SettlementBatchClosed
from payments.accounts import BANK_CASH, operator_payable
from payments.bank_files import BankTransfer, Payer, build_pain001, build_zengin
from payments.errors import SettlementBatchNotFound
from payments.netting import net
from payments.ports import LedgerPort, OperatorPayoutsPort, OperatorPayoutState
from payments.settlement import (
    BATCH_CODES,
    PLATFORM,
    Agreement,
    PaidBy,
    PaymentOutcome,
    RunState,
    build_outcome_transfer,
    list_batch_transfers,
    list_obligations,
    select_for_batch,
)
from payments.statements import build_statement
from payments.transfers import Entry
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.settlement import store
from services.settlement.posting import post_chain
from services.settlement.store import Batch, queries

BOOKS_ZONE = ZoneInfo("Asia/Tokyo")
"""Where the books' days begin and end."""

_BATCHES = UUID("b3a7c9c2-60e5-5b0f-8d63-736574746c65")
_PAGE = 1000
_ALL_TIME = datetime(9000, 1, 1, tzinfo=UTC)
_SATURDAY = 5


class Runs:
    """Settlement runs."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context

    async def run(self, *, cut_off: datetime | None, pay_on: date | None) -> Batch:
        """Open a run and bring it to the bank; one that is unfinished is finished first.

        The same cut-off again gives the same batch. Raises Problem cut_off_not_possible, agreement_missing.
        """
        await self.resume()
        batch_id = await self._open(cut_off or self._context.clock.now(), pay_on)
        return await self._finish(batch_id)

    async def resume(self) -> None:
        """Finish the run that was interrupted, if one was."""
        unfinished = await store.find_batch(self._context.database, "find_unfinished_batch")
        if unfinished is not None:
            await self._finish(unfinished.batch_id)

    async def advance(self, batch_id: UUID) -> Batch:
        """Take the next step of a run that is not instructed yet; one that is stays as it is."""
        steps = {
            RunState.OPEN: self._cut_off,
            RunState.CUT_OFF: self._calculate,
            RunState.CALCULATED: self._issue_statements,
            RunState.STATEMENT: self._lock,
            RunState.LOCKED: self._net,
            RunState.NETTED: self._instruct,
        }
        async with self._context.database.transaction() as tx:
            batch = await store.find_batch(tx, "lock_batch", batch_id)
            if batch is None:
                raise SettlementBatchNotFound(f"No batch has the id {batch_id}. List the runs to find it.")
            if batch.state in steps:
                await steps[batch.state](tx, batch)
                batch = await store.find_batch(tx, "find_batch", batch_id)
                assert batch is not None, "a batch is never deleted"
        return batch

    async def confirm(
        self, batch_id: UUID, *, outcome: PaymentOutcome, operator_ids: Sequence[str] | None
    ) -> Batch:
        """Note what the bank did with these payments, or with all that wait. Safe to repeat.

        Raises Problem conflict when the run is not that far or a payment had the other outcome, and
        TransferRefused when that outcome was posted by a try that died before it could be noted here.
        """
        async with self._context.database.transaction() as tx:
            batch = await store.find_batch(tx, "lock_batch", batch_id)
            if batch is None:
                raise SettlementBatchNotFound(f"No batch has the id {batch_id}. List the runs to find it.")
            if batch.state not in (RunState.INSTRUCTED, RunState.CONFIRMED):
                raise Problem("conflict", detail=f"The run is {batch.state}; the bank has no order yet.")
            for payment in await self._choose(tx, batch, outcome, operator_ids):
                await self._settle_payment(tx, batch, payment, outcome)
            await self._close_when_all_are_paid(tx, batch)
            confirmed = await store.find_batch(tx, "find_batch", batch_id)
            assert confirmed is not None, "a batch is never deleted"
        return confirmed

    async def pay_through_provider(self) -> int:
        """Ask for the payments that go through the payment provider; returns how many it has made now.

        The payment's id is the payout's, so that asking again tells how far it is. The ledger follows the
        provider's movements (services/payments/balance), so nothing is posted here.
        """
        paid = 0
        for payment in await store.list_waiting_for_provider(self._context.database):
            assert payment.batch_id is not None, "a payment read from its row knows its run"
            payout = await self._context.ports.get(OperatorPayoutsPort).pay_operator(
                payout_id=payment.payment_id,
                operator_id=payment.operator_id,
                amount_minor=payment.net_minor,
            )
            if payout.state is OperatorPayoutState.OPEN:
                continue
            paid += 1
            async with self._context.database.transaction() as tx:
                batch = await store.find_batch(tx, "lock_batch", payment.batch_id)
                assert batch is not None, "a batch is never deleted"
                await tx.execute(
                    queries["set_payment_outcome"],
                    batch.batch_id,
                    payment.operator_id,
                    PaymentOutcome.CONFIRMED.value,
                    self._context.clock.now(),
                )
                await self._close_when_all_are_paid(tx, batch)
        return paid

    async def _close_when_all_are_paid(self, tx: Any, batch: Batch) -> None:
        waiting = [
            each
            for each in await store.list_payments(tx, batch.batch_id)
            if each.outcome is PaymentOutcome.INSTRUCTED
        ]
        if not waiting and batch.state is RunState.INSTRUCTED:
            await tx.execute(queries["set_batch_state"], batch.batch_id, RunState.CONFIRMED.value)

    async def _finish(self, batch_id: UUID) -> Batch:
        batch = await self.advance(batch_id)
        while batch.state not in (RunState.INSTRUCTED, RunState.CONFIRMED):
            batch = await self.advance(batch_id)
        return batch

    async def _open(self, cut_off: datetime, pay_on: date | None) -> UUID:
        now = self._context.clock.now()
        async with self._context.database.transaction() as tx:
            await tx.execute(queries["lock_new_batches"])
            existing = await store.find_batch(tx, "find_batch_at", cut_off)
            if existing is not None:
                return existing.batch_id
            await self._check_opening(tx, cut_off, now)
            batch_id = uuid5(_BATCHES, cut_off.astimezone(UTC).isoformat())
            await tx.execute(queries["insert_batch"], batch_id, cut_off, pay_on or _next_weekday(now), now)
        return batch_id

    async def _check_opening(self, tx: Any, cut_off: datetime, now: datetime) -> None:
        if cut_off > now:
            raise Problem(
                "cut_off_not_possible", detail=f"{cut_off.isoformat()} has not come; it is {now.isoformat()}."
            )
        newest = await tx.fetchval(queries["find_newest_cut_off"])
        if newest is not None and cut_off < newest:
            raise Problem(
                "cut_off_not_possible",
                detail=f"A run up to {newest.isoformat()} exists; a cut-off lies after the last one.",
            )
        unfinished = await store.find_batch(tx, "find_unfinished_batch")
        if unfinished is not None:
            raise Problem("conflict", detail=f"Run {unfinished.batch_id} has just begun. Ask again.")
        if (await _find_platform(tx, now)) is None:
            raise Problem(
                "agreement_missing",
                detail=f"Statements name their issuer: PUT /api/settlement/agreements/{PLATFORM} first.",
            )

    async def _cut_off(self, tx: Any, batch: Batch) -> None:
        """Take the entries of each operator's payable that no batch has taken."""
        agreements = await store.list_agreements(tx, at=self._context.clock.now())
        participants = frozenset(agreements) | {PLATFORM}
        operators = sorted({row["operator_id"] for row in await tx.fetch(queries["list_operators"])})
        seen = {
            operator_id: await self._list_new_entries(tx, operator_id)
            for operator_id in operators
            if operator_id != PLATFORM
        }
        entries = [entry for each in seen.values() for entry in each]
        taken = await store.list_taken(tx, (entry.transfer.transfer_id for entry in entries))
        chosen = select_for_batch(entries, cut_off=batch.cut_off, participants=participants, taken=taken)
        await store.insert_batch_entries(tx, batch.batch_id, chosen)
        done = taken | {entry.transfer.transfer_id for entry in chosen}
        for operator_id, listed in seen.items():
            if listed:
                await tx.execute(queries["set_watermark"], operator_id, _watermark(listed, done))
        await tx.execute(queries["claim_notes"], batch.batch_id, batch.cut_off, sorted(participants))
        await tx.execute(queries["set_batch_state"], batch.batch_id, RunState.CUT_OFF.value)

    async def _list_new_entries(self, tx: Any, operator_id: str) -> list[Entry]:
        ledger = self._context.ports.get(LedgerPort)
        after = await tx.fetchval(queries["find_watermark"], operator_id) or 0
        entries: list[Entry] = []
        while True:
            page = await ledger.list_entries(
                account_id=operator_payable(operator_id),
                after_sequence=after,
                until=_ALL_TIME,
                limit=_PAGE,
            )
            entries += page
            if len(page) < _PAGE:
                return entries
            after = page[-1].sequence

    async def _calculate(self, tx: Any, batch: Batch) -> None:
        """Draw up a statement for each operator that something happened to."""
        agreements = await store.list_agreements(tx, at=self._context.clock.now())
        entries = await store.list_batch_entries(tx, batch.batch_id)
        notes = await store.list_notes(tx, batch.batch_id)
        for operator_id, agreement in sorted(agreements.items()):
            payable = operator_payable(operator_id)
            own = [each for each in entries if payable in (each.transfer.debit, each.transfer.credit)]
            if operator_id == PLATFORM or not (own or operator_id in notes):
                continue
            statement = build_statement(
                batch_id=batch.batch_id,
                cut_off=batch.cut_off,
                supplied_until=batch.cut_off.astimezone(BOOKS_ZONE).date(),
                agreement=agreement,
                platform=agreements[PLATFORM],
                entries=own,
                notes=notes.get(operator_id, ()),
            )
            await store.insert_statement(tx, statement)
        await tx.execute(queries["set_batch_state"], batch.batch_id, RunState.CALCULATED.value)

    async def _issue_statements(self, tx: Any, batch: Batch) -> None:
        """From here on operators see their statements."""
        await tx.execute(queries["set_batch_state"], batch.batch_id, RunState.STATEMENT.value)

    async def _lock(self, tx: Any, batch: Batch) -> None:
        """Fix the run. Objections lead to adjustments, which a later run takes."""
        await tx.execute(queries["lock_batch_for_good"], batch.batch_id, self._context.clock.now())

    async def _net(self, tx: Any, batch: Batch) -> None:
        """Find the positions and the payments that remain, and tell that the run is closed."""
        statements = await store.list_statements(tx, batch.batch_id)
        entries = await store.list_batch_entries(tx, batch.batch_id)
        taxes = {each.operator_id: each.commission_tax_minor for each in statements}
        netting = net(list_obligations([entry.transfer for entry in entries], tax_minor=taxes), hub=PLATFORM)
        nets = {each.operator_id: each.net_minor for each in statements}
        agreements = await store.list_agreements(tx, at=self._context.clock.now())
        for position in netting.positions:
            known = position.participant == PLATFORM or nets[position.participant] == position.net_minor
            assert known, "a position is what the operator's statement says"
            await tx.execute(
                queries["insert_position"],
                batch.batch_id,
                position.participant,
                position.gets_minor,
                position.owes_minor,
            )
        for operator_id, amount in sorted(nets.items()):
            if amount:
                payment_id = uuid5(batch.batch_id, f"{operator_id}/payment")
                by_provider = amount > 0 and agreements[operator_id].paid_by is PaidBy.PROVIDER
                paid_by = PaidBy.PROVIDER if by_provider else PaidBy.BANK
                await tx.execute(
                    queries["insert_payment"], payment_id, batch.batch_id, operator_id, amount, paid_by.value
                )
        await tx.execute(
            queries["set_batch_netted"],
            batch.batch_id,
            netting.gross_minor,
            netting.net_minor,
            netting.efficiency_bp,
        )
        await self._context.outbox.append(
            tx,
            SettlementBatchClosed(
                batch_id=batch.batch_id, cut_off=batch.cut_off, total_minor=netting.net_minor
            ),
        )

    async def _instruct(self, tx: Any, batch: Batch) -> None:
        """Move the positions to clearing in the ledger, and write the bank's files."""
        statements = await store.list_statements(tx, batch.batch_id)
        assert batch.locked_at is not None, "a netted run is locked"
        taxes = {each.operator_id: each.commission_tax_minor for each in statements}
        nets = {each.operator_id: each.net_minor for each in statements}
        locked_at = batch.locked_at
        await post_chain(
            self._context.ports.get(LedgerPort),
            lambda attempt: list_batch_transfers(
                batch.batch_id, tax_minor=taxes, net_minor=nets, effective_at=locked_at, attempt=attempt
            ),
        )
        await self._write_bank_files(tx, batch)
        await tx.execute(queries["set_batch_state"], batch.batch_id, RunState.INSTRUCTED.value)

    async def _write_bank_files(self, tx: Any, batch: Batch) -> None:
        payments = [
            each
            for each in await store.list_payments(tx, batch.batch_id)
            if each.net_minor > 0 and each.paid_by is PaidBy.BANK
        ]
        if not payments:
            return
        agreements = await store.list_agreements(tx, at=self._context.clock.now())
        transfers = [
            BankTransfer(
                payment_id=each.payment_id,
                payee_name=agreements[each.operator_id].name,
                payee=agreements[each.operator_id].bank_account,
                amount_minor=each.net_minor,
            )
            for each in payments
        ]
        payer = _payer(agreements)
        files = {
            "zengin": build_zengin(payer=payer, transfers=transfers, pay_on=batch.pay_on),
            "pain001": build_pain001(
                payer=payer,
                transfers=transfers,
                pay_on=batch.pay_on,
                message_id=batch.batch_id.hex,
                created_at=self._context.clock.now(),
            ),
        }
        for name, content in files.items():
            await tx.execute(queries["insert_bank_file"], batch.batch_id, name, content)

    async def _choose(
        self, tx: Any, batch: Batch, outcome: PaymentOutcome, operator_ids: Sequence[str] | None
    ) -> list[store.BatchPayment]:
        payments = {
            each.operator_id: each
            for each in await store.list_payments(tx, batch.batch_id)
            if each.paid_by is PaidBy.BANK
        }
        if operator_ids is None:
            return [each for each in payments.values() if each.outcome is PaymentOutcome.INSTRUCTED]
        for operator_id in operator_ids:
            if operator_id not in payments:
                raise Problem("conflict", detail=f"The run has no payment for {operator_id}.")
            if payments[operator_id].outcome not in (PaymentOutcome.INSTRUCTED, outcome):
                raise Problem(
                    "conflict",
                    detail=f"The payment for {operator_id} is {payments[operator_id].outcome} already.",
                )
        chosen = [payments[operator_id] for operator_id in sorted(set(operator_ids))]
        return [each for each in chosen if each.outcome is PaymentOutcome.INSTRUCTED]

    async def _settle_payment(
        self, tx: Any, batch: Batch, payment: store.BatchPayment, outcome: PaymentOutcome
    ) -> None:
        now = self._context.clock.now()
        failed = outcome is PaymentOutcome.FAILED
        account = operator_payable(payment.operator_id) if failed else BANK_CASH
        await post_chain(
            self._context.ports.get(LedgerPort),
            lambda attempt: [
                build_outcome_transfer(
                    batch.batch_id,
                    operator_id=payment.operator_id,
                    net_minor=payment.net_minor,
                    outcome_account=account,
                    effective_at=now,
                    attempt=attempt,
                )
            ],
        )
        await tx.execute(
            queries["set_payment_outcome"], batch.batch_id, payment.operator_id, outcome.value, now
        )


async def _find_platform(tx: Any, now: datetime) -> Agreement | None:
    return await store.find_agreement(tx, PLATFORM, at=now)


def _payer(agreements: Mapping[str, Agreement]) -> Payer:
    platform = agreements[PLATFORM]
    assert platform.consignor_code is not None, "the platform's agreement has its consignor code"
    return Payer(name=platform.name, consignor_code=platform.consignor_code, account=platform.bank_account)


def _watermark(listed: Sequence[Entry], done: frozenset[UUID]) -> int:
    """The sequence up to which nothing waits for a later run."""
    for entry in listed:
        if entry.transfer.transfer_id not in done and entry.transfer.code not in BATCH_CODES:
            return entry.sequence - 1
    return listed[-1].sequence


def _next_weekday(now: datetime) -> date:
    """The day after `now` in Tokyo, or Monday. Whoever knows the bank's holidays gives `pay_on`."""
    day = now.astimezone(BOOKS_ZONE).date() + timedelta(days=1)
    while day.weekday() >= _SATURDAY:
        day += timedelta(days=1)
    return day
