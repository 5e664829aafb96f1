"""Close a day's bills and bring them to their end: wallet, card, debt, or given up.

Problem   A bill crosses wallet, card, ledger and deny list, and a process may die between any two.
Idea      One round: read the bill; write down the one try that is open, or finish it; save what it made of
          the bill (`payments/collection.py`) over the version it was read at, with the deny list, in one
          transaction. A try's id is its transfer's or its payment's, so a round that is repeated finds what
          was done. Rounds go on until the bill rests.
Invariant What moves money has a state or a row before anyone is asked. A bill has one open try at most.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import NAMESPACE_OID, UUID, uuid5

import structlog

from payments.accounts import BAD_DEBTS, AccountId, traveller_receivable, traveller_wallet
from payments.collection import (
    Bill,
    BillState,
    DebtPolicy,
    Gathering,
    after_decline,
    after_ledger,
    after_payment,
    close_bill,
    decide_gathering,
    give_up,
    split_collection,
)
from payments.errors import BillNotPayable, SavedMethodNotFound
from payments.money import Money, yen
from payments.payment import WALLET
from payments.ports import Payment, PaymentPurpose, PaymentState, Refund, RefundState, SavedMethod
from payments.transfers import Transfer, TransferCode
from payments.wallets import CARD_MINOR_MIN, WalletState
from services.payments.books import Books
from services.payments.collecting.bill_store import BillRow, BillStore, CardTry, WalletTry, give_back_reason
from services.payments.collecting.drawing import draw_transfer
from services.payments.wallets.room import Wallets
from services.platform.context import ServiceContext

log = structlog.get_logger()

_BATCH = 50
_PAUSE_S = 30.0


class CardPayments(Protocol):
    """What collecting asks of customers' payments, in this process."""

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

    async def refund(self, *, refund_id: UUID, payment_id: UUID, amount: Money, reason: str) -> Refund:
        """As PaymentsPort."""


class KeptCards(Protocol):
    """What collecting asks of kept cards, in this process."""

    async def find_default_method(self, *, customer_id: str) -> SavedMethod | None:
        """As SavedMethodsPort."""

    async def authorise_off_session(self, *, payment_id: UUID, method_id: UUID) -> Payment:
        """As SavedMethodsPort."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a round left a bill, and where the payer must go if they must act."""

    bill: Bill
    next_action_url: str | None = None


