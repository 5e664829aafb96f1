"""Caps: worked examples, and that no order of taps and no set of caps breaks them."""

from datetime import date, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maas.fares.caps import apply_caps
from maas.fares.charged import FareCharged, Part, ServiceClock
from maas.fares.engine import FareEngine
from maas.fares.tables import CapRow
from maas.prices import RiderCategory
from tests.support.fares import ADULT, CHILD, INFANT, TARIFFS, TOKYO

CLOCK = ServiceClock(zone=TOKYO)
MONDAY = datetime(2026, 5, 18, 8, 0, tzinfo=TOKYO)


def cap(cap_id: str, period: str, networks: str, adult: int) -> CapRow:
    return CapRow(
        cap_id=cap_id,
        period=period,  # type: ignore[arg-type]  # the strategies give day or week
        networks=networks,
        adult_minor=adult,
        child_minor=adult // 2,
        name=cap_id,
        name_en=cap_id,
        valid_from=date(2026, 4, 1),
        valid_to=None,
        source="test",
    )


def fare(name: str, amount: int, *networks: str, minutes: int = 0, is_maximum: bool = False) -> FareCharged:
    return FareCharged(
        fare_id=name,
        entered_at=MONDAY + timedelta(minutes=minutes),
        amount_minor=amount,
        parts=() if is_maximum else tuple(Part(network_id=each, alone_minor=amount) for each in networks),
        shares={"Op": amount},
        text=name,
        text_en=name,
        is_maximum=is_maximum,
    )


def charges(
    fares: list[FareCharged], caps: list[CapRow], rider: RiderCategory = ADULT
) -> list[tuple[str, int, str | None]]:
    capped = apply_caps(fares, caps_on=lambda _day: tuple(caps), rider=rider, clock=CLOCK)
    return [
        (each.fare.fare_id, each.charge_minor, each.applied.cap.cap_id if each.applied else None)
        for each in capped
    ]


DAY_900 = cap("day", "day", "m t", 900)


def test_a_day_stops_at_its_cap() -> None:
    fares = [
        fare("a", 430, "m"),
        fare("b", 430, "t", minutes=60),
        fare("c", 178, "m", minutes=120),
        fare("d", 178, "m", "t", minutes=180),
        fare("e", 210, "bus", minutes=200),
        fare("next", 178, "m", minutes=24 * 60),
    ]
    expected = [
        ("a", 430, None),
        ("b", 430, None),
        ("c", 40, "day"),
        ("d", 0, "day"),
        ("e", 210, None),
        ("next", 178, None),
    ]
    assert charges(fares, [DAY_900]) == expected
    assert charges(fares[::-1], [DAY_900]) == expected


def test_a_maximum_fare_is_charged_whole_and_fills_no_cap() -> None:
    fares = [
        fare("max", 800, is_maximum=True),
        fare("a", 500, "m", minutes=1),
        fare("b", 500, "m", minutes=2),
    ]
    assert charges(fares, [DAY_900]) == [("max", 800, None), ("a", 500, None), ("b", 400, "day")]


def test_the_best_cap_applies_and_the_others_are_recorded() -> None:
    small = cap("small", "day", "m", 300)
    (capped,) = apply_caps(
        [fare("a", 1000, "m")], caps_on=lambda _day: (DAY_900, small), rider=ADULT, clock=CLOCK
    )
    assert capped.charge_minor == 300
    assert capped.applied is not None
    assert (capped.applied.cap.cap_id, capped.applied.reduction_minor) == ("small", 700)
    assert [(each.cap.cap_id, each.reduction_minor) for each in capped.recorded] == [("day", 100)]
    assert "small 700円引き → 300円" in capped.text
    assert "takes off 700 yen: 300 yen" in capped.text_en


