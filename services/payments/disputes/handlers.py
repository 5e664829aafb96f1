"""Follow disputes: tell the order, hand in evidence, book what is lost.

Idea      A dispute is a row from the moment we hear of it, saved with the event that tells the order. Each
          round looks where it is at the provider; a decision is saved with its event only after the books
          show it. A loss is booked when the withdrawal is: the amount lost is what was withdrawn.
Not here  The movements of money themselves (services/payments/balance).
"""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid5

import structlog

from maas.events import FaresChargedBack, PaymentDisputed, PaymentDisputeDecided
from payments.disputes import (
    DisputeReport,
    DisputeState,
    build_fares_kept,
    build_loss,
    draft_evidence,
    follow_dispute,
)
from payments.errors import DisputeDecided, PaymentsError, ProviderRefused, TransferRefused
from payments.ports import PaymentPurpose
from payments.transfers import TransferStatus
from services.payments.balance.collector import Collector
from services.payments.books import Books
from services.payments.calls import run_call
from services.payments.disputes.provider import DisputesProvider
from services.payments.disputes.ridden import FIELD, RIDDEN_HEAD, find_ridden
from services.payments.disputes.store import DisputeRow, DisputesStore
from services.payments.disputes.value import take_value_back
from services.payments.store import PaymentsStore
from services.payments.wallets.store import WalletStore
from services.platform.bus import Envelope
from services.platform.context import ServiceContext

log = structlog.get_logger()

_BATCH = 50
_FARES_ATTEMPTS_MAX = 1000


