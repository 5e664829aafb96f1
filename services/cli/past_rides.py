"""Rides of the past, for a tariff tried in the shadow: those of the house's orders, or of a file.

Idea      A confirmed order is a document with its journey, its riders and what became of each fare. What was
          ridden of it is a `PastRide` for each rider: legs, category, medium, class; the traveller's id stays
          in the database. A file has one PastRide a line, as JSON.
Not here  Pricing them (maas/fares/shadow.py).
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from maas.fares.riders import list_companies
from maas.fares.shadow import PastRide
from maas.orders import ComponentState, Order
from services.cli.errors import CommandFailed

RIDES: TypeAdapter[PastRide] = TypeAdapter(PastRide)
ORDERS: TypeAdapter[Order] = TypeAdapter(Order)

_ORDERS = """
    select document from sales.customer_order
    where state = 'confirmed' and exists (
        select from sales.order_leg where order_leg.order_id = customer_order.order_id
            and service_date between $1 and $2)
    order by placed_at, order_id"""


async def iterate_ridden(connection: Any, *, since: date, until: date) -> AsyncIterator[PastRide]:
    """What was ridden of the orders that touch these service dates. Requires an open transaction."""
    async for row in connection.cursor(_ORDERS, since, until):
        for ride in list_past_rides(ORDERS.validate_json(row["document"])):
            yield ride


def list_past_rides(order: Order) -> Iterator[PastRide]:
    """For each rider of an order the legs that were ridden; nothing for a rider who rode none."""
    companies = list_companies([price.rider for price in order.prices])
    for rider_index, price in enumerate(order.prices):
        ridden = [
            component
            for component in order.components
            if component.rider_index == rider_index and component.state is ComponentState.RIDDEN
        ]
        indices = sorted({index for component in ridden for index in component.leg_indices})
        if indices:
            legs = tuple(order.journey.legs[index] for index in indices)
            yield PastRide(
                journey=replace(order.journey, journey_id="", legs=legs),
                rider=price.rider,
                medium=price.medium,
                fare_class=next((each.fare_class for each in ridden if each.fare_class), None),
                company=companies[rider_index][2],
            )


def read_rides(path: Path) -> Iterator[PastRide]:
    """The rides of a file of JSON lines. Raises CommandFailed naming the line."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _read_line(path, number, line)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(
            f"{path} cannot be read ({error}). Give a file of JSON lines in UTF-8."
        ) from error


def _read_line(path: Path, number: int, line: str) -> PastRide:
    try:
        ride = RIDES.validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CommandFailed(
            f"{path} line {number}: {where or 'the line'}: {first['msg']}. Each line is one ride as JSON: "
            "journey, rider, medium."
        ) from error
    if not ride.journey.legs:
        raise CommandFailed(f"{path} line {number}: the journey has no legs.")
    return ride
