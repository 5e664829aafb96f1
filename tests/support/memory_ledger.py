"""The pure ledger behind LedgerPort: the books of a test, in memory."""

from collections.abc import Sequence
from datetime import datetime

from payments.accounts import Account, AccountId, Balance
from payments.ledger import Ledger
from payments.ports import TrialBalance
from payments.transfers import Entry, Transfer, TransferStatus
from services.platform.clock import Clock


class MemoryLedger:
    """A LedgerPort over `payments.ledger`."""

    def __init__(self, clock: Clock) -> None:
        self.books = Ledger()
        self._clock = clock

    async def open_accounts(self, *, accounts: Sequence[Account]) -> None:
        for account in accounts:
            self.books.open_account(account)

    async def post(self, *, transfers: Sequence[Transfer]) -> list[TransferStatus]:
        return self.books.post(transfers, now=self._clock.now())

    async def get_balance(self, *, account_id: AccountId) -> Balance:
        return self.books.get_balance(account_id, now=self._clock.now())

    async def list_entries(
        self, *, account_id: AccountId, after_sequence: int, until: datetime, limit: int
    ) -> list[Entry]:
        return self.books.list_entries(account_id, after_sequence=after_sequence, until=until, limit=limit)

    async def get_trial_balance(self) -> TrialBalance:
        return self.books.get_trial_balance(now=self._clock.now())
