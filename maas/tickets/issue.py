"""Make the tickets of a confirmed order, and of a pass, signed.

Idea      An entitlement per operator of each fare component, in order of riding. Buses, vans and bicycles are
          boarded anywhere; trains and ships at the places bought. A code with more than five entitlements
          gets a further part. The ticket counts from the start of the service day of the first departure to
          the end of the service day of the last arrival; a service day begins at 04:00.
Parties   Who shares a code is party.py's to say. On a shared code one check is for all, so a fare of the
          ticket is then several components of the order: one a rider.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from maas.journeys import Journey, Leg, Mode
from maas.prices import FareComponent, JourneyPrice, RiderCategory
from maas.tickets.base45 import encode_base45
from maas.tickets.keys import SigningKey
from maas.tickets.layout import ENTITLEMENTS_MAX, encode_for_device, encode_static, round_up_validity
from maas.tickets.party import list_parties
from maas.tickets.ticket import (
    ANY_AREA,
    ANY_PLACE,
    Entitlement,
    PassArea,
    Ticket,
    area_code,
    class_code,
    operator_code,
    place_code,
)

SERVICE_DAY_STARTS_AT_HOUR = 4
BOARDED_ANYWHERE = frozenset({Mode.BUS, Mode.ON_DEMAND, Mode.BIKE, Mode.TRAM})


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedTicket:
    """A signed ticket and whose it is. `payload` is what the QR code holds.

    `fares` gives by fare index the components of the order that are ridden with it; a pass is component 0.
    """

    ticket_id: UUID
    rider_index: int
    part: int
    ticket: Ticket
    payload: str
    fares: tuple[tuple[int, ...], ...] = ()


def sign(ticket: Ticket, key: SigningKey) -> str:
    """The payload of a static ticket."""
    assert ticket.key_id == key.public.key_id, "a ticket names the key that signs it"
    signed = encode_static(ticket)
    return encode_base45(signed + key.private_key.sign(signed))


def sign_for_device(ticket: Ticket, key: SigningKey, *, anchor: bytes, period_s: int) -> bytes:
    """The bytes that a device keeps and completes with the code of the moment (layout.encode_moment)."""
    assert ticket.key_id == key.public.key_id, "a ticket names the key that signs it"
    body = encode_for_device(ticket, period_s=period_s)
    return body + key.private_key.sign(body + anchor)


def issue_tickets(
    *,
    order_id: UUID,
    journey: Journey,
    prices: Sequence[JourneyPrice],
    key: SigningKey,
    zone: ZoneInfo,
    are_together: bool = False,
) -> list[IssuedTicket]:
    """All tickets of an order. The same order and key give the same tickets.

    `are_together` puts as many riders as fit on one code.
    """
    issued = []
    first_indices = _first_indices(prices)
    for party in list_parties(prices, are_together=are_together):
        leader = party.rider_indices[0]
        fares = list(_iterate_fares(journey, prices[leader].components))
        for part, chosen in enumerate(_parts(fares)):
            ticket_id = uuid5(order_id, f"ticket/{leader}/{part}")
            ticket = Ticket(
                key_id=key.public.key_id,
                ticket_ref=ticket_id.bytes[:8].hex(),
                valid_from=service_day_start(journey.departs_at, zone),
                valid_until=service_day_start(journey.arrives_at, zone) + timedelta(days=1),
                adults=party.adults,
                children=party.children,
                infants=party.infants,
                helpers=party.helpers,
                concession=party.concession,
                entitlements=_numbered(chosen),
            )
            issued.append(
                IssuedTicket(
                    ticket_id=ticket_id,
                    rider_index=leader,
                    part=part,
                    ticket=ticket,
                    payload=sign(ticket, key),
                    fares=tuple(
                        tuple(first_indices[rider] + place for rider in party.rider_indices)
                        for place in dict.fromkeys(place for place, _ in chosen)
                    ),
                )
            )
    return issued


def issue_pass(
    *,
    pass_id: UUID,
    rider: RiderCategory,
    areas: Sequence[PassArea],
    hours: int,
    valid_from: datetime,
    valid_until: datetime,
    key: SigningKey,
) -> list[IssuedTicket]:
    """The tickets of a pass: an entitlement for each area, further parts beyond five.

    Instants are widened to whole minutes, a long validity to whole hours. `hours` 0: the whole validity.
    """
    starts = valid_from.replace(second=0, microsecond=0)
    rights = [
        Entitlement(
            operator_code=operator_code(area.operator_id),
            fare_index=0,
            class_code=class_code(None),
            is_pass=True,
            area_code=ANY_AREA if area.network_id is None else area_code(area.operator_id, area.network_id),
            hours=hours,
        )
        for area in areas
    ]
    issued = []
    for part in range(-(-len(rights) // ENTITLEMENTS_MAX)):
        ticket_id = uuid5(pass_id, f"ticket/0/{part}")
        ticket = Ticket(
            key_id=key.public.key_id,
            ticket_ref=ticket_id.bytes[:8].hex(),
            valid_from=starts,
            valid_until=starts + round_up_validity(valid_until - starts),
            adults=int(rider is not RiderCategory.CHILD),
            children=int(rider is RiderCategory.CHILD),
            infants=0,
            concession=None if rider in {RiderCategory.ADULT, RiderCategory.CHILD} else rider,
            entitlements=tuple(rights[part * ENTITLEMENTS_MAX : (part + 1) * ENTITLEMENTS_MAX]),
        )
        issued.append(
            IssuedTicket(
                ticket_id=ticket_id,
                rider_index=0,
                part=part,
                ticket=ticket,
                payload=sign(ticket, key),
                fares=((0,),),
            )
        )
    return issued


def _numbered(chosen: Sequence[tuple[int, Entitlement]]) -> tuple[Entitlement, ...]:
    """`chosen` are entitlements with the place of their component among the rider's: numbered from 0."""
    numbers = {place: number for number, place in enumerate(dict.fromkeys(place for place, _ in chosen))}
    return tuple(replace(each, fare_index=numbers[place]) for place, each in chosen)


