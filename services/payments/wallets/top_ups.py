"""Fill a wallet from a card: when the traveller asks, or by itself.

Idea      A top-up is a row and a payment whose money goes to the wallet (purpose TOP_UP). The row is saved
          with the wish; driving it is authorise, then capture, by ids that follow from the row, so a driver
          that died is followed by another. A traveller who must act first has an hour; then it is given up.
Rule      An automatic one is decided with the wallet locked: two causes at once never exceed the ceiling. Its
          id follows from its cause, which tops up once a day at most.
"""

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import structlog

from payments.accounts import traveller_wallet
from payments.errors import PaymentsError, SavedMethodNotFound
from payments.money import Money, yen
from payments.ports import Payment, PaymentPurpose, PaymentState, SavedMethod
from payments.wallets import TopUpState, TopUpVerdict, decide_auto_top_up, decide_top_up
from services.payments.books import Books
from services.payments.wallets.store import TopUpRow, WalletRow, WalletStore
from services.platform.context import ServiceContext
from services.platform.errors import PlatformError

log = structlog.get_logger()

CITY = ZoneInfo("Asia/Tokyo")
_WAIT_FOR_TRAVELLER = timedelta(hours=1)
_LOOK_AGAIN_S = 60.0
_PAUSE_S_MAX = 300.0


class Payments(Protocol):
    """What a top-up asks of customers' payments, in this process."""

    async def open_payment(
        self,
        *,
        payment_id: UUID,
        order_id: UUID,
        traveller_id: str,
        amount: Money,
        purpose: PaymentPurpose = PaymentPurpose.ORDER,
    ) -> Payment:
        """As PaymentsPort, with the purpose."""

    async def authorise(self, *, payment_id: UUID, payment_method: str) -> Payment:
        """As PaymentsPort."""

    async def capture(self, *, payment_id: UUID) -> Payment:
        """As PaymentsPort."""

    async def void(self, *, payment_id: UUID) -> Payment:
        """As PaymentsPort."""


class Cards(Protocol):
    """What an automatic top-up asks of the kept cards, in this process."""

    async def find_default_method(self, *, customer_id: str) -> SavedMethod | None:
        """As SavedMethodsPort."""

    async def authorise_off_session(self, *, payment_id: UUID, method_id: UUID) -> Payment:
        """As SavedMethodsPort."""


