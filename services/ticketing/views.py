"""Rows as the outside sees them."""

from collections.abc import Sequence
from typing import Any, Literal

from maas.prices import RiderCategory
from maas.tickets.layout import decode_payload
from maas.tickets.printed import PrintedFare, PrintedTicket
from maas.tickets.ticket import TicketForm
from payments.money import yen
from services.ticketing.code_store import CodeRow
from services.ticketing.models import CodeView, FareView, RideView, TicketView


def riders_of(row: Any) -> dict[RiderCategory, int]:
    """Whom a ticket lets pass."""
    ticket = decode_payload(row["payload"]).ticket
    return {rider: count for rider, count in ticket.riders.items() if count}


def code_view(code: CodeRow) -> CodeView:
    """A code as its holder sees it."""
    return CodeView(
        edition=code.edition,
        form=code.form,
        payload=code.payload,
        device_id=code.device_id,
        period_s=code.period_s,
        valid_from=code.valid_from,
        valid_until=code.valid_until,
        issued_at=code.issued_at,
        reason=code.reason,
    )


def ticket_view(row: Any, code: CodeRow, fares: Sequence[Any]) -> TicketView:
    """A ticket with the code that counts and its fares."""
    return TicketView(
        ticket_id=row["ticket_id"],
        ticket_ref=row["ticket_ref"],
        order_id=row["order_id"],
        rider=RiderCategory(row["rider"]),
        rider_index=row["rider_index"],
        riders=riders_of(row),
        part=row["part"],
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
        issued_at=row["issued_at"],
        payload=code.payload if code.form is TicketForm.STATIC else None,
        phone_code=row["phone_code"],
        code=code_view(code),
        fares=[fare_view(fare) for fare in fares],
    )


def printed_ticket(ticket: TicketView) -> PrintedTicket:
    """A ticket as it is written on paper."""
    return PrintedTicket(
        ticket_ref=ticket.ticket_ref,
        riders=ticket.riders,
        valid_from=ticket.valid_from,
        valid_until=ticket.valid_until,
        # Riders on one code ride the same: each fare once.
        fares=tuple(
            PrintedFare(origin=fare.origin, destination=fare.destination, fare_class=fare.fare_class)
            for fare in {each.fare_index: each for each in ticket.fares}.values()
        ),
        phone_code=ticket.phone_code,
        payload=ticket.payload,
    )


def fare_view(fare: Any) -> FareView:
    """A rider's fare and what became of it."""
    return FareView(
        fare_index=fare["fare_index"],
        component_index=fare["component_index"],
        rider=RiderCategory(fare["rider"]),
        operator_ids=fare["operator_ids"],
        origin=fare["origin_name"],
        destination=fare["destination_name"],
        fare_class=fare["fare_class"],
        amount=yen(fare["amount_minor"]),
        state=_state(fare),
    )


def _state(fare: Any) -> Literal["unused", "begun", "used", "revoked"]:
    if fare["rated_at"] is not None:
        return "used"
    if fare["revoked_at"] is not None:
        return "revoked"
    return "unused" if fare["ride_state"] is None else "begun"


def ride_view(row: Any) -> RideView:
    """A rider's ride."""
    return RideView(
        ride_id=row["ride_id"],
        ticket_id=row["ticket_id"],
        order_id=row["order_id"],
        component_index=row["component_index"],
        rider=RiderCategory(row["rider"]),
        operator_id=row["operator_id"],
        state=row["state"],
        origin=row["origin_name"],
        destination=row["destination_name"],
        began_at=row["began_at"],
        ended_at=row["ended_at"],
        fare_class=row["fare_class"],
        amount=yen(row["amount_minor"]),
        rated_at=row["rated_at"],
    )
