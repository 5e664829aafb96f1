"""Pay from a wallet: hold, take, let go. Here the ledger itself is the provider.

Problem   A refused transfer's id never succeeds later, but a wallet that was too empty may be filled, and the
          same payment be tried again.
Idea      Each try is a row with an id of its own, written before the ledger is asked. The ledger's bound on
          the wallet is the limit: no balance is read to decide. Asked again after a crash, the same try gets
          the same answer. A try belongs to the version at which its payment was wished for: so one wish is
          one try, whoever drives it, and no slow driver begins another that nobody would let go.
Invariant At most one try of a payment is held; a wallet is never below 0 (the ledger's bound).
"""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from payments.accounts import traveller_wallet
from payments.errors import TransferRefused
from payments.mandates import MandateVerdict
from payments.payment import MANDATE_PREFIX, WALLET, ProviderReport, ProviderState, Wanted
from payments.ports import Payment
from payments.transfers import Transfer, TransferCode, TransferKind, TransferStatus
from payments.wallets import WalletState
from services.payments.books import Books, paid_account
from services.payments.mandates.room import Mandates
from services.payments.store import PaymentRow
from services.payments.wallets.store import HoldRow, WalletStore
from services.payments.wallets.top_ups import CITY, TopUps
from services.platform.context import ServiceContext

_LET_GO = (TransferStatus.PENDING_TRANSFER_ALREADY_VOIDED, TransferStatus.PENDING_TRANSFER_EXPIRED)


def is_stored_value(method: str | None) -> bool:
    """Whether this payment method takes a wallet's money: the traveller's, or a mandate's payer's."""
    return method == WALLET or find_mandate_id(method) is not None


def find_mandate_id(method: str | None) -> UUID | None:
    """The mandate that a payment method names, or None."""
    if method is None or not method.startswith(MANDATE_PREFIX):
        return None
    return UUID(method.removeprefix(MANDATE_PREFIX))


