"""Close a wallet and pay out what is left in it.

Idea      Nothing may be held or owed any more. The rest goes back to the cards that filled the wallet, the
          last one first; what no card takes (cash, refunds into the wallet) is set aside in the ledger for a
          clerk, who pays it from the bank or a till and confirms it.
Invariant The wallet is closed when it is empty. Each round does what the books say is left, by ids that
          follow from the closing: a process that died leaves nothing undone and nothing doubled.
"""

from datetime import datetime
from typing import Any, Protocol
from uuid import NAMESPACE_OID, UUID, uuid5

import structlog

from maas.events import AccountClosed
from payments.accounts import BANK_CASH, REFUNDS_DUE, counter_cash, traveller_wallet
from payments.errors import PaymentsError, PayoutNotFound, TransferRefused
from payments.money import Money, yen
from payments.ports import Refund, RefundState
from payments.transfers import Transfer, TransferCode, TransferStatus
from services.payments.wallets.room import Wallets
from services.payments.wallets.store import WalletRow, queries
from services.platform.bus import Envelope
from services.platform.context import ServiceContext
from services.platform.errors import PlatformError

log = structlog.get_logger()

_PAYOUTS_MAX = 1000
_NOT_SO_MUCH = (TransferStatus.EXCEEDS_CREDITS, TransferStatus.ID_ALREADY_FAILED)


class Refunds(Protocol):
    """What closing asks of customers' payments, in this process."""

    async def refund(
        self, *, refund_id: UUID, payment_id: UUID, amount: Money, reason: str, to_wallet: bool = False
    ) -> Refund:
        """As PaymentsPort."""


