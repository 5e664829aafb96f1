"""What a book remembers is the answer for the day that is asked about."""

from datetime import date

from maas.account_travel.fare_book import Asked, FareBook
from maas.account_travel.policy import TapRules
from maas.account_travel.rides import Stop
from maas.fares.engine import FareEngine
from maas.fares.riders import ALONE
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
