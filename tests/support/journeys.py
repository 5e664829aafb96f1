"""A journey of the tests: subway, walk, night ship, bus; and its price."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from maas.journeys import Journey, Leg, Mode, Place
from maas.passes import PassHeld
from maas.prices import Addend, FareComponent, FareMedium, JourneyPrice, RiderCategory
from payments.money import yen

SERVICE_DATE = date(2026, 11, 20)
START = datetime(2026, 11, 20, 11, 30, tzinfo=UTC)  # 20:30 in Tokyo
SHIP = "demo:ship-1"

TOCHOMAE = Place(name="都庁前", lat=35.6906, lon=139.6927, stop_id="demo:Toei.Oedo.Tochomae")
DAIMON = Place(name="大門", lat=35.6567, lon=139.7557, stop_id="demo:Toei.Oedo.Daimon")
PIER = Place(name="竹芝", lat=35.6547, lon=139.7625, stop_id="demo:takeshiba")
OKADA = Place(name="岡田港", lat=34.7906, lon=139.3906, stop_id="demo:okada")
MOTOMACHI = Place(name="元町", lat=34.7520, lon=139.3525, stop_id="demo:motomachi")


def _at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def _ride(mode: Mode, operator_id: str, trip_id: str, ends: tuple[Place, Place], at: tuple[int, int]) -> Leg:
    return Leg(
        mode=mode,
        origin=ends[0],
        destination=ends[1],
        departs_at=_at(at[0]),
        arrives_at=_at(at[1]),
        operator_id=operator_id,
        route_id=f"demo:{operator_id}",
        route_name=operator_id,
        trip_id=trip_id,
        service_date=SERVICE_DATE,
    )


def island_journey() -> Journey:
    """都庁前 -> 大門 -> (walk) 竹芝 -> 岡田港 -> 元町, 20:30 to 06:50 the next day."""
    return Journey(
        journey_id="test-journey",
        network_version="test",
        legs=(
            _ride(Mode.SUBWAY, "Toei", "demo:oedo-1", (TOCHOMAE, DAIMON), (0, 20)),
            Leg(
                mode=Mode.WALK,
                origin=DAIMON,
                destination=PIER,
                departs_at=_at(20),
                arrives_at=_at(31),
                distance_m=800,
                is_estimate=True,
            ),
            _ride(Mode.FERRY, "Tokai", SHIP, (PIER, OKADA), (90, 570)),
            _ride(Mode.BUS, "OshimaBus", "demo:bus-1", (OKADA, MOTOMACHI), (600, 620)),
        ),
    )


def island_price(
    rider: RiderCategory = RiderCategory.ADULT, amounts: tuple[int, int, int] = (220, 8220, 370)
) -> JourneyPrice:
    """A price with one component per ride."""
    legs = ((0, "Toei"), (2, "Tokai"), (3, "OshimaBus"))
    components = tuple(
        _component(leg, operator, amount) for (leg, operator), amount in zip(legs, amounts, strict=True)
    )
    return JourneyPrice(rider=rider, medium=FareMedium.APP, total=yen(sum(amounts)), components=components)


def one_leg_price(rider: RiderCategory, amount: int) -> JourneyPrice:
    """The price of the ship alone."""
    component = _component(0, "Tokai", amount)
    return JourneyPrice(rider=rider, medium=FareMedium.APP, total=yen(amount), components=(component,))


def _component(leg: int, operator: str, amount: int) -> FareComponent:
    return FareComponent(
        leg_indices=(leg,),
        product_id=operator,
        amount=yen(amount),
        addends=(
            Addend(
                text="運賃",
                text_en="fare",
                amount_minor=amount,
                rule_id="test",
                valid_from=date(2026, 1, 1),
                source="test",
            ),
        ),
        shares={operator: amount},
    )


def island_price_on_pass(held: PassHeld) -> JourneyPrice:
    """The adult's price with the subway covered by a pass: 220 and what the pass takes off."""
    price = island_price()
    subway = price.components[0]
    covered = replace(
        subway.addends[0],
        text=f"{held.name} 適用",
        text_en=f"covered by {held.name_en}",
        amount_minor=-220,
        rule_id=f"pass_in_hand/{held.pass_id}",
    )
    free = replace(subway, amount=yen(0), addends=(*subway.addends, covered), shares={"Toei": 0})
    return replace(price, total=price.total - yen(220), components=(free, *price.components[1:]))