class WalletClosing:
    """Pays out wallets that are to be closed."""

    def __init__(self, context: ServiceContext, wallets: Wallets, *, payments: Refunds) -> None:
        self._context = context
        self._wallets = wallets
        self._payments = payments

    async def begin(self, traveller_id: str) -> WalletRow | None:
        """Close the wallet and pay out as far as it goes now; None while something is held or owed.

        Raises WalletNotFound.
        """
        await self._wallets.store.get_wallet(traveller_id)
        async with self._context.database.transaction() as tx:
            await self._wallets.store.lock_wallet(tx, traveller_id)
            if await tx.fetchval(queries["is_in_use"], traveller_id):
                return None
            await tx.fetchval(queries["begin_closing"], traveller_id)
        await self.step()
        return await self._wallets.store.get_wallet(traveller_id)

    async def on_account_closed(self, tx: Any, event: AccountClosed, _envelope: Envelope) -> None:
        """Whoever leaves gets what is left, once what is still held or owed has come to its end."""
        await tx.fetchval(queries["begin_closing"], str(event.account_id))

    async def step(self, *, at_once: bool = False) -> int:
        """Go on with all closings; returns how many there are."""
        assert at_once in (True, False), "all of them are due at any time"
        rows = await self._context.database.fetch(queries["list_closing"])
        for row in rows:
            try:
                await self._pay_out(row["traveller_id"], row["closing_number"])
            except (PaymentsError, PlatformError) as error:
                log.warning("closing_waits", error=type(error).__name__)
        return len(rows)

    async def _pay_out(self, traveller_id: str, number: int) -> None:
        closing_id = uuid5(NAMESPACE_OID, f"closing:{traveller_id}:{number}")
        database = self._context.database
        if await database.fetchval(queries["is_in_use"], traveller_id):
            return
        for row in await database.fetch(queries["list_top_up_payments"], traveller_id):
            left_minor = await self._wallets.books.get_balance(traveller_wallet(traveller_id))
            amount_minor = min(left_minor, row["left_minor"])
            if amount_minor > 0:
                await self._give_back(closing_id, row["payment_id"], amount_minor)
        if await database.fetchval(queries["has_pending_refunds"], traveller_id):
            return
        await self._set_aside(closing_id, traveller_id)
        await database.execute(queries["end_closing"], traveller_id, self._now())

    async def _give_back(self, closing_id: UUID, payment_id: UUID, amount_minor: int) -> None:
        refund_id = uuid5(closing_id, str(payment_id))
        known = await self._wallets.store.find_refund_amount(refund_id)
        refund = await self._payments.refund(
            refund_id=refund_id,
            payment_id=payment_id,
            amount=yen(known if known is not None else amount_minor),
            reason="wallet_closed",
        )
        if refund.state in (RefundState.FAILED, RefundState.REFUSED_EXCEEDS_CAPTURED):
            log.warning("closing_refund_failed", refund_id=str(refund_id))

    async def _set_aside(self, closing_id: UUID, traveller_id: str) -> None:
        """The row, then the ledger, until the wallet is empty; then a clerk sees the payout.

        A payout that the ledger refuses, because somebody took from the wallet meanwhile, is withdrawn, and
        what is left then is the next one. Raises TransferRefused.
        """
        database = self._context.database
        for attempt in range(_PAYOUTS_MAX):
            payout_id = uuid5(closing_id, f"payout:{attempt}" if attempt else "payout")
            row = await database.fetchrow(queries["find_payout"], payout_id)
            if row is None:
                left_minor = await self._wallets.books.get_balance(traveller_wallet(traveller_id))
                if left_minor <= 0:
                    return
                await database.execute(
                    queries["insert_payout"], payout_id, traveller_id, left_minor, self._now()
                )
                row = await database.fetchrow(queries["find_payout"], payout_id)
            if row is None or row["set_aside_at"] is not None:
                continue
            [status] = await self._wallets.books.try_to_post([set_aside_transfer(row, at=self._now())])
            if status.is_done:
                await database.execute(queries["note_set_aside"], payout_id, self._now())
            elif status in _NOT_SO_MUCH:
                await database.execute(queries["withdraw_payout"], payout_id)
            else:
                raise TransferRefused(f"payout:{payout_id}: the ledger says {status}.")
        raise TransferRefused(
            f"The wallet of {traveller_id} was emptied {_PAYOUTS_MAX} times and is not empty."
        )

    async def list_payouts(self) -> list[Any]:
        """What clerks must pay out, the oldest first."""
        return await self._context.database.fetch(queries["list_payouts"])

    async def confirm(self, payout_id: UUID, *, counter_id: str | None, by: str) -> Any:
        """A clerk has paid it: from a counter's till, or from the bank. Raises PayoutNotFound."""
        row = await self._context.database.fetchrow(queries["find_payout"], payout_id)
        if row is None or row["set_aside_at"] is None:
            raise PayoutNotFound("No payout has this id. List the payouts to find it.")
        if row["paid_at"] is None:
            await self._wallets.books.post(payout_transfer(row, counter_id, at=self._now()))
            await self._context.database.execute(
                queries["confirm_payout"], payout_id, self._now(), by, counter_id
            )
        return await self._context.database.fetchrow(queries["find_payout"], payout_id)

    def _now(self) -> datetime:
        return self._context.clock.now()


def set_aside_transfer(row: Any, *, at: datetime) -> Transfer:
    """Wallet -> refunds due: the rest is owed to the traveller."""
    return Transfer(
        transfer_id=uuid5(row["payout_id"], "set aside"),
        debit=traveller_wallet(row["traveller_id"]),
        credit=REFUNDS_DUE,
        amount_minor=row["amount_minor"],
        code=TransferCode.REFUND,
        reference=f"payout:{row['payout_id']}",
        effective_at=at,
    )


def payout_transfer(row: Any, counter_id: str | None, *, at: datetime) -> Transfer:
    """Refunds due -> the bank, or a till: the traveller has it."""
    return Transfer(
        transfer_id=uuid5(row["payout_id"], "pay out"),
        debit=REFUNDS_DUE,
        credit=BANK_CASH if counter_id is None else counter_cash(counter_id),
        amount_minor=row["amount_minor"],
        code=TransferCode.PAYOUT,
        reference=f"payout:{row['payout_id']}",
        effective_at=at,
    )