class WalletPaying:
    """Brings a payment from a wallet to where its owner wants it."""

    def __init__(
        self,
        context: ServiceContext,
        store: WalletStore,
        *,
        books: Books,
        top_ups: TopUps,
        mandates: Mandates,
    ) -> None:
        self._context = context
        self._store = store
        self._books = books
        self._top_ups = top_ups
        self._mandates = mandates

    async def push(self, row: PaymentRow) -> ProviderReport:
        """One step towards the wish, and where the payment is then."""
        hold = await self._store.find_latest_hold(row.payment.payment_id)
        if row.wanted is Wanted.AUTHORISED:
            return await self._hold(row, hold)
        if hold is not None and hold.state == "started":
            hold = await self._ask(row.payment, hold)
        if hold is None or hold.state == "refused":
            return ProviderReport(state=ProviderState.UNKNOWN_THERE)
        if hold.state in _RESOLVED:
            return ProviderReport(state=_STATES[hold.state])
        return await self._resolve(row.payment, hold, takes=row.wanted is Wanted.CAPTURED)

    async def find_payer(self, payment_id: UUID) -> str | None:
        """Whose wallet paid; None when none did."""
        hold = await self._store.find_latest_hold(payment_id)
        return hold.payer_id if hold is not None and hold.state == "posted" else None

    async def _hold(self, row: PaymentRow, hold: HoldRow | None) -> ProviderReport:
        payment = row.payment
        if hold is None or (hold.state == "refused" and hold.wish_version < row.version):
            hold = await self._begin(row)
        if hold.state == "started":
            hold = await self._ask(payment, hold)
        if hold.state == "refused":
            return ProviderReport(state=ProviderState.DECLINED, decline_code=hold.decline_code)
        return ProviderReport(state=_STATES[hold.state])

    async def _begin(self, row: PaymentRow) -> HoldRow:
        """Write a try down: whose wallet, by which mandate; it is refused at once where either is missing."""
        payment, mandate_id = row.payment, find_mandate_id(row.method)
        mandate = await self._mandates.store.find(mandate_id) if mandate_id is not None else None
        payer_id = payment.traveller_id if mandate is None else mandate.payer_id
        wallet = await self._store.find_wallet(payer_id)
        if wallet is not None and wallet.state is WalletState.OPEN and mandate_id is None:
            await self._top_ups.add_for(wallet, cause_id=payment.payment_id, needed=payment.amount)
        refusal = None
        async with self._context.database.transaction() as tx:
            if mandate_id is not None:
                refusal = await self._reserve(tx, mandate_id, payment)
            wallet = await self._store.lock_wallet(tx, payer_id)
            await self._store.begin_hold(
                tx,
                payment,
                wish_version=row.version,
                payer_id=payer_id,
                mandate_id=mandate.mandate_id if mandate else None,
            )
        hold = await self._store.find_latest_hold(payment.payment_id)
        assert hold is not None, "it was just written"
        if refusal is None and (wallet is None or wallet.state is not WalletState.OPEN):
            refusal = "wallet_not_open"
        return hold if refusal is None else await self._refuse(hold, refusal)

    async def _reserve(self, tx: Any, mandate_id: UUID, payment: Payment) -> str | None:
        """Why the mandate does not pay, or None: it does, and so much of it is used."""
        now = self._now()
        verdict = await self._mandates.paying.reserve(
            tx, mandate_id, payment, day=now.astimezone(CITY).date(), now=now
        )
        return None if verdict is MandateVerdict.ALLOWED else f"mandate_{verdict.value}"

    async def _ask(self, payment: Payment, hold: HoldRow) -> HoldRow:
        """Hold the money; the answer is the same however often it is asked."""
        [status] = await self._books.try_to_post([hold_transfer(payment, hold, at=self._now())])
        if status.is_done:
            await self._store.end_hold(hold.hold_id, "held")
            return replace(hold, state="held")
        return await self._refuse(hold, "insufficient_funds")

    async def _refuse(self, hold: HoldRow, code: str) -> HoldRow:
        if hold.mandate_id is not None:
            await self._mandates.paying.let_go(hold.mandate_id, hold.payment_id)
        await self._store.end_hold(hold.hold_id, "refused", code)
        return replace(hold, state="refused", decline_code=code)

    async def _resolve(self, payment: Payment, hold: HoldRow, *, takes: bool) -> ProviderReport:
        transfer = resolution_transfer(payment, hold, takes=takes, at=self._now())
        [status] = await self._books.try_to_post([transfer])
        if status is TransferStatus.ID_ALREADY_FAILED:
            # It was refused before, because the other one had come first; who asked died before writing that.
            takes = not takes
            transfer = resolution_transfer(payment, hold, takes=takes, at=self._now())
            [status] = await self._books.try_to_post([transfer])
        if status.is_done:
            state = "posted" if takes else "voided"
        elif status is TransferStatus.PENDING_TRANSFER_ALREADY_POSTED:
            state = "posted"
        elif status in _LET_GO:
            state = "voided"
        else:
            raise TransferRefused(f"wallet hold {hold.hold_id}: the ledger says {status}.")
        if state == "voided" and hold.mandate_id is not None:
            await self._mandates.paying.let_go(hold.mandate_id, hold.payment_id)
        await self._store.end_hold(hold.hold_id, state)
        return ProviderReport(state=_STATES[state])

    def _now(self) -> datetime:
        return self._context.clock.now()


_RESOLVED = ("posted", "voided")
_STATES = {
    "held": ProviderState.HELD,
    "posted": ProviderState.TAKEN,
    "voided": ProviderState.CANCELLED,
}


def hold_transfer(payment: Payment, hold: HoldRow, *, at: datetime) -> Transfer:
    """Hold the payer's stored value for what is paid."""
    return Transfer(
        transfer_id=hold.hold_id,
        debit=traveller_wallet(hold.payer_id),
        credit=paid_account(payment),
        amount_minor=hold.amount.amount_minor,
        currency=hold.amount.currency,
        code=TransferCode.PAYMENT,
        reference=f"payment:{payment.payment_id}",
        effective_at=at,
        kind=TransferKind.PENDING,
    )


def resolution_transfer(payment: Payment, hold: HoldRow, *, takes: bool, at: datetime) -> Transfer:
    """Take what was held, or let it go."""
    return replace(
        hold_transfer(payment, hold, at=at),
        transfer_id=uuid5(hold.hold_id, "capture" if takes else "void"),
        kind=TransferKind.POST_PENDING if takes else TransferKind.VOID_PENDING,
        pending_id=hold.hold_id,
    )
