"""What a book remembers is the answer for the day that is asked about."""

from datetime import date, datetime, timedelta
from itertools import permutations

import pytest

from maas.account_travel.fare_book import Asked, FareBook, route_of_stop
from maas.account_travel.policy import TapRules
from maas.account_travel.rides import Stop
from maas.fares.engine import FareEngine
from maas.fares.riders import ALONE
from maas.journeys import Journey, Leg, Mode, Place
from maas.prices import FareMedium, RiderCategory
from tests.support.fares import TARIFFS
from tests.support.travel import POLICY

ADULT = RiderCategory.ADULT
SHIBUYA = Stop("JR-East", "demo:JR-East.Yamanote.Shibuya")
SHINJUKU = Stop("JR-East", "demo:JR-East.Yamanote.Shinjuku")


def test_days_of_one_tariff_share_their_prices_and_days_of_two_do_not() -> None:
    # 3.4 km: of the band of 4 to 6 km, 167 yen by IC until 2026-03-13 and 199 from the 14th on
    # (distance_bands.csv). Asked out of order, so that each day finds what another has left.
    expected = {
        date(2026, 3, 14): 199,
        date(2026, 3, 13): 167,
        date(2026, 3, 20): 199,
        date(2026, 3, 12): 167,
        date(2026, 5, 20): 199,
    }
    book = FareBook(FareEngine.from_folder(TARIFFS), TapRules.from_folder(TARIFFS), POLICY)
    assert {day: _price(book, day) for day in expected} == expected


def test_who_rides_is_told_apart_on_every_day() -> None:
    # A child pays half of 199, rounded down (child_rules.csv): 99.
    book = FareBook(FareEngine.from_folder(TARIFFS), TapRules.from_folder(TARIFFS), POLICY)
    asked = [(rider, date(2026, 5, day)) for day in (18, 19) for rider in (ADULT, RiderCategory.CHILD)]
    assert [_price(book, day, rider) for rider, day in asked] == [199, 99, 199, 99]


def _price(book: FareBook, day: date, rider: RiderCategory = ADULT) -> int:
    fares = book.price(Asked(day, rider, FareMedium.IC, ALONE), ((SHIBUYA, SHINJUKU),))
    assert fares is not None, "the pair is sold"
    return sum(fare.charged.amount_minor for fare in fares)


STATIONS = (
    *("Toei.Mita.Meguro", "Toei.Mita.Mita", "Toei.Oedo.Tochomae", "Toei.Shinjuku.Motoyawata"),
    *("TokyoMetro.Namboku.ShirokaneTakanawa", "TokyoMetro.Ginza.Asakusa", "TokyoMetro.Marunouchi.Ogikubo"),
)


@pytest.mark.parametrize(
    "ends", [pair for pair in permutations(STATIONS, 2) if pair[0].split(".")[0] != pair[1].split(".")[0]]
)
def test_a_ride_over_two_networks_costs_the_least_over_any_junction(ends: tuple[str, str]) -> None:
    """The oracle rides over each junction in turn, Meguro to Shirokane-Takanawa being of both networks."""
    day = date(2026, 5, 20)
    engine = FareEngine.from_folder(TARIFFS)
    book = FareBook(engine, TapRules.from_folder(TARIFFS), POLICY)
    one, other = (Stop(name.split(".")[0], f"demo:{name}") for name in ends)
    networks = {"Toei": "toei_subway", "TokyoMetro": "tokyo_metro"}
    junctions = engine.tariff_on(day).junctions[networks[one.operator_id], networks[other.operator_id]]
    prices = []
    for here, there in junctions:
        if here == ends[0].split(".")[2] or there == ends[1].split(".")[2]:
            continue
        ride = Journey(
            journey_id="",
            legs=(
                _leg(one, one.stop_id, _beside(one, here), minute=0),
                _leg(other, _beside(other, there), other.stop_id, minute=10),
            ),
            network_version="",
        )
        components = engine.price_rides(rides=[ride], rider=ADULT, medium=FareMedium.IC)
        prices.append(sum(each.amount.amount_minor for each in components))
    fares = book.price(Asked(day, ADULT, FareMedium.IC, ALONE), ((one, other),))
    assert fares is not None
    assert sum(fare.charged.amount_minor for fare in fares) == min(prices)


def _beside(stop: Stop, station: str) -> str:
    return f"{stop.stop_id.rsplit('.', 1)[0]}.{station}"


def _leg(stop: Stop, origin: str, destination: str, *, minute: int) -> Leg:
    at = datetime(2026, 5, 20, 12, minute, tzinfo=POLICY.clock.zone)
    return Leg(
        mode=Mode.RAIL,
        origin=Place(name=origin, lat=0, lon=0, stop_id=origin),
        destination=Place(name=destination, lat=0, lon=0, stop_id=destination),
        departs_at=at,
        arrives_at=at + timedelta(minutes=2),
        operator_id=stop.operator_id,
        route_id=route_of_stop(stop),
        service_date=at.date(),
    )
