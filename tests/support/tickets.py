"""A key, a key list, and tickets for tests."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from maas.fares.engine import FareEngine
from maas.journeys import Journey, Mode
from maas.prices import RiderCategory
from maas.tickets.issue import IssuedTicket, issue_tickets
from maas.tickets.keys import KeyList, SigningKey
from tests.support.fares import ADULT, APP, TARIFFS, journey, ride, walk

TOKYO = ZoneInfo("Asia/Tokyo")
ORDER = UUID("2f9c1e4a-77aa-4c55-9d0b-0d7a4b1c2d3e")
KEY = SigningKey.generate(
    key_id=7,
    valid_from=datetime(2026, 1, 1, tzinfo=UTC),
    valid_until=datetime(2027, 1, 1, tzinfo=UTC),
)
KEYS = KeyList.of(KEY.public)
ENGINE = FareEngine.from_folder(TARIFFS)
TOKAI = "3010401020097"
OEDO, U, SHIP, BUS = 0, 1, 2, 3  # component indices of the first rider


def night_trip() -> Journey:
    """都庁前 20:34 -> 汐留 -> 竹芝 -> 22:00 ship -> 岡田 06:00 -> bus -> 元町."""
    return journey(
        ride("Toei.Oedo", "Tochomae", "Shiodome", at="20:34", minutes=21),
        walk(),
        ride("Yurikamome.Yurikamome", "Shiodome", "Takeshiba", at="21:01", minutes=3),
        walk(),
        ride(
            "[13]東京", "=[05]東京・竹芝", "=[12]大島",
            operator=TOKAI, at="22:00", minutes=480, mode=Mode.FERRY,
        ),
        ride(
            "Oshima.KoenLine", "=116_01", "=101_01",
            operator="1010001131230", at="30:20", minutes=17, mode=Mode.BUS,
        ),
    )  # fmt: skip


def issue(
    trip: Journey, *riders: RiderCategory, order_id: UUID = ORDER, key: SigningKey = KEY
) -> list[IssuedTicket]:
    """The tickets of a trip, priced by the tariff."""
    prices = [
        ENGINE.price(journey=trip, rider=rider, medium=APP, fare_class=None) for rider in riders or (ADULT,)
    ]
    return issue_tickets(order_id=order_id, journey=trip, prices=prices, key=key, zone=TOKYO)


def tokyo_time(day: int, clock: str) -> datetime:
    """An instant of May 2026 on Tokyo's clocks; hours beyond 24 run on."""
    hours, minutes = clock.split(":")
    return datetime(2026, 5, day, tzinfo=TOKYO) + timedelta(hours=int(hours), minutes=int(minutes))
