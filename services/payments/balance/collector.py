"""Bring every movement of the provider's balance into the books, once.

Problem   The provider's balance moves on its own (fees, payouts, disputes), later than what caused it, and
          its listing may show a movement before we have learned of its cause, or after a crash again.
Idea      Movements are fetched by time with an overlap and kept as rows. Each unmatched row is matched: the
          entry that a payment or refund has posted is found, or the movement's own entry is posted under ids
          made from its id; then the row is mapped to it for good. A payout is posted only when the provider
          has itemised it and its items sum to it; an item that the listing has missed comes in with them.
Rule      What cannot be matched yet waits and says why. What has waited too long is told (alarms.py).
Source    facts on payments, rule 20.
"""

from datetime import timedelta
from uuid import UUID, uuid5

import asyncpg
import structlog

from payments.errors import PaymentsError
from payments.movements import Meaning, Movement, build_entry, build_fee, meaning_of
from payments.payment import RefundOutcome
from services.payments.balance.alarms import show
from services.payments.balance.provider import BalanceProvider, PayoutReport, PayoutState
from services.payments.balance.store import BalanceStore, MovementRow
from services.payments.books import CAPTURE, PAY, RELEASE, RESERVE, RETURN, Books
from services.platform.clock import SystemClock
from services.platform.context import ServiceContext
from services.platform.errors import PlatformError

log = structlog.get_logger()

_OVERLAP = timedelta(days=1)
_COLLECT_EVERY = timedelta(minutes=5)
_BATCH = 200
_REFUND_ENTRY = {
    (Meaning.REFUND, RefundOutcome.PAID): PAY,
    (Meaning.REFUND, RefundOutcome.RETURNED): PAY,
    (Meaning.REFUND, RefundOutcome.FAILED): RESERVE,
    (Meaning.REFUND_RETURNED, RefundOutcome.RETURNED): RETURN,
    (Meaning.REFUND_RETURNED, RefundOutcome.FAILED): RELEASE,
}


class NotYet(Exception):
    """The movement's cause is not known, or not where it must be; the message says what is missing."""


