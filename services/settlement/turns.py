"""Rides that were none after all: what a fare earned goes back, and perhaps comes again.

Problem   A late tap, or a gate's place put right, shows that another fare was ridden than the one that was
          earned. Events of the two come in any order, and a refund may cross them.
Idea      Ticketing numbers the turns of a fare. Turn 0 is the earning, decided once; every later turn is that
          earning the other way (odd) or once more (even), posted by ids made of the turn. So only the
          difference moves, it enters the run of its own day, and no locked run changes. The highest turn
          holds.
Rule      What was given back to the traveller wins: after a refund no turn moves anything.
Not here  When a fare turns (services/ticketing/rating.py).
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from maas.events import RideRated, RideUnrated
from payments.errors import RefundExceedsShare
from payments.ports import LedgerPort
from payments.settlement import list_turn_transfers
from services.platform.context import ServiceContext
from services.settlement import store
from services.settlement.posting import post_chain


async def turn_ride(
    context: ServiceContext, tx: Any, event: RideRated | RideUnrated, *, turned_at: datetime
) -> None:
    """Post a turn above 0, once. Raises RefundExceedsShare while the earning itself is still on its way.

    The caller holds the fare's lock, and has found no note of a refund.
    """
    if event.amount_minor == 0 or await store.list_reversals(tx, event.order_id, event.component_index):
        return
    earnings = await store.list_earnings(tx, event.order_id, event.component_index)
    if not earnings:
        raise RefundExceedsShare(
            f"Component {event.component_index} of order {event.order_id} has earned nothing yet; "
            f"turn {event.turn} of its ride waits."
        )
    # Committed before anything is posted: after a crash between the two, a repeat posts the same.
    async with context.database.transaction() as deciding:
        turned_at = await store.insert_turn(
            deciding, event.order_id, event.component_index, turn=event.turn, turned_at=turned_at
        )
    await post_chain(
        context.ports.get(LedgerPort),
        lambda attempt: list_turn_transfers(earnings, turn=event.turn, turned_at=turned_at, attempt=attempt),
    )


async def is_taken_back(tx: Any, order_id: UUID, component_index: int) -> bool:
    """Whether the fare was earned, and is not any more."""
    latest = await tx.fetchval(store.queries["find_latest_turn"], order_id, component_index)
    return latest is not None and latest % 2 == 1
