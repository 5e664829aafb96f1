"""The best-fare promise against brute force, and by hand on the city's own passes."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maas.fares.best_fare import find_cheapest, last_day_of
from maas.fares.caps import apply_caps
from maas.fares.charged import FareCharged, Part, ServiceClock, list_fares_charged, product_price
from maas.fares.engine import FareEngine
from maas.fares.promise import keep_promise
from maas.fares.tables import PassRow
from maas.journeys import Leg
from tests.oracles.best_fare import cheapest_by_brute_force
from tests.support.fares import ADULT, CHILD, IC, INFANT, TARIFFS, TOKYO, journey, ride

CLOCK = ServiceClock(zone=TOKYO)
START = datetime(2026, 1, 29, 8, 0, tzinfo=TOKYO)


@pytest.fixture(scope="module")
def engine() -> FareEngine:
    return FareEngine.from_folder(TARIFFS)


def pass_row(
    pass_id: str,
    unit: str,
    count: int,
    networks: str,
    adult: int,
    *,
    first: date = date(2000, 1, 1),
    last: date | None = None,
) -> PassRow:
    return PassRow(
        pass_id=pass_id,
        unit=unit,  # type: ignore[arg-type]  # the strategies give hour, day or month
        count=count,
        networks=networks,
        adult_minor=adult,
        child_minor=None,
        in_promise=1,
        name=pass_id,
        name_en=pass_id,
        valid_from=first,
        valid_to=last,
        source="test",
    )


def charged_fare(name: str, at: datetime, alone: dict[str, int], discount: int = 0) -> FareCharged:
    amount = sum(alone.values()) - discount
    return FareCharged(
        fare_id=name,
        entered_at=at,
        amount_minor=amount,
        parts=tuple(Part(network_id=each, alone_minor=cost) for each, cost in alone.items()),
        shares={"A": amount // 3, "B": amount - amount // 3},
        text=name,
        text_en=name,
    )


PassDrawn = tuple[tuple[str, int], str, int, int | None]
FareDrawn = tuple[int, dict[str, int], int]
NETWORKS = st.sets(st.sampled_from("abc"), min_size=1)
PASS = st.tuples(
    st.sampled_from([("hour", 24), ("hour", 3), ("day", 1), ("day", 2), ("month", 1)]),
    NETWORKS.map(lambda names: " ".join(sorted(names))),
    st.integers(1, 1200),
    st.sampled_from([None, None, 0, 1]),
)
FARE = st.tuples(
    st.integers(0, 40),
    st.dictionaries(st.sampled_from("abc"), st.integers(50, 500), min_size=1, max_size=2),
    st.integers(0, 60),
)


@given(st.lists(PASS, min_size=1, max_size=3), st.lists(FARE, min_size=1, max_size=4))
@settings(max_examples=250, deadline=None)
def test_the_cheapest_is_the_cheapest_of_all(passes: list[PassDrawn], made: list[FareDrawn]) -> None:
    """`month` over a month's end, versions that end within the period, passes that overlap."""
    rows: list[PassRow] = []
    for place, ((unit, count), networks, price, ends) in enumerate(passes):
        last = None if ends is None else START.date() + timedelta(days=ends)
        rows.append(pass_row(str(place), unit, count, networks, price, last=last))
        if last is not None:
            # The next version of the same pass costs more, or less.
            dearer = pass_row(
                str(place), unit, count, networks, price * 3 % 1201, first=last + timedelta(days=1)
            )
            rows.append(dearer)
    fares = [
        charged_fare(str(place), START + timedelta(hours=hours * 3), alone, discount * (len(alone) > 1))
        for place, (hours, alone, discount) in enumerate(made)
    ]

    def passes_on(day: date) -> tuple[PassRow, ...]:
        return tuple(row for row in rows if row.is_valid_on(day))

    found = find_cheapest(fares, passes_on=passes_on, rider=ADULT, clock=CLOCK)
    expected = cheapest_by_brute_force(fares, rows, lambda row: product_price(row, ADULT), CLOCK.day_of)
    assert found.total_minor == expected
    assert found.total_minor == sum(each.price_minor for each in found.purchases) + sum(
        found.left_minor.values()
    )


