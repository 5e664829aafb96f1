"""Rides of the past, for a tariff tried in the shadow: of the house's orders and taps, or of a file.

Idea      A confirmed order is a document with its journey, its riders and what became of each fare. What was
          ridden of it is a `PastRide` for each rider: legs, category, medium, class; the traveller's id stays
          in the database. A file has one PastRide a line, as JSON.
Not here  Pricing them (maas/fares/shadow.py).
"""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from maas.account_travel.media import MediumKind
from maas.account_travel.rides import Stop
from maas.account_travel.shadow import PastTravel
from maas.fares.riders import list_companies
from maas.fares.shadow import PastRide
from maas.orders import ComponentState, Order
from maas.prices import FareMedium, RiderCategory
from services.cli.errors import CommandFailed

RIDES: TypeAdapter[PastRide] = TypeAdapter(PastRide)
ORDERS: TypeAdapter[Order] = TypeAdapter(Order)

_ORDERS = """
    select document from sales.customer_order
    where state = 'confirmed' and exists (
        select from sales.order_leg where order_leg.order_id = customer_order.order_id
            and service_date between $1 and $2)
    order by placed_at, order_id"""


_TRAVEL = """
    select service_date, kind, document from ticketing.travel_day join ticketing.medium using (medium_ref)
    where service_date between $1 and $2 order by service_date, medium_ref"""


async def iterate_travel(connection: Any, *, since: date, until: date) -> AsyncIterator[PastTravel]:
    """The fares of tapped rides of these service dates. Requires an open transaction."""
    async for row in connection.cursor(_TRAVEL, since, until):
        medium = MediumKind(row["kind"]).fare_medium
        for travel in list_past_travel(row["document"], row["service_date"], medium):
            yield travel


def list_past_travel(document: str, day: date, medium: FareMedium) -> Iterator[PastTravel]:
    """The fares of a day's document whose rides are whole: no maximum fares, nothing that was waived."""
    told = json.loads(document)
    rides = {ride["ride_id"]: ride for ride in told["rides"]}
    for fare in told["fares"]:
        chain = [rides[ride_id] for ride_id in fare["rides"] if ride_id in rides]
        whole = [ride for ride in chain if _is_whole(ride)]
        if fare["is_maximum"] or not whole or len(whole) != len(fare["rides"]):
            continue
        # A flat bus is left anywhere: where it was boarded is all that its fare asks for.
        ends = tuple(
            (Stop(*ride["origin"]), Stop(*(ride["destination"] or ride["origin"]))) for ride in whole
        )
        yield PastTravel(day=day, rider=RiderCategory(fare["rider"]), medium=medium, chain=ends)


def _is_whole(ride: dict[str, Any]) -> bool:
    """Known from gate to gate, or a flat bus; not waived, and not left where it was entered."""
    is_there = ride["scan"] or (ride["destination"] and ride["destination"] != ride["origin"])
    return bool(ride["origin"] and is_there and not ride["waived"])


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
