"""Rides earn fares: each fare once, and not at all when later taps show that another was ridden.

Problem   The taps of a ticket grow for days; each new one may begin, complete or correct a ride. A fare must
          be earned exactly once, also when the worker dies at any line, and however the taps were shuffled.
Idea      A ticket that has news carries `rate_at`. The worker claims one (SKIP LOCKED), makes its rides anew
          from all its taps, notes each earned fare under its primary key (order, component), appends
          RideRated for those that were new and RideUnrated for those that no ride earns any more, and sets
          `rate_at` to when the next half-known ride is due: all in one transaction. A fare's turns are
          counted, so that whoever hears of them in another order ends at the same. A ticket whose rating
          fails is left out until the round is over, so that it keeps no other from being rated.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog

from maas.events import PassBegun, RideBegun, RideRated, RideUnrated
from maas.taps import Ride, RideState, earned_at, is_earned, pair_rides
from maas.tickets.layout import decode_payload
from maas.tickets.passback import first_uses
from services.platform.context import ServiceContext
from services.ticketing.pass_rides import PassRides
from services.ticketing.store import TicketingStore, ride_id_of
from services.ticketing.tap_store import TapStore

log = structlog.get_logger()

IDLE_S = 1.0
NO_TARIFF_WAITS = timedelta(minutes=1)


class Rating:
    """The worker that turns taps into rides and rides into earnings."""

    def __init__(
        self,
        context: ServiceContext,
        store: TicketingStore,
        taps: TapStore,
        passes: PassRides,
        *,
        zone: ZoneInfo,
    ) -> None:
        self._context = context
        self._store = store
        self._taps = taps
        self._passes = passes
        self._zone = zone
        self._news = asyncio.Event()
        self._failed: set[str] = set()

    def wake(self) -> None:
        """Look for tickets with news soon."""
        self._news.set()

    async def run(self) -> None:
        """For ever: rate all that is due, then wait for news."""
        while True:
            self._news.clear()
            self._failed.clear()
            while await self.rate_one():
                pass
            try:
                async with asyncio.timeout(IDLE_S):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def rate_one(self) -> bool:
        """Rate one ticket that is due, or leave it out of this round; False when none is due."""
        now = self._context.clock.now()
        ticket = None
        try:
            async with self._context.database.transaction() as tx:
                ticket = await self._store.claim_ticket_to_rate(tx, now, besides=self._failed)
                if ticket is None:
                    return False
                await self._rate(tx, ticket, now)
        except Exception:
            if ticket is None:
                raise  # the queue itself cannot be read
            self._failed.add(ticket["ticket_ref"])
            log.exception("ticket_not_rated", ticket_id=str(ticket["ticket_id"]))
        return True

    async def _rate(self, tx: Any, ticket: Any, now: datetime) -> None:
        entitlements = decode_payload(ticket["payload"]).ticket.entitlements
        fare_indices = [each.fare_index for each in entitlements]
        taps = await self._taps.list_counted_taps(tx, [ticket["ticket_ref"]])
        counted = taps[ticket["ticket_ref"]]
        rides = pair_rides(counted, entitlements)
        await self._store.keep_rides(tx, ticket, rides, fare_indices)
        news = await self._store.note_uses(tx, ticket["ticket_ref"], first_uses(counted, entitlements))
        begun = [news[each.fare_index] for each in entitlements if each.hours and each.fare_index in news]
        if begun:
            told = PassBegun(pass_id=ticket["order_id"], began=min(begun))
            await self._context.outbox.append(tx, told)
        earned = [ride for ride in rides if is_earned(ride, now=now, zone=self._zone)]
        not_earned = {fare_indices[ride.entitlement_index] for ride in rides if ride not in earned}
        for fare_index in sorted(not_earned & news.keys()):
            await self._tell_begun(tx, ticket, fare_index, news[fare_index])
        ridden: set[int] = set()
        for ride in earned:
            fare_index = fare_indices[ride.entitlement_index]
            components = await self._store.list_components(tx, ticket["ticket_ref"], fare_index)
            ridden.update(components)
            for companion, component_index in enumerate(components):
                await self._earn(
                    tx,
                    ride,
                    ride_id=ride_id_of(ticket["ticket_id"], ride, companion=companion),
                    order_id=ticket["order_id"],
                    component_index=component_index,
                    now=now,
                )
        for row in await self._store.take_fares_back(tx, ticket["ticket_ref"], besides=ridden):
            await self._take_back(tx, row)
        waiting = [earned_at(ride, zone=self._zone) for ride in rides if ride.state is not RideState.COMPLETE]
        if counted and any(each.is_pass for each in entitlements):
            is_told = await self._passes.tell(ticket, counted, entitlements)
            waiting += [] if is_told else [now + NO_TARIFF_WAITS]
        due = min((instant for instant in waiting if instant > now), default=None)
        await self._store.set_rate_at(tx, ticket["ticket_ref"], due)

    async def _tell_begun(self, tx: Any, ticket: Any, fare_index: int, begun_at: datetime) -> None:
        """Sales must know before the ride is earned: whoever is past the gate cannot cancel any more."""
        for component_index in await self._store.list_components(tx, ticket["ticket_ref"], fare_index):
            begun = RideBegun(order_id=ticket["order_id"], component_index=component_index, begun_at=begun_at)
            await self._context.outbox.append(tx, begun)

    async def _earn(
        self, tx: Any, ride: Ride, *, ride_id: UUID, order_id: UUID, component_index: int, now: datetime
    ) -> None:
        ridden_at = (ride.began or ride.last_tap).tapped_at
        turn = await self._store.earn_fare(
            tx, order_id, component_index, ride_id=ride_id, ridden_at=ridden_at, now=now
        )
        if turn is None:
            return
        fare = await self._store.get_fare(tx, order_id, component_index)
        rated = RideRated(
            ride_id=ride_id,
            order_id=order_id,
            component_index=component_index,
            leg_indices=tuple(fare["leg_indices"]),
            shares=fare["shares"],
            amount_minor=fare["amount_minor"],
            mode=fare["mode"],
            operator_id=fare["operator_ids"][0],
            origin_lat=fare["origin_lat"],
            origin_lon=fare["origin_lon"],
            destination_lat=fare["destination_lat"],
            destination_lon=fare["destination_lon"],
            ridden_at=ridden_at,
            turn=turn,
        )
        await self._context.outbox.append(tx, rated)

    async def _take_back(self, tx: Any, row: Any) -> None:
        fare = await self._store.get_fare(tx, row["order_id"], row["component_index"])
        unrated = RideUnrated(
            ride_id=row["ride_id"],
            order_id=row["order_id"],
            component_index=row["component_index"],
            amount_minor=fare["amount_minor"],
            mode=fare["mode"],
            origin_lat=fare["origin_lat"],
            origin_lon=fare["origin_lon"],
            destination_lat=fare["destination_lat"],
            destination_lon=fare["destination_lon"],
            ridden_at=row["ridden_at"],
            turn=row["turn"],
        )
        await self._context.outbox.append(tx, unrated)
