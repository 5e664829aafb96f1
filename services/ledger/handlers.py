"""What the ledger does for others: LedgerPort, over the store.

Callers that post while batches are on their way wait together, and are the next batch: under load batches
grow by themselves, without a timer, and a lone caller waits for nobody. Some batches are on their way at
once: one is decided while others are being written. Each caller's transfers stay a batch of their own.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from payments.accounts import Account, AccountId, Balance
from payments.ports import TrialBalance
from payments.transfers import Entry, Transfer, TransferStatus
from services.ledger.store import EntryFilter, LedgerStore
from services.platform.clock import Clock

GATHER_TRANSFERS_MAX = 256
"""Where a gathered batch ends: so small that two seldom meet on an account, and that one is decided while
others are written. A single caller's batch is never cut."""

ON_THEIR_WAY_MAX = 3

ENTRIES_MAX = 10_000


@dataclass(slots=True, eq=False)
class _Waiting:
    transfers: Sequence[Transfer]
    answer: asyncio.Future[list[TransferStatus]]


class LedgerHandlers:
    """The local adapter of LedgerPort."""

    def __init__(self, store: LedgerStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: list[_Waiting] = []
        self._on_their_way: set[asyncio.Task[None]] = set()

    async def open_accounts(self, *, accounts: Sequence[Account]) -> None:
        """Open what is not open yet. Raises AccountExistsWithDifferentFields."""
        await self._store.open_accounts(accounts, now=self._clock.now())

    async def post(self, *, transfers: Sequence[Transfer]) -> list[TransferStatus]:
        """Record a batch in order; one status each. Safe to repeat."""
        mine = _Waiting(transfers, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        self._start()
        try:
            return await mine.answer
        finally:
            # A caller that went away before its turn is not written any more.
            if mine in self._waiting:
                self._waiting.remove(mine)

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

    def _start(self) -> None:
        """Send a batch on its way if there is room. It belongs to no caller, so none can take it along."""
        if self._waiting and len(self._on_their_way) < ON_THEIR_WAY_MAX:
            task = asyncio.get_running_loop().create_task(self._post_gathered())
            self._on_their_way.add(task)
            task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._on_their_way.remove(task)
        self._start()

    async def _post_gathered(self) -> None:
        """Write what waits, from the oldest on, as one batch. A failure fails all its callers alike."""
        gathered = self._take()
        if not gathered:
            return
        try:
            statuses = await self._store.post([each.transfers for each in gathered], now=self._clock.now())
        except BaseException as error:
            for each in gathered:
                if not each.answer.done():
                    each.answer.set_exception(_cause(error))
            if not isinstance(error, Exception):
                raise
        else:
            for each, answer in zip(gathered, statuses, strict=True):
                if not each.answer.done():
                    each.answer.set_result(answer)

    def _take(self) -> list[_Waiting]:
        count, transfer_count = 0, 0
        for each in self._waiting:
            transfer_count += len(each.transfers)
            if count and transfer_count > GATHER_TRANSFERS_MAX:
                break
            count += 1
        gathered, self._waiting = self._waiting[:count], self._waiting[count:]
        return gathered


def _cause(error: BaseException) -> BaseException:
    """What a caller is told: a house that stops is a lost connection to it, whose outcome is not known."""
    if isinstance(error, Exception):
        return error
    return ConnectionError("The ledger stopped before it answered. Send the same batch again.")