def test_hours_count_from_the_first_entry_and_days_end_at_four() -> None:
    rows = (pass_row("24h", "hour", 24, "a", 500),)
    inside = [charged_fare(str(h), START + timedelta(hours=h), {"a": 400}) for h in (0, 23)]
    beyond = [*inside, charged_fare("24", START + timedelta(hours=24), {"a": 400})]
    assert find_cheapest(inside, passes_on=lambda _: rows, rider=ADULT, clock=CLOCK).total_minor == 500
    assert find_cheapest(beyond, passes_on=lambda _: rows, rider=ADULT, clock=CLOCK).total_minor == 900
    day = (pass_row("day", "day", 1, "a", 500),)
    late = [
        charged_fare(str(h), START + timedelta(hours=h), {"a": 400}) for h in (0, 19)
    ]  # 08:00 and 03:00 of the night
    assert find_cheapest(late, passes_on=lambda _: day, rider=ADULT, clock=CLOCK).total_minor == 500
    morning = [late[0], charged_fare("04:00", START + timedelta(hours=20), {"a": 400})]
    assert find_cheapest(morning, passes_on=lambda _: day, rider=ADULT, clock=CLOCK).total_minor == 800


@pytest.mark.parametrize(
    ("first", "last"),
    [("2026-01-31", "2026-02-28"), ("2026-12-15", "2027-01-14"), ("2028-01-31", "2028-02-29"),
     ("2026-11-30", "2026-12-29")],
)  # fmt: skip
def test_a_month_ends_the_day_before_its_day(first: str, last: str) -> None:
    row = pass_row("m", "month", 1, "a", 1)
    assert last_day_of(row, date.fromisoformat(first)) == date.fromisoformat(last)


def test_nothing_covers_a_maximum_fare_and_no_pass_is_sold_to_whom_it_is_not() -> None:
    rows = (pass_row("day", "day", 1, "a", 500),)
    unfinished = FareCharged(
        fare_id="m", entered_at=START, amount_minor=900, parts=(), shares={"A": 900},
        text="", text_en="", is_maximum=True,
    )  # fmt: skip
    assert find_cheapest([unfinished], passes_on=lambda _: rows, rider=ADULT, clock=CLOCK).total_minor == 900
    ridden = [charged_fare(str(n), START + timedelta(hours=n), {"a": 400}) for n in range(2)]
    for rider in (CHILD, INFANT):  # this pass has no child's price
        assert find_cheapest(ridden, passes_on=lambda _: rows, rider=rider, clock=CLOCK).total_minor == 800
    assert find_cheapest([], passes_on=lambda _: rows, rider=ADULT, clock=CLOCK).total_minor == 0


def fares_of(engine: FareEngine, *journeys: tuple[Leg, ...]) -> list[FareCharged]:
    fares: list[FareCharged] = []
    for place, legs in enumerate(journeys):
        ridden = journey(*legs)
        price = engine.price(journey=ridden, rider=ADULT, medium=IC)
        fares += list_fares_charged(engine, ride_id=str(place), journey=ridden, price=price)
    return fares


METRO = "TokyoMetro.Marunouchi"
OEDO = "Toei.Oedo"


def test_a_day_in_tokyo_is_given_back_what_the_day_ticket_saves(engine: FareEngine) -> None:
    fares = fares_of(
        engine,
        (ride(OEDO, "Tochomae", "Daimon", at="8:00"),),  # 220
        (ride(OEDO, "Daimon", "Tochomae", at="9:00"),),  # 220
        (ride(OEDO, "Hikarigaoka", "Tochomae", at="10:00"),),  # 272
        (ride("ToeiBus.A", "=a", "=b", operator="ToeiBus", at="12:00"),),  # 210
        (ride("Yurikamome.Yurikamome", "Shimbashi", "Daiba", at="13:00"),),  # 325
    )
    assert sum(fare.amount_minor for fare in fares) == 1247
    uncapped = apply_caps(fares, caps_on=lambda _: (), rider=ADULT, clock=CLOCK)
    refund = keep_promise(uncapped, passes_on=engine.list_passes, rider=ADULT, clock=CLOCK)
    # 都営まるごときっぷ 700 for the subway and the bus, and the Yurikamome's 325: 1,247 - 1,025.
    assert refund.amount_minor == 222
    assert [each.row.pass_id for each in refund.best.purchases] == ["toei_marugoto"]
    # Toei's subway earned 712 of the 922 covered, its bus 210: 222 in that proportion, 171.4 : 50.6.
    assert refund.borne == {"Toei": 171, "ToeiBus": 51}
    assert "都営まるごときっぷ 700円" in " ".join(refund.lines)
    assert refund.lines_en[-1] == "cheapest combination 1025 yen, refund 222 yen"
    # With the daily cap nothing is left to give back: the cap stopped Toei at 700 already.
    capped = apply_caps(fares, caps_on=engine.list_caps, rider=ADULT, clock=CLOCK)
    assert keep_promise(capped, passes_on=engine.list_passes, rider=ADULT, clock=CLOCK).amount_minor == 0


