"""Journeys for fare tests, written as rides: `Toei.Oedo Tochomae Shiodome`."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from maas.fares.engine import FareEngine
from maas.journeys import Journey, Leg, Mode, Place
from maas.prices import FareMedium, JourneyPrice, RiderCategory

TARIFFS = Path(__file__).parents[2] / "services" / "demo" / "city" / "tariffs"
TOKYO = ZoneInfo("Asia/Tokyo")
DAY = date(2026, 5, 20)
ADULT, CHILD, INFANT = RiderCategory.ADULT, RiderCategory.CHILD, RiderCategory.INFANT
IC, TICKET, APP = FareMedium.IC, FareMedium.TICKET, FareMedium.APP


def place(stop_id: str) -> Place:
    """A stop of feed `demo` somewhere in Tokyo."""
    return Place(name=stop_id, lat=35.6, lon=139.7, stop_id=f"demo:{stop_id}")


def ride(
    route: str,
    origin: str,
    destination: str,
    *,
    operator: str | None = None,
    at: str = "12:00",
    minutes: int = 10,
    day: date = DAY,
    mode: Mode = Mode.SUBWAY,
    in_seat: bool = False,
) -> Leg:
    """A ride; stops are `route.name`, or whole stop ids after an `=`."""
    hour, minute = at.split(":")
    # Hours beyond 24 stay with the service day, as in GTFS.
    departs_at = datetime(day.year, day.month, day.day, tzinfo=TOKYO) + timedelta(
        hours=int(hour), minutes=int(minute)
    )
    origin, destination = (
        name[1:] if name.startswith("=") else f"{route}.{name}" for name in (origin, destination)
    )
    return Leg(
        mode=mode,
        origin=place(origin),
        destination=place(destination),
        departs_at=departs_at,
        arrives_at=departs_at + timedelta(minutes=minutes),
        operator_id=operator or route.split(".", maxsplit=1)[0],
        route_id=f"demo:{route}",
        trip_id=f"demo:{route}-{at}",
        service_date=day,
        in_seat=in_seat,
    )


def walk(origin: str = "somewhere", destination: str = "elsewhere") -> Leg:
    """A walk between two rides."""
    noon = datetime(DAY.year, DAY.month, DAY.day, 12, tzinfo=TOKYO)
    return Leg(
        mode=Mode.WALK, origin=place(origin), destination=place(destination), departs_at=noon, arrives_at=noon
    )


def journey(*legs: Leg) -> Journey:
    """These legs as a journey."""
    return Journey(journey_id="test", legs=legs, network_version="test")


def total(
    engine: FareEngine,
    legs: Sequence[Leg],
    rider: RiderCategory = ADULT,
    medium: FareMedium = IC,
    fare_class: str | None = None,
) -> int:
    """The price in yen."""
    return price(engine, legs, rider, medium, fare_class).total.amount_minor


def price(
    engine: FareEngine,
    legs: Sequence[Leg],
    rider: RiderCategory = ADULT,
    medium: FareMedium = IC,
    fare_class: str | None = None,
) -> JourneyPrice:
    """The whole price; its sums are checked here, for every test that asks."""
    priced = engine.price(journey=journey(*legs), rider=rider, medium=medium, fare_class=fare_class)
    for component in priced.components:
        amount = component.amount.amount_minor
        assert amount == sum(addend.amount_minor for addend in component.addends)
        assert amount == sum(component.shares.values())
        assert all(addend.source and addend.rule_id and addend.text_en for addend in component.addends)
    assert priced.total.amount_minor == sum(part.amount.amount_minor for part in priced.components)
    covered = [index for part in priced.components for index in part.leg_indices]
    assert covered == [index for index, leg in enumerate(legs) if leg.mode is not Mode.WALK]
    return priced
