"""What the ledger does for others: LedgerPort, over the store.

Callers that post while a batch is being written wait together, and are written as the next batch by
whichever of them comes first: under load batches grow by themselves, without a timer, and hot
accounts are locked once a batch instead of once a caller. Each caller's transfers stay a batch of their own.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from payments.accounts import Account, AccountId, Balance
from payments.ports import TrialBalance
from payments.transfers import Entry, Transfer, TransferStatus
from services.ledger.store import EntryFilter, LedgerStore
from services.platform.clock import Clock

GATHER_TRANSFERS_MAX = 2000
"""Where a gathered batch ends. A single caller's batch is never cut."""

ENTRIES_MAX = 10_000


@dataclass(slots=True)
class _Waiting:
    transfers: Sequence[Transfer]
    statuses: list[TransferStatus] | None = None
    error: Exception | None = field(default=None)

    @property
    def is_answered(self) -> bool:
        return self.statuses is not None or self.error is not None


class LedgerHandlers:
    """The local adapter of LedgerPort."""

    def __init__(self, store: LedgerStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._turn = asyncio.Lock()
        self._waiting: list[_Waiting] = []

    async def open_accounts(self, *, accounts: Sequence[Account]) -> None:
        """Open what is not open yet. Raises AccountExistsWithDifferentFields."""
        await self._store.open_accounts(accounts, now=self._clock.now())

    async def post(self, *, transfers: Sequence[Transfer]) -> list[TransferStatus]:
        """Record a batch in order; one status each. Safe to repeat."""
        mine = _Waiting(transfers)
        self._waiting.append(mine)
        try:
            async with self._turn:
                while not mine.is_answered:
                    await self._post_gathered()
        finally:
            # A caller that went away before its turn is not written any more.
            if mine in self._waiting:
                self._waiting.remove(mine)
        if mine.error is not None:
            raise mine.error
        assert mine.statuses is not None, "a turn ends with an answer"
        return mine.statuses

    async def get_balance(self, *, account_id: AccountId) -> Balance:
        """The balance now. Raises AccountNotFound."""
        return (await self._store.get_account(account_id, now=self._clock.now())).balance

    async def list_entries(
        self, *, account_id: AccountId, after_sequence: int, until: datetime, limit: int
    ) -> list[Entry]:
        """Posted movements of an account with sequence above `after_sequence`, effective before `until`."""
        assert 0 < limit <= ENTRIES_MAX, "a page has an end"
        return await self._store.list_entries(
            account_id, after_sequence=after_sequence, limit=limit, where=EntryFilter(until=until)
        )

    async def get_trial_balance(self) -> TrialBalance:
        """Sums over all accounts, from one snapshot."""
        return await self._store.get_trial_balance(now=self._clock.now())

    async def _post_gathered(self) -> None:
        """Write what waits, from the oldest on, as one batch. A failure fails all its callers alike."""
        gathered = self._take()
        try:
            statuses = await self._store.post([each.transfers for each in gathered], now=self._clock.now())
        except Exception as error:  # noqa: BLE001 - handed to every caller of the batch, who raise it
            for each in gathered:
                each.error = error
        except asyncio.CancelledError:
            # Only the caller that leads was cancelled; the others are written by the next leader.
            self._waiting[:0] = gathered
            raise
        else:
            for each, answer in zip(gathered, statuses, strict=True):
                each.statuses = answer

    def _take(self) -> list[_Waiting]:
        count, transfer_count = 0, 0
        for each in self._waiting:
            transfer_count += len(each.transfers)
            if count and transfer_count > GATHER_TRANSFERS_MAX:
                break
            count += 1
        gathered, self._waiting = self._waiting[:count], self._waiting[count:]
        return gathered
