"""Account-based travel for tests, written as taps: `08:00 in Toei.Oedo.Tochomae`."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from maas.account_travel.charges import WeekRating, rate_week
from maas.account_travel.fare_book import FareBook
from maas.account_travel.media import Medium, MediumKind, PaidBy
from maas.account_travel.policy import TapRules, TravelPolicy
from maas.account_travel.rides import Stop
from maas.fares.charged import ServiceClock
from maas.fares.engine import FareEngine
from maas.taps import Tap, TapKind
from tests.support.fares import TARIFFS, TOKYO

MONDAY = date(2026, 5, 18)
POLICY = TravelPolicy(clock=ServiceClock(zone=TOKYO))
LONG_AGO = datetime(2026, 1, 1, tzinfo=TOKYO)
KINDS = {"in": TapKind.ENTER, "out": TapKind.EXIT, "on": TapKind.SCAN}
BOOK = FareBook(FareEngine.from_folder(TARIFFS), TapRules.from_folder(TARIFFS), POLICY)
CARD = Medium(
    medium_ref="ic-0123456789abcdef",
    kind=MediumKind.IC_CARD,
    payers=(PaidBy(since=LONG_AGO, customer_id="hanako"),),
)


def at(clock: str, day: date = MONDAY) -> datetime:
    """An instant of a service day; hours beyond 24 stay with it."""
    hours, minutes, *seconds = (int(part) for part in clock.split(":"))
    start = datetime(day.year, day.month, day.day, tzinfo=TOKYO)
    return start + timedelta(hours=hours, minutes=minutes, seconds=sum(seconds))


def stop(name: str) -> Stop:
    """A stop of feed `demo`; its operator is the name's first part."""
    return Stop(operator_id=name.split(".", maxsplit=1)[0], stop_id=f"demo:{name}")


def tap(line: str, day: date = MONDAY, device: str | None = None) -> Tap:
    """`08:00 in Toei.Oedo.Tochomae`. The device is the place's, its sequence the second of the day."""
    clock, kind, name = line.split()
    instant = at(clock, day)
    where = stop(name)
    return Tap(
        device_id=device or f"{kind}-{name}",
        sequence=int(instant.timestamp()),
        tapped_at=instant,
        kind=KINDS[kind],
        operator_id=where.operator_id,
        stop_id=where.stop_id,
    )


def taps(text: str, day: date = MONDAY) -> list[Tap]:
    """A line a tap."""
    return [tap(line.strip(), day) for line in text.strip().splitlines()]


def rate(
    made: Iterable[Tap],
    *,
    medium: Medium = CARD,
    closed_through: date = MONDAY - timedelta(days=1),
    **more: object,
) -> WeekRating:
    """Rate the week; by default its days are not over."""
    return rate_week(medium, MONDAY, made, BOOK, closed_through=closed_through, **more)  # type: ignore[arg-type]


def charges(rating: WeekRating) -> list[int]:
    """What each fare is charged, in the order of entry."""
    ordered = sorted(rating.fares, key=lambda each: (each.fare.began_at, each.fare.charged.fare_id))
    return [each.capped.charge_minor for each in ordered]


def owed(rating: WeekRating) -> int:
    """What the week costs whoever pays."""
    return sum(each.amount_minor for each in rating.list_owed().values())