class Bills:
    """Closes and collects bills."""

    def __init__(
        self,
        context: ServiceContext,
        store: BillStore,
        *,
        books: Books,
        wallets: Wallets,
        payments: CardPayments,
        cards: KeptCards,
        policy: DebtPolicy | None = None,
    ) -> None:
        self._context = context
        self._store = store
        self._books = books
        self._wallets = wallets
        self._payments = payments
        self._cards = cards
        self._policy = policy or DebtPolicy()

    async def gather(self, *, at_once: bool = False) -> int:
        """Close the bills of days that are over. Returns how many customers were looked at."""
        now = self._context.clock.now()
        customer_ids = await self._store.list_to_gather(now, limit=1000 if at_once else 200)
        for customer_id in customer_ids:
            await self._gather(customer_id, now)
        return len(customer_ids)

    async def _gather(self, customer_id: str, now: datetime) -> None:
        async with self._context.database.transaction() as tx:
            found = await self._store.lock_gatherable(tx, customer_id, now)
            if found is None or found.has_open_try:
                return
            if decide_gathering(found.due_minor, can_give_back=found.can_give_back) is Gathering.CLOSE:
                bill = close_bill(
                    bill_id=bill_id_of(customer_id, found.bill_number),
                    customer_id=customer_id,
                    number=found.bill_number,
                    due_minor=found.due_minor,
                    now=now,
                )
                await self._store.insert_bill(tx, bill)
            else:
                await self._store.carry_forward(tx, customer_id)

    async def step(self, *, at_once: bool = False) -> int:
        """Drive the bills whose time has come. Returns how many there were."""
        bill_ids = await self._store.claim_bills(self._now(), at_once=at_once, limit=_BATCH)
        for bill_id in bill_ids:
            try:
                await self.drive(bill_id)
            except Exception as error:  # noqa: BLE001 - one bill that cannot go on must not stop the others
                log.warning("bill_waits", bill_id=str(bill_id), error=type(error).__name__)
                await self._store.note_failure(bill_id, f"{type(error).__name__}: {error}", _PAUSE_S)
        return len(bill_ids)

    async def drive(self, bill_id: UUID) -> Attempt:
        """The bill as far as it goes now. Raises ProviderUnavailable."""
        while True:
            row = await self._store.get_bill(bill_id)
            bill = row.bill
            open_try = await self._store.find_open_try(bill)
            if isinstance(open_try, WalletTry):
                await self._finish_wallet(row, open_try)
            elif open_try is not None:
                attempt = await self._finish_card(row, open_try)
                if attempt is not None:
                    return attempt
            elif bill.state in (BillState.WRITING_OFF, BillState.RECOVERING):
                await self._books.post(loss_transfer(bill, at=self._now()))
                await self._store.save_bill(row, after_ledger(bill), now=self._now())
            elif bill.state is BillState.GIVING_BACK:
                await self._give_back(bill)
                await self._store.save_bill(row, after_ledger(bill), now=self._now())
            elif bill.next_attempt_at is not None and bill.next_attempt_at <= self._now():
                await self._begin(row)
            else:
                return Attempt(bill)

    async def pay(self, bill_id: UUID, *, payment_method: str) -> Attempt:
        """The customer pays a debt now, with a card in hand or the wallet. Raises BillNotPayable.

        When the payer must act, the answer says where; then ask again.
        """
        begun = await self._store.find_open_try((await self._store.get_bill(bill_id)).bill)
        attempt = await self.drive(bill_id)
        bill = attempt.bill
        if begun is not None and not bill.outstanding_minor:
            # The payer has acted, or a first call of this was interrupted.
            return attempt
        open_try = await self._store.find_open_try(bill)
        if isinstance(open_try, CardTry) and open_try.payment_method != payment_method:
            # Another card is tried instead: the first one's payer never acted.
            await self._let_go(await self._store.get_bill(bill_id), open_try, "given_up")
        elif open_try is not None:
            return attempt
        row = await self._store.get_bill(bill_id)
        bill = row.bill
        if bill.state not in (BillState.OWED, BillState.WRITTEN_OFF):
            raise BillNotPayable(f"The bill is {bill.state}; only a debt is paid here.")
        if payment_method != WALLET and bill.outstanding_minor < CARD_MINOR_MIN:
            raise BillNotPayable("A card takes 50 yen or more. Pay this from your wallet.")
        if payment_method == WALLET:
            await self._store.begin_try(row, source="wallet", amount_minor=bill.outstanding_minor)
        else:
            await self._store.begin_try(
                row, source="card", amount_minor=bill.outstanding_minor, payment_method=payment_method
            )
        return await self.drive(bill_id)

    async def write_off(self, bill_id: UUID, *, reason: str) -> Bill:
        """A clerk gives a debt up. Raises BillNotPayable unless it is owed and not being paid."""
        row = await self._store.get_bill(bill_id)
        if row.bill.state is BillState.OWED and await self._store.find_open_try(row.bill) is None:
            await self._store.save_bill(
                row, give_up(row.bill, now=self._now()), now=self._now(), reason=reason
            )
        bill = (await self.drive(bill_id)).bill
        if bill.state is not BillState.WRITTEN_OFF:
            raise BillNotPayable(f"The bill is {bill.state}; only a debt that nobody is paying is given up.")
        return bill

    async def _begin(self, row: BillRow) -> None:
        """Write down the next try: wallet, else the default card; with neither it is declined."""
        bill = row.bill
        card = await self._cards.find_default_method(customer_id=bill.customer_id)
        wallet = await self._wallets.store.find_wallet(bill.customer_id)
        if wallet is not None and wallet.state is not WalletState.CLOSED:
            await self._wallets.top_ups.add_for(
                wallet,
                cause_id=uuid5(bill.bill_id, f"attempt:{bill.attempts}"),
                needed=yen(bill.outstanding_minor),
            )
            balance_minor = await self._books.get_balance(traveller_wallet(bill.customer_id))
            from_wallet = split_collection(
                bill.outstanding_minor, balance_minor=balance_minor, has_card=card is not None
            )
            if from_wallet:
                await self._store.begin_try(row, source="wallet", amount_minor=from_wallet)
                return
        if card is not None and bill.outstanding_minor >= CARD_MINOR_MIN:
            await self._store.begin_try(
                row, source="card", amount_minor=bill.outstanding_minor, method_id=card.method_id
            )
            return
        code = "no_card" if card is None else "amount_below_minimum"
        declined = after_decline(bill, code, now=self._now(), policy=self._policy)
        await self._store.save_bill(row, declined, now=self._now())

    async def _finish_wallet(self, row: BillRow, wallet_try: WalletTry) -> None:
        [status] = await self._books.try_to_post([draw_transfer(wallet_try, at=self._now())])
        if status.is_done:
            paid = after_payment(row.bill, wallet_try.amount_minor)
            await self._end(row, paid, wallet_try.try_id, "paid")
        else:
            # What the wallet held was spent meanwhile; the next round looks again.
            await self._end(row, row.bill, wallet_try.try_id, "declined", "insufficient_funds")

    async def _finish_card(self, row: BillRow, card_try: CardTry) -> Attempt | None:
        """Drive the payment of a try; an answer only when the payer must act first."""
        payment = await self._pay(row.bill, card_try)
        if payment.state is PaymentState.REQUIRES_ACTION and not card_try.is_stale:
            await self._store.wait_for_payer(card_try.try_id, payment.next_action_url)
            return Attempt(row.bill, payment.next_action_url)
        if payment.state is PaymentState.CAPTURED:
            await self._end(row, after_payment(row.bill, card_try.amount_minor), card_try.try_id, "paid")
            return None
        await self._let_go(row, card_try, payment.decline_code or "given_up")
        return None

    async def _let_go(self, row: BillRow, card_try: CardTry, code: str) -> None:
        """The card said no, or its payer never acted; only what is asked unasked counts as an attempt."""
        payment = await self._payments.void(payment_id=card_try.try_id)
        if payment.state is PaymentState.CAPTURED:
            await self._end(row, after_payment(row.bill, card_try.amount_minor), card_try.try_id, "paid")
            return
        changed = row.bill
        if card_try.method_id is not None and changed.state in (BillState.COLLECTING, BillState.OWED):
            changed = after_decline(changed, code, now=self._now(), policy=self._policy)
        await self._end(row, changed, card_try.try_id, "declined", code)

    async def _pay(self, bill: Bill, card_try: CardTry) -> Payment:
        await self._books.open(traveller_receivable(bill.customer_id))
        payment = await self._payments.open_payment(
            payment_id=card_try.try_id,
            order_id=bill.bill_id,
            traveller_id=bill.customer_id,
            amount=yen(card_try.amount_minor),
            purpose=PaymentPurpose.DEBT,
        )
        if card_try.payment_method is not None:
            payment = await self._payments.authorise(
                payment_id=card_try.try_id, payment_method=card_try.payment_method
            )
        elif card_try.method_id is not None:
            try:
                payment = await self._cards.authorise_off_session(
                    payment_id=card_try.try_id, method_id=card_try.method_id
                )
            except SavedMethodNotFound:
                return await self._payments.void(payment_id=card_try.try_id)
        if payment.state is PaymentState.AUTHORISED:
            payment = await self._payments.capture(payment_id=card_try.try_id)
        return payment

    async def _end(
        self, row: BillRow, changed: Bill, try_id: UUID, state: str, code: str | None = None
    ) -> None:
        await self._store.save_bill(row, changed, now=self._now(), ended=(try_id, state, code))

    async def _give_back(self, bill: Bill) -> None:
        """Into the wallet, else to the cards that paid last, as refunds."""
        left_minor = -bill.amount_minor - await self._store.sum_given_back(bill)
        if not left_minor:
            return
        wallet = await self._wallets.store.find_wallet(bill.customer_id)
        if wallet is not None and wallet.state is not WalletState.CLOSED:
            await self._books.post(give_back_transfer(bill, left_minor, at=self._now()))
            return
        for payment_id, refundable_minor in await self._store.list_refundable(bill.customer_id):
            if left_minor:
                refund = await self._payments.refund(
                    refund_id=uuid5(bill.bill_id, f"give back:{payment_id}"),
                    payment_id=payment_id,
                    amount=yen(min(left_minor, refundable_minor)),
                    reason=give_back_reason(bill),
                )
                if refund.state is not RefundState.REFUSED_EXCEEDS_CAPTURED:
                    left_minor -= refund.amount.amount_minor
        if left_minor:
            raise BillNotPayable(f"{left_minor} yen of the bill cannot be given back to any card.")

    def _now(self) -> datetime:
        return self._context.clock.now()


