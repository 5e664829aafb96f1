"""Cash at counters, in the books like any other money.

Idea      A till is an account. A fare sold for cash by an operator's own counter is the operator's money
          from the start: it stands against what the operator took, and never enters settlement. A top-up in
          cash goes from the till into the traveller's wallet. Till handovers empty the till.
Invariant A sale is a row before the ledger is asked, and its transfer has the row's id: a repeat is one sale.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from maas.events import FareRefunded, PassEarned, RideRated, RideUnrated, TravelEarned
from payments.accounts import BANK_CASH, AccountId, counter_cash, operator_counter_sales, traveller_wallet
from payments.errors import WalletNotFound
from payments.money import Money
from payments.transfers import Transfer, TransferCode, TransferStatus
from payments.wallets import TopUpVerdict, decide_top_up
from services.payments.books import Books
from services.payments.wallets.room import Wallets
from services.payments.wallets.top_ups import CITY
from services.platform.bus import Envelope
from services.platform.context import ServiceContext
from services.platform.database import load_queries

queries = load_queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CashSale:
    """Cash taken at a counter: for a fare, or (with a traveller) into a wallet. Labels may be empty."""

    sale_id: UUID
    counter_id: str
    operator_id: str
    amount: Money
    reference: str
    sold_at: datetime
    recorded_by: str
    rider_category: str = ""
    area: str = ""
    traveller_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """Cash that leaves a till, to its operator or to the platform's bank."""

    handover_id: UUID
    counter_id: str
    operator_id: str
    amount: Money
    to_bank: bool
    recorded_by: str