class TopUps:
    """Fills wallets."""

    def __init__(
        self,
        context: ServiceContext,
        store: WalletStore,
        books: Books,
        payments: Callable[[], Payments],
        cards: Callable[[], Cards],
    ) -> None:
        self._context = context
        self._store = store
        self._books = books
        self._payments = payments
        self._cards = cards

    async def request(
        self, *, top_up_id: UUID, traveller_id: str, amount: Money, payment_method: str
    ) -> TopUpRow | TopUpVerdict:
        """The traveller's own wish, driven as far as it goes; or why not. Raises WalletNotFound."""
        await self._store.get_wallet(traveller_id)
        row = _top_up(top_up_id, traveller_id, amount, self._now(), payment_method=payment_method)
        unaided_minor = await self._get_unaided_balance(traveller_id)
        async with self._context.database.transaction() as tx:
            # Locked: one that is being closed in this moment is not filled.
            wallet = await self._store.lock_wallet(tx, traveller_id)
            assert wallet is not None, "a wallet is closed, never deleted"
            known = await self._store.find_top_up(tx, top_up_id)
            if known is None:
                verdict = decide_top_up(
                    wallet.state,
                    amount_minor=amount.amount_minor,
                    balance_minor=unaided_minor + await self._store.sum_accepted_top_ups(tx, traveller_id),
                )
                if verdict is not TopUpVerdict.ACCEPTED:
                    return verdict
                await self._store.insert_top_up(tx, row, self._today())
        return await self.drive(top_up_id)

    async def has_card(self, traveller_id: str) -> bool:
        """Whether there is a card that an automatic top-up could charge."""
        return await self._cards().find_default_method(customer_id=traveller_id) is not None

    async def add_for(self, wallet: WalletRow, *, cause_id: UUID, needed: Money) -> None:
        """Let the wallet fill itself, if its settings say so, before `needed` (perhaps 0) is paid from it.

        A card that declines, and a provider that does not answer, leave the wallet as it is.
        """
        traveller_id, today = wallet.traveller_id, self._today()
        card = await self._cards().find_default_method(customer_id=traveller_id) if wallet.auto else None
        if card is None:
            return
        top_up_id = uuid5(cause_id, f"auto top-up:{today}")
        unaided_minor = await self._get_unaided_balance(traveller_id)
        async with self._context.database.transaction() as tx:
            locked = await self._store.lock_wallet(tx, traveller_id)
            if await self._store.find_top_up(tx, top_up_id) is None:
                if locked is None or locked.auto is None:
                    return
                accepted_minor = await self._store.sum_accepted_top_ups(tx, traveller_id)
                today_minor, has_declined = await self._store.sum_auto_top_ups(tx, traveller_id, today)
                added_minor = decide_auto_top_up(
                    locked.auto,
                    balance_minor=unaided_minor + accepted_minor,
                    needed_minor=needed.amount_minor,
                    today_minor=today_minor,
                    has_declined_today=has_declined,
                )
                if not added_minor:
                    return
                row = _top_up(
                    top_up_id, traveller_id, yen(added_minor), self._now(), method_id=card.method_id
                )
                await self._store.insert_top_up(tx, row, today)
        try:
            await self.drive(top_up_id)
        except (PaymentsError, PlatformError) as error:
            # The row brings it back; what is paid now goes on with what the wallet holds.
            log.warning("auto_top_up_waits", top_up_id=str(top_up_id), error=type(error).__name__)

    async def _get_unaided_balance(self, traveller_id: str) -> int:
        """What the wallet would hold without any top-up, below 0 where those have paid for journeys.

        With all that were accepted, read later and locked, it is the balance to be: one that is paid in
        between counts twice for a moment, and never not at all. The ledger is asked before the lock, so
        that no lock waits for another service.
        """
        paid_minor = await self._store.sum_paid_top_ups(traveller_id)
        return await self._books.get_balance(traveller_wallet(traveller_id)) - paid_minor

    async def drive(self, top_up_id: UUID) -> TopUpRow:
        """The top-up as far as it goes now. Raises ProviderUnavailable."""
        row = await self._store.get_top_up(top_up_id)
        if row.state is not TopUpState.OPEN:
            return row
        payments = self._payments()
        await self._books.open(traveller_wallet(row.traveller_id))
        await payments.open_payment(
            payment_id=row.payment_id,
            order_id=top_up_id,
            traveller_id=row.traveller_id,
            amount=row.amount,
            purpose=PaymentPurpose.TOP_UP,
        )
        payment = await self._authorise(row)
        if payment.state is PaymentState.AUTHORISED:
            payment = await payments.capture(payment_id=row.payment_id)
        await self._note(row, payment)
        return await self._store.get_top_up(top_up_id)

    async def _authorise(self, row: TopUpRow) -> Payment:
        if row.payment_method is not None:
            return await self._payments().authorise(
                payment_id=row.payment_id, payment_method=row.payment_method
            )
        assert row.method_id is not None, "an automatic top-up has its kept card"
        try:
            return await self._cards().authorise_off_session(
                payment_id=row.payment_id, method_id=row.method_id
            )
        except SavedMethodNotFound:
            # The card was let go meanwhile, before it was asked.
            return await self._payments().void(payment_id=row.payment_id)

    async def _note(self, row: TopUpRow, payment: Payment) -> None:
        match payment.state:
            case PaymentState.CAPTURED:
                await self._store.end_top_up(row.top_up_id, TopUpState.PAID)
            case PaymentState.REQUIRES_ACTION if not self._is_given_up(row):
                await self._store.wait_for_traveller(row.top_up_id, payment.next_action_url, _LOOK_AGAIN_S)
            case PaymentState.REQUIRES_ACTION | PaymentState.DECLINED:
                await self._decline(row, payment.decline_code or "authentication_required")
            case PaymentState.VOIDED:
                await self._store.end_top_up(row.top_up_id, TopUpState.DECLINED, "given_up")
            case _:
                raise AssertionError("a payment that was driven is at one of these")

    async def _decline(self, row: TopUpRow, code: str) -> None:
        """It is over: nothing may be held for it, unless the traveller has acted in this very moment."""
        payments = self._payments()
        payment = await payments.void(payment_id=row.payment_id)
        paid = payment.state is PaymentState.CAPTURED
        state = TopUpState.PAID if paid else TopUpState.DECLINED
        await self._store.end_top_up(row.top_up_id, state, None if paid else code)

    def _is_given_up(self, row: TopUpRow) -> bool:
        """Nobody is there to act for an automatic one; others have their time."""
        return row.is_automatic or self._now() - row.requested_at > _WAIT_FOR_TRAVELLER

    async def take_up_unfinished(self, *, at_once: bool = False, limit: int = 50) -> int:
        """Drive what was left. Returns how many there were."""
        rows = await self._store.claim_top_ups(at_once=at_once, limit=limit)
        for row in rows:
            await self._attempt(row, self.drive)
        return len(rows)

    async def _attempt(self, row: Any, drive: Callable[[UUID], Awaitable[object]]) -> None:
        try:
            await drive(row["top_up_id"])
        except Exception as error:  # noqa: BLE001 - one that cannot go on must not keep the others from it
            log.warning("top_up_waits", error=type(error).__name__, attempts=row["attempts"])
            pause_s = min(_PAUSE_S_MAX, float(2 ** min(row["attempts"], 10)))
            await self._store.note_top_up_failure(
                row["top_up_id"], pause_s, f"{type(error).__name__}: {error}"
            )

    def _now(self) -> datetime:
        return self._context.clock.now()

    def _today(self) -> date:
        return self._now().astimezone(CITY).date()


def _top_up(
    top_up_id: UUID,
    traveller_id: str,
    amount: Money,
    now: datetime,
    *,
    payment_method: str | None = None,
    method_id: UUID | None = None,
) -> TopUpRow:
    return TopUpRow(
        top_up_id=top_up_id,
        traveller_id=traveller_id,
        amount=amount,
        is_automatic=method_id is not None,
        payment_id=uuid5(top_up_id, "payment"),
        payment_method=payment_method,
        method_id=method_id,
        state=TopUpState.OPEN,
        decline_code=None,
        next_action_url=None,
        requested_at=now,
    )
