"""Record what is owed for travel, by the thousand: CollectionPort, in this process.

Problem   Half a million rides come within a minute, may be told twice, and a process may die meanwhile.
Idea      A call's new charges are rows first, with their customers' sums, in one transaction of a few
          set-based statements; then one batch of transfers whose ids follow from the charges'; then one mark
          on the call. What was not marked is posted again by the worker (same ids: exists).
Rule      A give-back may meet unearned fares that cannot cover it, because the ride was earned and its shares
          are not back yet. It counts for the customer at once, and the ledger is asked again later under
          another id: a refused one never succeeds.
Invariant An id is charged once. A charge of another amount under a known id changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4, uuid5

from payments.accounts import UNEARNED_FARES, chart_account, traveller_receivable
from payments.collection import next_gathering
from payments.ports import Charge, ChargeStatus, DenyListing, LedgerPort
from payments.transfers import Transfer, TransferCode
from services.payments.collecting.store import CollectionStore, Owed
from services.payments.mandates.room import Mandates
from services.platform.context import ServiceContext

_REMEMBERED_MAX = 500_000
DENIED_MAX = 10_000


class Charging:
    """The local adapter of CollectionPort."""

    def __init__(self, context: ServiceContext, store: CollectionStore, mandates: Mandates) -> None:
        self._context = context
        self._store = store
        self._mandates = mandates
        self._open: set[str] = set()

    async def charge(self, *, charges: Sequence[Charge]) -> list[ChargeStatus]:
        """Record what is owed; one status each, in order. Of an id that stands twice, the first counts."""
        first: dict[UUID, Charge] = {}
        for each in charges:
            assert each.amount.amount_minor != 0, "a charge is of some amount"
            if is_customer(each.customer_id):
                first.setdefault(each.charge_id, each)
        known = await self._store.find_charges(list(first)) if first else {}
        new = [each for each in first.values() if each.charge_id not in known]
        fresh = await self._record(new) if new else set()
        if len(fresh) < len(new):
            # Another call was quicker with some of the ids.
            known |= await self._store.find_charges([e.charge_id for e in new if e.charge_id not in fresh])
        return [_status_of(each, first=first, known=known) for each in charges]

    async def list_denied(self, *, after_sequence: int, limit: int) -> list[DenyListing]:
        """Changes of the deny list in order."""
        assert 0 < limit <= DENIED_MAX, "a page has an end"
        return await self._store.list_denied(after_sequence=after_sequence, limit=limit)

    async def _record(self, charges: list[Charge]) -> set[UUID]:
        batch_id, now = uuid4(), self._context.clock.now()
        travellers = sorted({each.customer_id for each in charges})
        has_mandates = await self._mandates.store.has_any(travellers)
        async with self._context.database.transaction() as tx:
            payers = [each.customer_id for each in charges]
            if has_mandates:
                payers = await self._mandates.paying.find_payers(tx, charges, now)
            fresh = await self._store.insert_charges(
                tx, charges, payers, batch_id, gather_at=next_gathering(now)
            )
        if fresh:
            await self._post(batch_id, fresh)
        return {each.charge_id for each in fresh}

    async def _post(self, batch_id: UUID, charges: Sequence[Owed]) -> None:
        await self._open_accounts({each.customer_id for each in charges})
        statuses = await self._ledger.post(transfers=self._transfers(charges))
        refused = {
            each.charge_id: status.value
            for each, status in zip(charges, statuses, strict=True)
            if not status.is_done
        }
        await self._store.finish_batch(batch_id, refused)

    async def _open_accounts(self, customer_ids: set[str]) -> None:
        unknown = customer_ids - self._open
        if not unknown:
            return
        accounts = [chart_account(traveller_receivable(each)) for each in sorted(unknown)]
        await self._ledger.open_accounts(accounts=[chart_account(UNEARNED_FARES), *accounts])
        if len(self._open) + len(unknown) > _REMEMBERED_MAX:
            self._open.clear()
        self._open |= unknown

    async def post_what_was_left(self, *, at_once: bool = False) -> int:
        """Post batches whose caller died, and ask again for what the ledger refused. Returns how many."""
        batch_ids = await self._store.list_unposted_batches(at_once=at_once)
        for batch_id in batch_ids:
            await self._post(batch_id, await self._store.list_charges_of_batch(batch_id))
        return len(batch_ids) + await self._ask_again()

    async def _ask_again(self) -> int:
        claimed = await self._store.claim_refused()
        if not claimed:
            return 0
        statuses = await self._ledger.post(transfers=self._transfers(claimed))
        answered = list(zip(claimed, statuses, strict=True))
        await self._store.delete_refused([each.charge_id for each, status in answered if status.is_done])
        await self._store.note_refused(
            [(each, status.value) for each, status in answered if not status.is_done]
        )
        return len(claimed)

    def _transfers(self, charges: Sequence[Owed]) -> list[Transfer]:
        now = self._context.clock.now()
        return [charge_transfer(each, at=now) for each in charges]

    @property
    def _ledger(self) -> LedgerPort:
        return self._context.ports.get(LedgerPort)


def is_customer(customer_id: str) -> bool:
    """Whether this can be a customer's id: it becomes a part of an account's path."""
    return customer_id != "" and ":" not in customer_id


def charge_transfer(owed: Owed, *, at: datetime) -> Transfer:
    """The transfer of a charge: receivable -> unearned fares, or back."""
    receivable = traveller_receivable(owed.customer_id)
    owes = owed.amount_minor > 0
    return Transfer(
        transfer_id=uuid5(owed.charge_id, f"charge:{owed.refusals}" if owed.refusals else "charge"),
        debit=receivable if owes else UNEARNED_FARES,
        credit=UNEARNED_FARES if owes else receivable,
        amount_minor=abs(owed.amount_minor),
        currency=owed.currency,
        code=TransferCode.CHARGE,
        reference=owed.reference,
        effective_at=at,
    )


def _status_of(
    charge: Charge, *, first: dict[UUID, Charge], known: dict[UUID, tuple[int, str]]
) -> ChargeStatus:
    if charge.charge_id not in first or not is_customer(charge.customer_id):
        return ChargeStatus.UNKNOWN_CUSTOMER
    amount = first[charge.charge_id].amount
    there = known.get(charge.charge_id, (amount.amount_minor, amount.currency))
    if there != (charge.amount.amount_minor, charge.amount.currency):
        return ChargeStatus.EXISTS_WITH_DIFFERENT_AMOUNT
    is_new = charge.charge_id not in known and first[charge.charge_id] is charge
    return ChargeStatus.RECORDED if is_new else ChargeStatus.EXISTS