class DisputesHandlers:
    """The room of disputes."""

    def __init__(
        self,
        *,
        context: ServiceContext,
        store: DisputesStore,
        payments: PaymentsStore,
        wallets: WalletStore,
        books: Books,
        provider: DisputesProvider,
        collector: Collector,
    ) -> None:
        self._context = context
        self._store = store
        self._payments = payments
        self._wallets = wallets
        self._books = books
        self._provider = provider
        self._collector = collector

    async def hear(self, kind: str, object_id: str) -> None:
        """The provider tells of a dispute: look where it is, and what it moved."""
        await self._collector.hear(kind, object_id)
        await self._look(await self._provider.get_dispute(dispute_id=object_id))

    async def step(self, *, at_once: bool = False) -> int:
        """Go on with what is due; `at_once` also finds disputes that no webhook told of."""
        if at_once:
            await self._learn_all()
        ids = await self._store.claim(at_once=at_once, limit=_BATCH)
        for dispute_id in ids:
            row = await self._store.get(dispute_id)
            try:
                await self._look(await self._provider.get_dispute(dispute_id=dispute_id))
            except Exception as error:  # noqa: BLE001 - one bad row must not stop the others; it keeps the cause
                log.warning("dispute_recovery_failed", error=type(error).__name__, attempts=row.attempts)
                await self._store.note_failure(row, f"{type(error).__name__}: {error}")
        return len(ids)

    async def list_newest(self, limit: int) -> list[DisputeRow]:
        """The newest disputes."""
        return await self._store.list_newest(limit)

    async def add_evidence(self, dispute_id: str, evidence: dict[str, str], *, submit: bool) -> DisputeRow:
        """Keep evidence, and hand all of it in when `submit`. Raises DisputeNotFound, DisputeDecided."""
        paid = await self._payments.get_payment((await self._store.get(dispute_id)).payment_id)
        ridden = await find_ridden(self._context, paid.payment)
        while True:
            row = await self._store.get(dispute_id)
            if row.state is not DisputeState.OPEN or row.is_submitted:
                raise DisputeDecided(f"Dispute {dispute_id} is {row.state}: evidence was handed in, or late.")
            fuller = replace(row, evidence=_fuller(row, ridden, evidence), is_submitted=submit)
            saved = await self._store.save(fuller)
            if saved is not None:
                return await self._submit(saved) if submit else saved

    async def on_fares_charged_back(self, _tx: Any, event: FaresChargedBack, _envelope: Envelope) -> None:
        """Fares that nobody rides any more lessen the loss. Raises TransferRefused: the event comes again.

        Refused when unearned fares do not cover it yet: settlement first takes back shares that were earned.
        """
        row, at = await self._store.get(event.dispute_id), self._context.clock.now()
        for attempt in range(_FARES_ATTEMPTS_MAX):
            kept = build_fares_kept(row.dispute_id, event.amount_minor, row.currency, attempt=attempt, at=at)
            [status] = await self._books.try_to_post([kept])
            if status.is_done:
                return
            if status is not TransferStatus.ID_ALREADY_FAILED:
                raise TransferRefused(f"{kept.reference}: the ledger says {status} to {kept.transfer_id}.")
        raise TransferRefused(f"dispute:{row.dispute_id} was refused {_FARES_ATTEMPTS_MAX} times.")

    async def _learn_all(self) -> None:
        try:
            for report in await self._provider.list_disputes():
                await self._learn(report)
        except PaymentsError as error:
            log.warning("disputes_not_listed", error=type(error).__name__)

    async def _learn(self, report: DisputeReport) -> DisputeRow | None:
        """The row of a dispute, new or known; None for a charge of another house."""
        known = await self._store.find(report.dispute_id)
        if known is not None:
            return known
        payment_id = await self._store.find_payment_of(report.charge_id)
        if payment_id is None:
            return None
        paid = await self._payments.get_payment(payment_id)
        payment, paid_at = paid.payment, paid.hold_at or report.opened_at
        ridden = await find_ridden(self._context, payment)
        evidence = draft_evidence(payment, paid_on=paid_at.date()) | ridden
        async with self._context.database.transaction() as tx:
            if await self._store.insert(tx, report, payment_id, evidence):
                event = PaymentDisputed(
                    payment_id=payment_id,
                    order_id=payment.order_id,
                    dispute_id=report.dispute_id,
                    amount_minor=report.amount_minor,
                    reason=report.reason,
                )
                await self._context.outbox.append(tx, event)
        return await self._store.get(report.dispute_id)

    async def _look(self, report: DisputeReport) -> None:
        row = await self._learn(report)
        if row is None or row.closed_at is not None:
            return
        if row.is_submitted and row.submitted_at is None and not report.state.is_decided:
            row = await self._submit(row)
        state = follow_dispute(row.state, report.state)
        if not state.is_decided:
            await self._store.save(replace(row, state=state))
            return
        await self._decide(replace(row, state=state))

    async def _decide(self, row: DisputeRow) -> None:
        """Book the decision, then save it with its event."""
        payment = (await self._payments.get_payment(row.payment_id)).payment
        if row.state is DisputeState.LOST:
            withdrawn, at = await self._store.find_withdrawn(row.dispute_id), self._context.clock.now()
            if withdrawn is None:
                # The withdrawal is not in the books yet: the next round finds it there.
                await self._store.save(row)
                return
            await self._books.post(build_loss(row.dispute_id, withdrawn, row.currency, at=at))
            if payment.purpose is PaymentPurpose.TOP_UP:
                await take_value_back(
                    self._books, self._wallets, row, payment, withdrawn_minor=withdrawn, at=at
                )
        async with self._context.database.transaction() as tx:
            saved = await self._store.save(replace(row, closed_at=self._context.clock.now()), tx)
            if saved is not None:
                event = PaymentDisputeDecided(
                    payment_id=row.payment_id,
                    order_id=payment.order_id,
                    dispute_id=row.dispute_id,
                    amount_minor=row.amount_minor,
                    is_won=row.state is DisputeState.WON,
                )
                await self._context.outbox.append(tx, event)

    async def _submit(self, row: DisputeRow) -> DisputeRow:
        call = await self._payments.begin_call(
            "evidence", _subject(row), {"dispute_id": row.dispute_id, "evidence": row.evidence}
        )
        try:
            await run_call(
                self._payments,
                call.key,
                lambda key: self._provider.submit_evidence(
                    key=key, dispute_id=row.dispute_id, evidence=row.evidence
                ),
            )
        except ProviderRefused as refusal:
            # An earlier call has handed it in, or the bank has decided: the next look tells.
            log.warning("evidence_refused", dispute_id=row.dispute_id, reason=str(refusal))
        handed_in = replace(row, submitted_at=self._context.clock.now(), state=DisputeState.UNDER_REVIEW)
        return await self._store.save(handed_in) or await self._store.get(row.dispute_id)


def _fuller(row: DisputeRow, ridden: dict[str, str], added: dict[str, str]) -> dict[str, str]:
    """The evidence with what was ridden since, and what somebody adds: their own words stay."""
    is_ours = row.evidence.get(FIELD, RIDDEN_HEAD).startswith(RIDDEN_HEAD)
    return {**row.evidence, **(ridden if is_ours else {}), **added}


def _subject(row: DisputeRow) -> UUID:
    return uuid5(row.payment_id, f"dispute:{row.dispute_id}")
