"""Rides earn, refunds take back: what the service does about events.

Each event is decided in a transaction of its own and kept, then posted with ids made from what was decided.
Killed anywhere, the event comes again, finds the decision, and posts the same ids. A refusal by the ledger
is raised, so that the event is delivered again and alarmed, never lost.

A fare may be rated in one service while it is given back in another. What was given back wins, as in sales:
whichever of the two events comes second undoes, or leaves out, the earning.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from maas.events import FareRefunded, PassEarned, RideRated, RideUnrated, TravelEarned
from payments.errors import RefundExceedsShare
from payments.ports import LedgerPort
from payments.settlement import (
    Earning,
    Reversal,
    TravelEarning,
    build_earning,
    build_reversal,
    build_travel_earning,
    list_earning_transfers,
    list_reversal_transfers,
    list_travel_transfers,
)
from services.platform.bus import Envelope
from services.platform.context import ServiceContext
from services.settlement import store
from services.settlement.posting import post_chain
from services.settlement.turns import is_taken_back, turn_ride


class Earnings:
    """The subscriptions of the settlement service."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context

    async def on_ride_rated(self, tx: Any, event: RideRated, envelope: Envelope) -> None:
        """Move each share from unearned fares to its operator, less the commission.

        A fare that was given back before has earned what its refund left, and no more.
        """
        assert sum(event.shares.values()) == event.amount_minor, "the shares of a fare sum to the fare"
        if await _was_given_back(tx, event):
            return
        if event.turn:
            await turn_ride(self._context, tx, event, turned_at=envelope.occurred_at)
            return
        await self._earn(event.order_id, event.component_index, event.shares, event.ridden_at)

    async def on_ride_unrated(self, tx: Any, event: RideUnrated, envelope: Envelope) -> None:
        """Take back what a fare earned that was not ridden after all."""
        if not await _was_given_back(tx, event):
            await turn_ride(self._context, tx, event, turned_at=envelope.occurred_at)

    async def on_pass_earned(self, _tx: Any, event: PassEarned, _envelope: Envelope) -> None:
        """Move each operator's part of a pass that is over from unearned fares, less the commission."""
        assert sum(event.shares.values()) == event.amount_minor, "the shares of a pass sum to its price"
        await self._earn(event.pass_id, 0, event.shares, event.earned_at)

    async def _earn(
        self, order_id: UUID, component_index: int, shares: dict[str, int], earned_at: datetime
    ) -> None:
        earnings = await self._decide_earnings(order_id, component_index, shares, earned_at)
        await post_chain(
            self._context.ports.get(LedgerPort),
            lambda attempt: list_earning_transfers(earnings, attempt=attempt),
        )

    async def on_travel_earned(self, _tx: Any, event: TravelEarned, _envelope: Envelope) -> None:
        """Move what operators earned of a day's travel, and take back what they earned no more."""
        earnings = await self._decide_travel(event)
        await post_chain(
            self._context.ports.get(LedgerPort),
            lambda attempt: list_travel_transfers(earnings, attempt=attempt),
        )

    async def _decide_travel(self, event: TravelEarned) -> list[TravelEarning]:
        parts = [*event.earned.items(), *((each, -share) for each, share in event.taken_back.items())]
        async with self._context.database.transaction() as tx:
            fresh = [
                build_travel_earning(
                    earning_id=event.earning_id,
                    operator_id=operator_id,
                    service_date=event.service_date,
                    share_minor=share,
                    agreement=await store.find_agreement(tx, operator_id, at=event.ridden_at),
                    earned_at=event.earned_at,
                )
                for operator_id, share in sorted(parts)
                if share
            ]
            await store.insert_travel_earnings(tx, fresh)
            return await store.list_travel_earnings(tx, event.earning_id)

    async def on_fare_refunded(self, tx: Any, event: FareRefunded, envelope: Envelope) -> None:
        """Take earned shares back with their commission; note refunds of what was never earned.

        What an operator's rule keeps of a fare that was not ridden is earned like a ride.
        """
        await _take_turn(tx, event)
        if await is_taken_back(tx, event.order_id, event.component_index):
            await self._refund_taken_back(event, envelope)
            return
        if not event.was_earned and not await _was_rated_meanwhile(tx, event):
            # Committed before the fee is posted: after a crash between the two, a ride still finds it.
            async with self._context.database.transaction() as noting:
                await _note(noting, event, envelope.occurred_at)
            await self._earn(event.order_id, event.component_index, event.fee_shares, envelope.occurred_at)
            return
        reversals = await self._decide_reversals(event, envelope.occurred_at)
        await post_chain(
            self._context.ports.get(LedgerPort),
            lambda attempt: list_reversal_transfers(reversals, attempt=attempt),
        )

    async def _refund_taken_back(self, event: FareRefunded, envelope: Envelope) -> None:
        """As of a fare that was never earned, but its earnings' ids are used: the fee's are the refund's."""
        async with self._context.database.transaction() as tx:
            await _note(tx, event, envelope.occurred_at)
            at = envelope.occurred_at
            fees = [
                build_earning(
                    order_id=event.order_id,
                    component_index=event.component_index,
                    operator_id=operator_id,
                    share_minor=share,
                    agreement=await store.find_agreement(tx, operator_id, at=at),
                    earned_at=at,
                )
                for operator_id, share in sorted(event.fee_shares.items())
            ]
        await post_chain(
            self._context.ports.get(LedgerPort),
            lambda attempt: [
                replace(each, transfer_id=uuid5(event.refund_id, str(each.transfer_id)))
                for each in list_earning_transfers(fees, attempt=attempt)
            ],
        )

    async def _decide_earnings(
        self, order_id: UUID, component_index: int, shares: dict[str, int], earned_at: datetime
    ) -> list[Earning]:
        async with self._context.database.transaction() as tx:
            fresh = [
                build_earning(
                    order_id=order_id,
                    component_index=component_index,
                    operator_id=operator_id,
                    share_minor=share,
                    agreement=await store.find_agreement(tx, operator_id, at=earned_at),
                    earned_at=earned_at,
                )
                for operator_id, share in sorted(shares.items())
                if share
            ]
            if fresh:
                await store.insert_earnings(tx, fresh)
            return await store.list_earnings(tx, order_id, component_index)

    async def _decide_reversals(self, event: FareRefunded, refunded_at: datetime) -> list[Reversal]:
        async with self._context.database.transaction() as tx:
            earnings = {
                each.operator_id: each
                for each in await store.list_earnings(tx, event.order_id, event.component_index, lock=True)
            }
            before = await store.list_reversals(tx, event.order_id, event.component_index)
            mine = [each for each in before if each.refund_id == event.refund_id]
            if mine:
                return mine
            reversals = []
            for operator_id, share in sorted(event.shares.items()):
                if not share:
                    continue
                if operator_id not in earnings:
                    raise RefundExceedsShare(
                        f"{operator_id} has earned nothing on component {event.component_index} of order "
                        f"{event.order_id} yet; refund {event.refund_id} waits."
                    )
                reversal = build_reversal(
                    earnings[operator_id],
                    refund_id=event.refund_id,
                    share_minor=share,
                    reversed_before=[each for each in before if each.operator_id == operator_id],
                    reversed_at=refunded_at,
                )
                await store.insert_reversal(tx, reversal)
                reversals.append(reversal)
            return reversals


async def _take_turn(tx: Any, event: RideRated | RideUnrated | FareRefunded) -> None:
    """Let the events of one fare be handled one after the other, until the transaction ends."""
    await tx.execute(store.queries["lock_fare"], f"{event.order_id}/{event.component_index}")


async def _was_given_back(tx: Any, event: RideRated | RideUnrated) -> bool:
    await _take_turn(tx, event)
    found = await tx.fetchval(store.queries["has_note"], event.order_id, event.component_index)
    return bool(found)


async def _was_rated_meanwhile(tx: Any, event: FareRefunded) -> bool:
    """Sales did not know of the ride yet, but more than the fee is earned already."""
    earnings = await store.list_earnings(tx, event.order_id, event.component_index)
    return any(each.share_minor > event.fee_shares.get(each.operator_id, 0) for each in earnings)


async def _note(tx: Any, event: FareRefunded, refunded_at: datetime) -> None:
    for operator_id, share in sorted(event.shares.items()):
        if share:
            await tx.execute(
                store.queries["insert_note"],
                event.refund_id,
                event.component_index,
                operator_id,
                event.order_id,
                share,
                event.reason,
                refunded_at,
            )