def bill_id_of(customer_id: str, number: int) -> UUID:
    """The id of a customer's bill of that number."""
    return uuid5(NAMESPACE_OID, f"bill:{customer_id}:{number}")


def loss_transfer(bill: Bill, *, at: datetime) -> Transfer:
    """Write a debt off, or take back that it was."""
    receivable: AccountId = traveller_receivable(bill.customer_id)
    recovers = bill.state is BillState.RECOVERING
    return Transfer(
        transfer_id=uuid5(bill.bill_id, "recover" if recovers else "write off"),
        debit=receivable if recovers else BAD_DEBTS,
        credit=BAD_DEBTS if recovers else receivable,
        amount_minor=bill.written_off_minor,
        code=TransferCode.WRITE_OFF,
        reference=f"bill:{bill.customer_id}:{bill.number}",
        effective_at=at,
    )


def give_back_transfer(bill: Bill, amount_minor: int, *, at: datetime) -> Transfer:
    """Receivable -> wallet, of a bill below 0."""
    return Transfer(
        transfer_id=uuid5(bill.bill_id, "give back"),
        debit=traveller_receivable(bill.customer_id),
        credit=traveller_wallet(bill.customer_id),
        amount_minor=amount_minor,
        code=TransferCode.COLLECTION,
        reference=f"bill:{bill.customer_id}:{bill.number}",
        effective_at=at,
    )
