"""Take what is due from wallets, by the hundred, soon after it is charged.

Idea      Each wallet is asked for all that is due, in one batch of transfers: the ledger's bound decides.
          Where it was too much, the wallet fills itself if it may, and is asked for what it holds.
Invariant A draw is a row before the ledger is asked, and its transfer has the row's id: after a crash the
          same transfer is posted again.
"""

from collections.abc import Sequence
from datetime import datetime

from payments.accounts import traveller_receivable, traveller_wallet
from payments.money import yen
from payments.transfers import Transfer, TransferCode
from services.payments.books import Books
from services.payments.collecting.bill_store import BillStore, WalletTry
from services.payments.wallets.room import Wallets
from services.platform.context import ServiceContext

_BATCH = 500


class Drawing:
    """Takes what is due from wallets."""

    def __init__(self, context: ServiceContext, store: BillStore, books: Books, wallets: Wallets) -> None:
        self._context = context
        self._store = store
        self._books = books
        self._wallets = wallets

    async def step(self, *, at_once: bool = False) -> int:
        """Draw where something is due; returns how many wallets were asked."""
        left = await self._store.list_open_draws(at_once=at_once)
        if left:
            await self._post(left)
        customer_ids = await self._store.claim_draws(limit=_BATCH)
        if not customer_ids:
            return len(left)
        for refused in await self._post(await self._store.begin_draws(customer_ids)):
            await self._draw_part(refused)
        return len(left) + len(customer_ids)

    async def _draw_part(self, refused: WalletTry) -> None:
        """Let the wallet fill itself, and take what it holds."""
        customer_id = refused.customer_id
        wallet = await self._wallets.store.find_wallet(customer_id)
        if wallet is not None:
            await self._wallets.top_ups.add_for(
                wallet, cause_id=refused.try_id, needed=yen(refused.amount_minor)
            )
        balance_minor = await self._books.get_balance(traveller_wallet(customer_id))
        if balance_minor <= 0:
            await self._store.rest_draw(customer_id)
            return
        await self._post(await self._store.begin_draws([customer_id], at_most=balance_minor))

    async def _post(self, tries: Sequence[WalletTry]) -> list[WalletTry]:
        """Post draws and write down how they ended; those that the ledger refused."""
        if not tries:
            return []
        now = self._context.clock.now()
        statuses = await self._books.try_to_post([draw_transfer(each, at=now) for each in tries])
        refused = [each for each, status in zip(tries, statuses, strict=True) if not status.is_done]
        await self._store.end_draws(tries, refused={each.try_id for each in refused})
        return refused


def draw_transfer(wallet_try: WalletTry, *, at: datetime) -> Transfer:
    """The transfer of a draw: wallet -> receivable."""
    return Transfer(
        transfer_id=wallet_try.try_id,
        debit=traveller_wallet(wallet_try.customer_id),
        credit=traveller_receivable(wallet_try.customer_id),
        amount_minor=wallet_try.amount_minor,
        code=TransferCode.COLLECTION,
        reference=f"bill:{wallet_try.customer_id}:{wallet_try.bill_number}",
        effective_at=at,
    )