def _first_indices(prices: Sequence[JourneyPrice]) -> list[int]:
    """Where each rider's components begin among all of the order."""
    firsts, total = [], 0
    for price in prices:
        firsts.append(total)
        total += len(price.components)
    return firsts


def _iterate_fares(
    journey: Journey, components: Sequence[FareComponent]
) -> Iterator[tuple[int, Entitlement]]:
    for place, component in enumerate(components):
        legs = [journey.legs[index] for index in component.leg_indices]
        for operator_id in dict.fromkeys(leg.operator_id or "" for leg in legs):
            ridden = [leg for leg in legs if (leg.operator_id or "") == operator_id]
            yield (
                place,
                Entitlement(
                    operator_code=operator_code(operator_id),
                    fare_index=0,
                    class_code=class_code(component.fare_class),
                    origin_code=_code(operator_id, ridden[0], ridden[0].origin.stop_id),
                    destination_code=_code(operator_id, ridden[-1], ridden[-1].destination.stop_id),
                ),
            )


def _code(operator_id: str, leg: Leg, stop_id: str | None) -> int:
    if leg.mode in BOARDED_ANYWHERE or stop_id is None:
        return ANY_PLACE
    return place_code(operator_id, stop_id)


def _parts(fares: list[tuple[int, Entitlement]]) -> Iterator[list[tuple[int, Entitlement]]]:
    """At most five entitlements to a ticket."""
    for start in range(0, len(fares), ENTITLEMENTS_MAX):
        yield fares[start : start + ENTITLEMENTS_MAX]


def service_day_start(instant: datetime, zone: ZoneInfo) -> datetime:
    """04:00 of the service day that an instant falls in."""
    local = instant.astimezone(zone)
    start = local.replace(hour=SERVICE_DAY_STARTS_AT_HOUR, minute=0, second=0, microsecond=0)
    return start if start <= local else start - timedelta(days=1)