class Collector:
    """The room of the provider's balance. Any number of collectors may work on it."""

    def __init__(
        self, *, context: ServiceContext, store: BalanceStore, books: Books, provider: BalanceProvider
    ) -> None:
        self._context = context
        self._store = store
        self._books = books
        self._provider = provider
        self._clock = SystemClock()
        self._collected_at = self._clock.now() - 2 * _COLLECT_EVERY

    async def step(self, *, at_once: bool = False) -> int:
        """Fetch when it is time, then match what is due."""
        now = self._clock.now()
        if at_once or now - self._collected_at >= _COLLECT_EVERY:
            self._collected_at = now
            try:
                await self.collect()
            except (PaymentsError, PlatformError) as error:
                log.warning("balance_not_collected", error=type(error).__name__)
        return await self.match(at_once=at_once)

    async def hear(self, kind: str, object_id: str) -> None:
        """The provider tells of a payout, or of something that moved its balance."""
        if kind == "payout":
            await self._take_payout(await self._provider.get_payout(payout_id=object_id))
        await self.collect()
        await self._store.wake(object_id)
        await self.match()

    async def collect(self) -> None:
        """Fetch what moved since the last time, and where payouts are."""
        until = await self._store.find_cursor()
        since = None if until is None else until - _OVERLAP
        await self._store.insert_movements(await self._provider.list_movements(since=since))
        for report in await self._provider.list_payouts(since=since):
            await self._take_payout(report)
        for payout_id in await self._store.list_unreconciled():
            await self._take_payout(await self._provider.get_payout(payout_id=payout_id))

    async def match(self, *, at_once: bool = False) -> int:
        """Match what is due; returns how many movements were looked at."""
        count = 0
        while rows := await self._store.claim_movements(at_once=at_once and count == 0, limit=_BATCH):
            for row in rows:
                await self._try(row)
            count += len(rows)
            if len(rows) < _BATCH:
                break
        await show(self._store)
        return count

    async def _try(self, row: MovementRow) -> None:
        try:
            await self._match(row.movement)
        except NotYet as reason:
            await self._store.note(row, str(reason))
        except asyncpg.UniqueViolationError:
            await self._store.note(row, "its ledger entry is another movement's")
        except Exception as error:  # noqa: BLE001 - one bad row must not stop the others; the row keeps the cause
            log.warning("movement_not_matched", error=type(error).__name__, attempts=row.attempts)
            await self._store.note(row, f"{type(error).__name__}: {error}")

    async def _match(self, movement: Movement) -> None:
        """Find or post the movement's entry, post its fee, and map it. Raises NotYet, PaymentsError."""
        entry_id = await self._find_entry(movement)
        fee = build_fee(movement, at=self._context.clock.now())
        if fee is not None:
            await self._books.post(fee)
        if entry_id is None:
            raise NotYet("it moved nothing and cost nothing")
        fee_id = None if fee is None or fee.transfer_id == entry_id else fee.transfer_id
        await self._store.match(movement.movement_id, entry_id=entry_id, fee_id=fee_id)

    async def _find_entry(self, movement: Movement) -> UUID | None:
        meaning = meaning_of(movement)
        if meaning is Meaning.UNKNOWN:
            raise NotYet(f"we do not know what {movement.kind}/{movement.category} is: book it by hand")
        if movement.amount_minor == 0:
            fee = build_fee(movement, at=self._context.clock.now())
            return fee.transfer_id if fee else None
        match meaning:
            case Meaning.CAPTURE:
                return await self._find_capture(movement)
            case Meaning.REFUND | Meaning.REFUND_RETURNED:
                return await self._find_refund(movement, meaning)
            case Meaning.PAYOUT:
                await self._check_payout(movement)
        return await self._post(movement)

    async def _post(self, movement: Movement) -> UUID:
        entry = build_entry(movement, at=self._context.clock.now())
        await self._books.post(entry)
        return entry.transfer_id

    async def _find_capture(self, movement: Movement) -> UUID:
        row = await self._store.find_capture(movement.source_id)
        if row is None:
            raise NotYet("no payment of ours has this charge")
        if row["captured_minor"] == 0:
            raise NotYet(f"payment {row['payment_id']} is {row['state']} here")
        if row["captured_minor"] != movement.amount_minor:
            raise NotYet(f"payment {row['payment_id']} captured {row['captured_minor']} here")
        return uuid5(row["payment_id"], CAPTURE)

    async def _find_refund(self, movement: Movement, meaning: Meaning) -> UUID:
        row = await self._store.find_refund(movement.source_id)
        if row is None:
            raise NotYet("no refund of ours has this id")
        if row["amount_minor"] != abs(movement.amount_minor):
            raise NotYet(f"refund {row['refund_id']} is of {row['amount_minor']} here")
        if meaning is Meaning.REFUND_RETURNED and row["outcome"] == RefundOutcome.PAID:
            # The webhook that tells of it may be lost for good: the refund is looked at because of this.
            await self._store.wake_refund(row["refund_id"])
        step = _REFUND_ENTRY.get((meaning, RefundOutcome(row["outcome"])))
        if step is None:
            raise NotYet(f"refund {row['refund_id']} is {row['outcome']} here")
        return uuid5(row["refund_id"], step)

    async def _check_payout(self, movement: Movement) -> None:
        row = await self._store.find_payout(movement.source_id)
        if row is None:
            raise NotYet("the payout is not known yet")
        if not row["is_reconciled"]:
            raise NotYet(row["last_error"] or "the provider has not itemised the payout yet")

    async def _take_payout(self, report: PayoutReport) -> None:
        """Keep where a payout is; post it to the bank's account once its items are listed and sum to it."""
        if await self._store.save_payout(report):
            return
        if not report.is_automatic:
            # Itemising works for automatic payouts only: one made by hand is believed when the bank took it.
            if report.state is not PayoutState.ON_ITS_WAY:
                await self._store.reconcile_payout(report.payout_id, None)
            return
        if not report.is_itemised:
            return
        listed = await self._provider.list_payout_movements(payout_id=report.payout_id)
        await self._store.insert_movements(listed, payout_id=report.payout_id)
        items = [each for each in listed if meaning_of(each) is not Meaning.PAYOUT]
        total = sum(each.net_minor for each in items)
        if total != report.amount_minor:
            why = f"its {len(items)} items sum to {total}, the payout is {report.amount_minor}"
            await self._store.note_payout(report.payout_id, why)
            return
        await self._store.reconcile_payout(report.payout_id, len(items))