class Counters:
    """Cash sales, tills, and the cashless tally."""

    def __init__(self, context: ServiceContext, books: Books, wallets: Wallets) -> None:
        self._context = context
        self._books = books
        self._wallets = wallets

    async def sell(self, sale: CashSale) -> TopUpVerdict:
        """Record a sale; a repeat changes nothing. A top-up may be refused. Raises WalletNotFound."""
        if sale.traveller_id is not None and not await self.is_recorded(sale.sale_id):
            verdict = await self._check_top_up(sale.traveller_id, sale.amount)
            if verdict is not TopUpVerdict.ACCEPTED:
                return verdict
        await self._context.database.execute(
            queries["insert_sale"],
            sale.sale_id,
            sale.counter_id,
            sale.operator_id,
            "fare" if sale.traveller_id is None else "top_up",
            sale.amount.amount_minor,
            sale.rider_category,
            sale.area,
            sale.traveller_id,
            sale.reference,
            sale.sold_at,
            sale.recorded_by,
        )
        await self._post_sale(await self._context.database.fetchrow(queries["find_sale"], sale.sale_id))
        return TopUpVerdict.ACCEPTED

    async def is_recorded(self, sale_id: UUID) -> bool:
        """Whether a first try of this sale was written down."""
        return await self._context.database.fetchrow(queries["find_sale"], sale_id) is not None

    async def _check_top_up(self, traveller_id: str, amount: Money) -> TopUpVerdict:
        wallet = await self._wallets.store.find_wallet(traveller_id)
        if wallet is None:
            raise WalletNotFound("This traveller has no wallet yet. They open one first.")
        balance_minor = await self._books.get_balance(traveller_wallet(traveller_id))
        return decide_top_up(wallet.state, amount_minor=amount.amount_minor, balance_minor=balance_minor)

    async def post_what_was_left(self, *, at_once: bool = False) -> int:
        """Post sales whose process died; returns how many."""
        assert at_once in (True, False), "all of them are due at any time"
        rows = await self._context.database.fetch(queries["list_unposted_sales"])
        for row in rows:
            await self._post_sale(row)
        return len(rows)

    async def _post_sale(self, row: Any) -> None:
        await self._books.post(sale_transfer(row))
        await self._context.database.execute(queries["finish_sale"], row["sale_id"])

    async def hand_over(self, handover: Handover) -> bool:
        """Empty a till by so much; False when it does not hold as much. A repeat changes nothing."""
        till = counter_cash(handover.counter_id)
        transfer = Transfer(
            transfer_id=handover.handover_id,
            debit=BANK_CASH if handover.to_bank else operator_counter_sales(handover.operator_id),
            credit=till,
            amount_minor=handover.amount.amount_minor,
            code=TransferCode.HANDOVER,
            reference=f"counter:{handover.counter_id}",
            effective_at=self._context.clock.now(),
        )
        [status] = await self._books.try_to_post([transfer])
        if status in (TransferStatus.EXCEEDS_DEBITS, TransferStatus.EXCEEDS_CREDITS):
            return False
        if status is TransferStatus.ID_ALREADY_FAILED:
            return False
        await self._context.database.execute(
            queries["insert_handover"],
            handover.handover_id,
            handover.counter_id,
            handover.operator_id,
            handover.amount.amount_minor,
            "bank" if handover.to_bank else "operator",
            self._context.clock.now(),
            handover.recorded_by,
        )
        return True

    async def get_till(self, counter_id: str) -> int:
        """The cash that a till should hold, in minor units."""
        return -(await self._books.get_sums(counter_cash(counter_id))).net_credit

    async def on_ride_rated(self, tx: Any, event: RideRated, _envelope: Envelope) -> None:
        """A fare was ridden and earned: what the house sells is paid without cash."""
        await self._hear_fare(tx, event, event.shares)

    async def on_ride_unrated(self, tx: Any, event: RideUnrated, _envelope: Envelope) -> None:
        """It was not ridden after all."""
        await self._hear_fare(tx, event, {})

    async def _hear_fare(self, tx: Any, event: RideRated | RideUnrated, shares: dict[str, int]) -> None:
        """Count the fare as its last turn has it: turns may arrive in any order."""
        month, fare = month_of(event.ridden_at), (event.order_id, event.component_index)
        await tx.execute(queries["know_fare"], *fare, month)
        before = await tx.fetchrow(queries["lock_fare"], *fare)
        if before["turn"] < event.turn:
            await tx.execute(queries["hear_fare"], *fare, event.turn, month, shares)
            await self._tally(tx, before["month"], before["shares"], sign=-1)
            await self._tally(tx, month, shares, sign=1)

    async def on_pass_earned(self, tx: Any, event: PassEarned, _envelope: Envelope) -> None:
        """A pass is over: it was paid without cash."""
        await self._tally(tx, month_of(event.earned_at), event.shares, sign=1)

    async def on_travel_earned(self, tx: Any, event: TravelEarned, _envelope: Envelope) -> None:
        """A day of travel on account was charged, or corrected."""
        month = month_of(event.ridden_at)
        await self._tally(tx, month, event.earned, sign=1)
        await self._tally(tx, month, event.taken_back, sign=-1)

    async def on_fare_refunded(self, tx: Any, event: FareRefunded, envelope: Envelope) -> None:
        """What was earned and is given back was not paid in the end."""
        if event.was_earned:
            await self._tally(tx, month_of(envelope.occurred_at), event.shares, sign=-1)

    async def _tally(self, tx: Any, month: date, shares: dict[str, int], *, sign: int) -> None:
        for operator_id, amount_minor in sorted(shares.items()):
            await tx.execute(queries["add_cashless"], month, operator_id, sign * amount_minor)

    async def list_ratio(self, first: date, last: date) -> list[Any]:
        """Cashless and cash by month and operator; both months are included."""
        return await self._context.database.fetch(queries["list_ratio"], first, last, CITY.key)

    async def list_cash_groups(self, month: date) -> list[Any]:
        """Cash fares of a month by rider category and area."""
        return await self._context.database.fetch(queries["list_cash_groups"], month, CITY.key)


def month_of(instant: datetime) -> date:
    """The first day of the city's month."""
    return instant.astimezone(CITY).date().replace(day=1)


def sale_transfer(row: Any) -> Transfer:
    """The transfer of a cash sale: till -> what the operator took, or the wallet."""
    credit: AccountId = (
        operator_counter_sales(row["operator_id"])
        if row["kind"] == "fare"
        else traveller_wallet(row["traveller_id"])
    )
    return Transfer(
        transfer_id=row["sale_id"],
        debit=counter_cash(row["counter_id"]),
        credit=credit,
        amount_minor=row["amount_minor"],
        code=TransferCode.CASH_SALE if row["kind"] == "fare" else TransferCode.TOP_UP,
        reference=row["reference"],
        effective_at=row["sold_at"],
    )
