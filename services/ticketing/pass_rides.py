"""What the rides shown with a pass's ticket made of it, told to sales, which shares the price by it.

Problem   A pass is shown at the gates of several operators. None of its rides earns a fare, yet each part of
          the price is what its operator's rides would have cost; a pass ridden by ticket must be worth to
          them what one carried by a card is.
Idea      The ticket is rated as a medium that carries the pass: the same rides, fares and cover. What it
          stood for is told by week, for this ticket alone; telling it again replaces it, so late and repeated
          taps end in the same, and a rating that dies half way is told again.
Rule      Only taps that let somebody pass count: one that handed the pass back over a gate is no ride. A ride
          without its other end stands for nothing, as on a card.
Not here  Rides carried by a card or phone (travel/holdings.py), the shares of the price (services/sales).
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from maas.account_travel.charges import monday_of, rate_week
from maas.account_travel.fare_book import FareBook
from maas.account_travel.media import Medium, MediumKind, PaidBy
from maas.account_travel.rides import split_by_day
from maas.passes import PassHeld, PassUse
from maas.ports import PassPort
from maas.taps import Tap
from maas.tickets.passback import settle
from maas.tickets.ticket import Entitlement
from services.platform.context import ServiceContext
from services.ticketing.travel.tariff import TariffInForce


class PassRides:
    """The door from tickets of passes to sales."""

    def __init__(self, context: ServiceContext, tariff: TariffInForce) -> None:
        self._context = context
        self._tariff = tariff

    async def tell(self, ticket: Any, taps: Sequence[Tap], entitlements: tuple[Entitlement, ...]) -> bool:
        """Tell sales of all weeks of a ticket's taps. False: no tariff is known here yet, ask again."""
        book = self._tariff.find_book()
        if book is None:
            return False
        taps = settle(taps, entitlements).rides
        held = await self._find_held(ticket, split_by_day(taps, book.policy))
        if held is not None:
            uses = _list_uses(ticket["ticket_ref"], held, taps, book)
            await self._context.ports.get(PassPort).note_uses(uses=uses)
        return True

    async def _find_held(self, ticket: Any, days: Iterable[date]) -> PassHeld | None:
        """The pass as sales knows it; None when it is not held, or was given back."""
        port = self._context.ports.get(PassPort)
        for day in days:
            passes = await port.list_passes(traveller_id=ticket["traveller_id"], service_date=day)
            held = next((each for each in passes if each.pass_id == ticket["order_id"]), None)
            if held is not None:
                return held
        return None


def _list_uses(ticket_ref: str, held: PassHeld, taps: Sequence[Tap], book: FareBook) -> list[PassUse]:
    since = min(tap.tapped_at for tap in taps)
    medium = Medium(
        medium_ref=ticket_ref,
        kind=MediumKind.PHONE,
        passes=(held.in_hand,),
        payers=(PaidBy(since=since, customer_id=ticket_ref, rider=held.rider),),
    )
    uses = []
    for monday in sorted({monday_of(day) for day in split_by_day(taps, book.policy)}):
        # No day counts as over: nothing is charged here, and nothing given back.
        rating = rate_week(medium, monday, taps, book, closed_through=monday - timedelta(days=1))
        use = rating.pass_uses.get(str(held.pass_id))
        uses.append(
            PassUse(
                pass_id=held.pass_id,
                week=monday,
                began=use.began if use else None,
                used=dict(use.used) if use else {},
                carrier=ticket_ref,
            )
        )
    return uses