def test_the_service_day_ends_at_four_in_the_morning() -> None:
    late = [fare("a", 900, "m"), fare("03:59", 100, "m", minutes=19 * 60 + 59)]
    assert charges(late, [DAY_900])[1] == ("03:59", 0, "day")
    assert charges([late[0], fare("04:00", 100, "m", minutes=20 * 60)], [DAY_900])[1] == ("04:00", 100, None)


def test_a_week_counts_what_its_days_were_charged() -> None:
    week = cap("week", "week", "m t", 2000)
    fares = [fare(f"{day}{n}", 600, "m", minutes=day * 1440 + n) for day in range(8) for n in range(2)]
    by_day = [amount for _, amount, _ in charges(fares, [DAY_900, week])]
    # 600 + 300 on Monday and Tuesday, 200 on Wednesday; nothing to Sunday; the next Monday begins anew.
    assert by_day == [600, 300, 600, 300, 200, *[0] * 9, 600, 300]


def test_children_stop_at_half_and_infants_have_no_cap() -> None:
    fares = [fare("a", 430, "m"), fare("b", 430, "m", minutes=1)]
    assert [amount for _, amount, _ in charges(fares, [DAY_900], CHILD)] == [430, 20]
    assert [amount for _, amount, _ in charges(fares, [DAY_900], INFANT)] == [430, 430]


NETWORKS = st.sets(st.sampled_from("abc"), min_size=1).map(sorted)


@given(
    st.lists(st.tuples(st.integers(0, 900), NETWORKS, st.integers(0, 12 * 1440), st.booleans()), max_size=25),
    st.lists(
        st.tuples(st.sampled_from(["day", "week"]), NETWORKS, st.integers(0, 2500)), min_size=1, max_size=4
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=150, deadline=None)
def test_no_cap_is_exceeded_in_whatever_order_the_taps_come(
    rides: list[tuple[int, list[str], int, bool]],
    given_caps: list[tuple[str, list[str], int]],
    random: Random,
) -> None:
    fares = [
        fare(str(place), amount, *networks, minutes=at, is_maximum=is_maximum)
        for place, (amount, networks, at, is_maximum) in enumerate(rides)
    ]
    caps = [
        cap(str(place), period, " ".join(networks), amount)
        for place, (period, networks, amount) in enumerate(given_caps)
    ]
    paid = {name: amount for name, amount, _ in charges(fares, caps)}
    shuffled = list(fares)
    random.shuffle(shuffled)
    assert {name: amount for name, amount, _ in charges(shuffled, caps)} == paid
    for each in fares:
        assert 0 <= paid[each.fare_id] <= each.amount_minor
        if each.is_maximum:
            assert paid[each.fare_id] == each.amount_minor
    for row in caps:
        sums: dict[date, int] = {}
        for each in fares:
            if not each.is_maximum and each.networks <= set(row.networks.split()):
                local = each.entered_at - timedelta(hours=4)  # Tokyo has no summer time
                day = local.date()
                start = day if row.period == "day" else day - timedelta(days=day.weekday())
                sums[start] = sums.get(start, 0) + paid[each.fare_id]
        assert all(total <= row.adult_minor for total in sums.values())


def test_the_caps_of_the_demonstration_city() -> None:
    engine = FareEngine.from_folder(TARIFFS)
    fares = [fare(str(n), 430, "toei_subway", minutes=n) for n in range(3)]
    capped = apply_caps(fares, caps_on=engine.list_caps, rider=ADULT, clock=CLOCK)
    assert [each.charge_minor for each in capped] == [430, 270, 0]
    assert capped[1].applied is not None
    assert capped[1].applied.cap.cap_id == "toei_day"
    assert engine.list_caps(date(2026, 3, 31)) == ()


def test_shares_of_a_fare_must_sum_to_it() -> None:
    with pytest.raises(AssertionError, match="shares"):
        FareCharged(
            fare_id="x", entered_at=MONDAY, amount_minor=1, parts=(), shares={"a": 2}, text="", text_en=""
        )