def test_a_joint_fare_half_covered_leaves_the_other_half_alone(engine: FareEngine) -> None:
    there = (
        ride(METRO, "Shinjuku", "Yotsuya", at="8:00"),
        ride("TokyoMetro.Namboku", "Yotsuya", "Ichigaya", at="8:20"),
        ride("Toei.Shinjuku", "Ichigaya", "BakuroYokoyama", at="8:40"),
    )
    metro_rides = [(ride(METRO, "Ogikubo", "Otemachi", at=f"{hour}:00"),) for hour in (10, 11, 12, 13)]
    many = fares_of(engine, there, *metro_rides)
    fare = many[0]
    metro, toei = fare.parts
    assert (metro.network_id, toei.network_id) == ("tokyo_metro", "toei_subway")
    # The joint fare follows the cheapest path, 178 + 178 - 70; the parts alone follow the way ridden.
    assert (fare.amount_minor, metro.alone_minor, toei.alone_minor) == (286, 178, 220)
    best = find_cheapest(many, passes_on=engine.list_passes, rider=ADULT, clock=CLOCK)
    # The common day ticket costs 900; Metro's 24 hours and Toei's 220 would cost 920.
    assert [each.row.pass_id for each in best.purchases] == ["metro_toei_day"]

    def metro_only(day: date) -> tuple[PassRow, ...]:
        return tuple(row for row in engine.list_passes(day) if row.networks == "tokyo_metro")

    best = find_cheapest(many, passes_on=metro_only, rider=ADULT, clock=CLOCK)
    assert best.total_minor == 700 + 220
    assert best.left_minor[fare.fare_id] == toei.alone_minor == 220


def test_a_week_counts_what_its_days_gave_back(engine: FareEngine) -> None:
    monday = date(2026, 5, 18)
    days = [
        fares_of(
            engine,
            *[
                (
                    ride(
                        "ToeiBus.A",
                        "=a",
                        "=b",
                        operator="ToeiBus",
                        at=f"{h}:00",
                        day=monday + timedelta(days=d),
                    ),
                )
                for h in range(6, 18, 2)
            ],
        )
        for d in range(7)
    ]  # six buses a day: 1,260 a day
    week = [
        charged
        for d, fares in enumerate(days)
        for charged in apply_caps(
            [_renamed(fare, f"{d}/{fare.fare_id}") for fare in fares],
            caps_on=lambda _: (),
            rider=ADULT,
            clock=CLOCK,
        )
    ]
    by_day = [
        keep_promise(week[d * 6 : d * 6 + 6], passes_on=engine.list_passes, rider=ADULT, clock=CLOCK)
        for d in range(7)
    ]
    assert [refund.amount_minor for refund in by_day] == [760] * 7  # 1,260 - 500
    given = sum(refund.amount_minor for refund in by_day)
    whole = keep_promise(
        week, passes_on=engine.list_passes, rider=ADULT, clock=CLOCK, refunded_before_minor=given
    )
    assert whole.best.total_minor == 3500  # seven day passes; a month costs 9,450
    assert whole.amount_minor == 0


def _renamed(fare: FareCharged, name: str) -> FareCharged:
    return FareCharged(
        fare_id=name, entered_at=fare.entered_at, amount_minor=fare.amount_minor, parts=fare.parts,
        shares=fare.shares, text=fare.text, text_en=fare.text_en,
    )  # fmt: skip


@given(
    st.lists(FARE, min_size=1, max_size=8),
    st.lists(PASS, max_size=4),
    st.integers(0, 300),
)
@settings(max_examples=100, deadline=None)
def test_after_the_refund_nobody_paid_more_than_the_cheapest(
    made: list[FareDrawn], passes: list[PassDrawn], before: int
) -> None:
    rows = tuple(
        pass_row(str(place), unit, count, networks, price)
        for place, ((unit, count), networks, price, _) in enumerate(passes)
    )
    fares = [
        charged_fare(str(place), START + timedelta(hours=hours * 3), alone, discount * (len(alone) > 1))
        for place, (hours, alone, discount) in enumerate(made)
    ]
    charges = apply_caps(fares, caps_on=lambda _: (), rider=ADULT, clock=CLOCK)
    refund = keep_promise(
        charges, passes_on=lambda _: rows, rider=ADULT, clock=CLOCK, refunded_before_minor=before
    )
    assert refund.amount_minor >= 0
    assert refund.charged_minor - before - refund.amount_minor <= refund.best.total_minor
    assert sum(refund.borne.values()) == refund.amount_minor
    assert all(part >= 0 for part in refund.borne.values())
    # More passes to choose from never make it dearer.
    fewer = find_cheapest(fares, passes_on=lambda _: rows[:1], rider=ADULT, clock=CLOCK)
    assert refund.best.total_minor <= fewer.total_minor
