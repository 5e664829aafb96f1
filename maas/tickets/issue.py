"""Make the tickets of a confirmed order: one per rider, signed.

Idea      An entitlement per operator of each fare component, in order of riding. Buses, vans and bicycles are
          boarded anywhere; trains and ships at the places bought. A rider with more than seven entitlements
          gets a further part. The ticket counts from the start of the service day of the first departure to
          the end of the service day of the last arrival; a service day begins at 04:00.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from maas.journeys import Journey, Leg, Mode
from maas.prices import FareComponent, JourneyPrice, RiderCategory
from maas.tickets.base45 import encode_base45
from maas.tickets.keys import SigningKey
from maas.tickets.ticket import (
    ANY_PLACE,
    ENTITLEMENTS_MAX,
    NIBBLE,
    Entitlement,
    Ticket,
    class_code,
    encode_unsigned,
    operator_code,
    place_code,
)

SERVICE_DAY_STARTS_AT_HOUR = 4
BOARDED_ANYWHERE = frozenset({Mode.BUS, Mode.ON_DEMAND, Mode.BIKE, Mode.TRAM})


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedTicket:
    """A signed ticket and whose it is. `payload` is what the QR code holds."""

    ticket_id: UUID
    rider_index: int
    part: int
    ticket: Ticket
    payload: str


def sign(ticket: Ticket, key: SigningKey) -> str:
    """The payload of a ticket."""
    assert ticket.key_id == key.public.key_id, "a ticket names the key that signs it"
    signed = encode_unsigned(ticket)
    return encode_base45(signed + key.private_key.sign(signed))


def issue_tickets(
    *, order_id: UUID, journey: Journey, prices: Sequence[JourneyPrice], key: SigningKey, zone: ZoneInfo
) -> list[IssuedTicket]:
    """All tickets of an order. The same order and key give the same tickets."""
    issued = []
    first_index = 0
    for rider_index, price in enumerate(prices):
        entitlements = list(_list_entitlements(journey, price.components, first_index))
        first_index += len(price.components)
        for part, chosen in enumerate(_parts(entitlements)):
            ticket_id = uuid5(order_id, f"ticket/{rider_index}/{part}")
            ticket = Ticket(
                key_id=key.public.key_id,
                ticket_ref=ticket_id.bytes[:8].hex(),
                order_ref=order_id.bytes[:4].hex(),
                valid_from=_day_start(journey.departs_at, zone),
                valid_until=_day_start(journey.arrives_at, zone) + timedelta(days=1),
                # A ticket counts who is no child and no infant as an adult; the concession is shown on board.
                adults=int(price.rider not in (RiderCategory.CHILD, RiderCategory.INFANT)),
                children=int(price.rider is RiderCategory.CHILD),
                infants=int(price.rider is RiderCategory.INFANT),
                entitlements=tuple(chosen),
            )
            payload = sign(ticket, key)
            issued.append(
                IssuedTicket(
                    ticket_id=ticket_id, rider_index=rider_index, part=part, ticket=ticket, payload=payload
                )
            )
    return issued


def _list_entitlements(
    journey: Journey, components: Iterable[FareComponent], first_index: int
) -> Iterator[Entitlement]:
    for component_index, component in enumerate(components, start=first_index):
        legs = [journey.legs[index] for index in component.leg_indices]
        for operator_id in dict.fromkeys(leg.operator_id or "" for leg in legs):
            ridden = [leg for leg in legs if (leg.operator_id or "") == operator_id]
            yield Entitlement(
                operator_code=operator_code(operator_id),
                component_index=component_index,
                class_code=class_code(component.fare_class),
                origin_code=_code(operator_id, ridden[0], ridden[0].origin.stop_id),
                destination_code=_code(operator_id, ridden[-1], ridden[-1].destination.stop_id),
            )


def _code(operator_id: str, leg: Leg, stop_id: str | None) -> int:
    if leg.mode in BOARDED_ANYWHERE or stop_id is None:
        return ANY_PLACE
    return place_code(operator_id, stop_id)


def _parts(entitlements: list[Entitlement]) -> Iterator[list[Entitlement]]:
    """At most seven to a ticket, and within sixteen component indices of its first."""
    part: list[Entitlement] = []
    for each in entitlements:
        if part and (
            len(part) == ENTITLEMENTS_MAX or each.component_index - part[0].component_index > NIBBLE
        ):
            yield part
            part = []
        part.append(each)
    if part:
        yield part


def _day_start(instant: datetime, zone: ZoneInfo) -> datetime:
    """04:00 of the service day that an instant falls in."""
    local = instant.astimezone(zone)
    start = local.replace(hour=SERVICE_DAY_STARTS_AT_HOUR, minute=0, second=0, microsecond=0)
    return start if start <= local else start - timedelta(days=1)
