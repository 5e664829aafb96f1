"""Ticketing's rows. Methods with `tx` take part in the caller's transaction."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from maas.events import OrderConfirmed, PassSold
from maas.ports import RideSeen
from maas.prices import FareComponent, RiderCategory
from maas.taps import Ride
from maas.tickets.issue import IssuedTicket
from maas.tickets.phone_code import draw_phone_code
from maas.tickets.revocations import Revocations
from services.platform.database import Database, load_queries

queries = load_queries(__file__)


class TicketingStore:
    """All SQL of this service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert_ticket(
        self,
        tx: Any,
        issued: IssuedTicket,
        *,
        order_id: UUID,
        traveller_id: str,
        rider: RiderCategory,
        now: datetime,
    ) -> bool:
        """Keep a ticket; False when it is there already."""
        ticket = issued.ticket
        fresh = await tx.fetchval(
            queries["insert_ticket"],
            issued.ticket_id,
            ticket.ticket_ref,
            order_id,
            issued.rider_index,
            issued.part,
            rider.value,
            traveller_id,
            issued.payload,
            ticket.valid_from,
            ticket.valid_until,
            now,
            any(each.is_pass for each in ticket.entitlements),
        )
        if fresh is None:
            return False
        while await tx.fetchval(queries["set_phone_code"], ticket.ticket_ref, draw_phone_code()) is None:
            continue  # two tickets in 34 thousand million draw the same
        for fare_index, components in enumerate(issued.fares):
            await tx.execute(
                queries["insert_ticket_fare"], ticket.ticket_ref, fare_index, order_id, list(components)
            )
        return True

    async def insert_fare(
        self,
        tx: Any,
        event: OrderConfirmed,
        component_index: int,
        component: FareComponent,
        rider: RiderCategory,
    ) -> None:
        """Keep what a fare earns, for whom, and whose it is."""
        legs = [event.journey.legs[index] for index in component.leg_indices]
        origin, destination = legs[0].origin, legs[-1].destination
        await tx.execute(
            queries["insert_fare"],
            event.order_id,
            component_index,
            list(component.leg_indices),
            list(dict.fromkeys(leg.operator_id or "" for leg in legs)),
            component.fare_class,
            legs[0].mode.value,
            component.amount.amount_minor,
            component.shares,
            *(origin.name, origin.lat, origin.lon),
            *(destination.name, destination.lat, destination.lon),
            rider.value,
        )

    async def revoke(
        self, tx: Any, order_id: UUID, component_indices: Sequence[int], *, reason: str, now: datetime
    ) -> None:
        """Revoke fares of an order. Those revoked before stay as they were."""
        await tx.execute(queries["lock_revocations"])
        await tx.execute(queries["insert_revocations"], order_id, list(component_indices), now, reason)

    async def renew_revocations(self, tx: Any, order_id: UUID) -> None:
        """Tell of an order's revocations again: its tickets have only now been issued."""
        await tx.execute(queries["lock_revocations"])
        await tx.execute(queries["renew_revocations"], order_id)

    async def list_revocations(self, since: int, limit: int) -> list[Any]:
        """Revocations with a sequence above `since`, in order."""
        return await self._database.fetch(queries["list_revocations"], since, limit)

    async def list_tickets(self, traveller_id: str, order_id: UUID | None, limit: int) -> list[Any]:
        """The traveller's tickets."""
        return await self._database.fetch(queries["list_tickets"], traveller_id, order_id, limit)

    async def find_ticket(self, ticket_id: UUID, traveller_id: str) -> Any:
        """The traveller's own ticket, else None."""
        return await self._database.fetchrow(queries["find_ticket"], ticket_id, traveller_id)

    async def list_fares(self, ticket_refs: Iterable[str]) -> list[Any]:
        """The fares of tickets, one row a component, with what became of them."""
        return await self._database.fetch(queries["list_fares_of_tickets"], list(ticket_refs))

    async def list_components(self, tx: Any, ticket_ref: str, fare_index: int) -> list[int]:
        """The components of the order that a fare of a ticket stands for."""
        rows = await tx.fetch(queries["list_components"], ticket_ref, fare_index)
        return [row["component_index"] for row in rows]

    async def lock_tickets(self, tx: Any, ticket_refs: Iterable[str]) -> set[str]:
        """Lock those tickets that exist, in one order; returns them."""
        rows = await tx.fetch(queries["lock_tickets"], sorted(set(ticket_refs)))
        return {row["ticket_ref"] for row in rows}

    async def list_revoked(self, tx: Any, ticket_refs: Iterable[str]) -> Revocations:
        """What of these tickets counts no more: fares, and codes before the last."""
        refs = sorted(set(ticket_refs))
        fares = await tx.fetch(queries["list_revoked_of_tickets"], refs)
        editions = await tx.fetch(queries["list_editions"], refs)
        return Revocations(
            revoked=frozenset((row["ticket_ref"], row["fare_index"]) for row in fares),
            first_editions={row["ticket_ref"]: row["edition"] for row in editions},
        )

    async def ask_for_rating(self, tx: Any, ticket_refs: Iterable[str]) -> None:
        """Let the rating look at these tickets."""
        await tx.execute(queries["ask_for_rating"], sorted(set(ticket_refs)))

    async def claim_ticket_to_rate(self, tx: Any, now: datetime, *, besides: Iterable[str]) -> Any:
        """One ticket whose taps are to be looked at, locked, none of `besides`; None when there is none."""
        return await tx.fetchrow(queries["claim_ticket_to_rate"], now, list(besides))

    async def set_rate_at(self, tx: Any, ticket_ref: str, rate_at: datetime | None) -> None:
        """When to look at a ticket again; None: when a new tap comes."""
        await tx.execute(queries["set_rate_at"], ticket_ref, rate_at)

    async def keep_rides(
        self, tx: Any, ticket: Any, rides: Sequence[Ride], fare_indices: Sequence[int]
    ) -> None:
        """Make the ride rows of a ticket those that its taps make now."""
        kept = [ride.entitlement_index for ride in rides]
        await tx.execute(queries["drop_other_rides"], ticket["ticket_ref"], kept)
        for ride in rides:
            await tx.execute(
                queries["upsert_ride"],
                ticket["ticket_ref"],
                ride.entitlement_index,
                ride_id_of(ticket["ticket_id"], ride),
                ticket["order_id"],
                fare_indices[ride.entitlement_index],
                ride.last_tap.operator_id,
                ride.state.value,
                ride.began and ride.began.tapped_at,
                ride.ended and ride.ended.tapped_at,
                ride.began and ride.began.stop_id,
                ride.ended and ride.ended.stop_id,
            )

    async def list_contested_taps(
        self, operator_id: str | None, since: datetime | None, limit: int
    ) -> list[Any]:
        """Taps let through of tickets of which one was refused here, at most `limit` tickets."""
        return await self._database.fetch(queries["list_contested_taps"], operator_id, since, limit)

    async def insert_pass_fare(self, tx: Any, event: PassSold) -> None:
        """Keep the price of a pass beside its ticket; it is earned by sales, never by a ride."""
        operators = list(dict.fromkeys(area.operator_id for area in event.areas))
        await tx.execute(
            queries["insert_pass_fare"],
            event.pass_id,
            operators,
            event.amount_minor,
            event.name,
            event.rider.value,
        )

    async def note_uses(self, tx: Any, ticket_ref: str, used: Mapping[int, datetime]) -> dict[int, datetime]:
        """Keep when fares of a ticket were first used; returns those that are news."""
        return {
            fare_index: instant
            for fare_index, instant in sorted(used.items())
            if await tx.fetchval(queries["note_use"], ticket_ref, fare_index, instant) is not None
        }

    async def earn_fare(
        self,
        tx: Any,
        order_id: UUID,
        component_index: int,
        *,
        ride_id: UUID,
        ridden_at: datetime,
        now: datetime,
    ) -> int | None:
        """Note that a fare is earned; its turn, None when it is earned already, or was revoked."""
        turn: int | None = await tx.fetchval(
            queries["earn_fare"], order_id, component_index, ride_id, now, ridden_at
        )
        return turn

    async def take_fares_back(self, tx: Any, ticket_ref: str, *, besides: Iterable[int]) -> list[Any]:
        """Note that earned fares of a ticket, but these components, were not ridden; rows of `rated_fare`.

        Other tickets that share such a fare are asked for rating: a ride of theirs may earn it.
        """
        rows: list[Any] = await tx.fetch(queries["take_fares_back"], ticket_ref, sorted(besides))
        for row in rows:
            await tx.execute(
                queries["ask_for_rating_of_others"], ticket_ref, row["order_id"], row["component_index"]
            )
        return rows

    async def get_fare(self, tx: Any, order_id: UUID, component_index: int) -> Any:
        """The fare as it was sold."""
        row = await tx.fetchrow(queries["get_fare"], order_id, component_index)
        assert row is not None, "a ticket's fares are kept with the ticket"
        return row

    async def list_rides(self, traveller_id: str, limit: int) -> list[Any]:
        """The traveller's rides, latest first."""
        return await self._database.fetch(queries["list_rides"], traveller_id, limit)

    async def list_order_rides(self, *, order_id: UUID) -> list[RideSeen]:
        """As RidesPort."""
        return [
            RideSeen(
                operator_id=row["operator_id"],
                origin_name=row["origin_name"],
                destination_name=row["destination_name"],
                began_at=row["began_at"],
                ended_at=row["ended_at"],
            )
            for row in await self._database.fetch(queries["list_order_rides"], order_id)
        ]


def ride_id_of(ticket_id: UUID, ride: Ride, *, companion: int = 0) -> UUID:
    """The id of a ride: an entitlement has one for each rider of its code; `companion` 0 leads."""
    name = f"ride/{ride.entitlement_index}"
    return uuid5(ticket_id, f"{name}/{companion}" if companion else name)
