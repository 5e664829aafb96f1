import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from maas.taps import (
    Ride,
    RideState,
    Tap,
    TapKind,
    adds_to_rides,
    earned_at,
    is_earned,
    pair_rides,
    service_date_of,
)
from maas.tickets.ticket import Entitlement, operator_code, place_code
from tests.support.tickets import BUS, OEDO, SHIP, TOKAI, TOKYO, U, issue, night_trip, tokyo_time

ENTER, EXIT, SCAN = TapKind.ENTER, TapKind.EXIT, TapKind.SCAN
TRIP = issue(night_trip())[0].ticket.entitlements
ISLAND_BUS = "1010001131230"


def tap(kind: TapKind, operator: str, stop: str, clock: str, *, device: str = "d", sequence: int = 0) -> Tap:
    moment = tokyo_time(20, clock)
    return Tap(
        device_id=device,
        sequence=sequence or int(moment.timestamp()),
        tapped_at=moment,
        kind=kind,
        operator_id=operator,
        stop_id=f"demo:{stop}",
    )


EVENING = [
    tap(ENTER, "Toei", "Toei.Oedo.Tochomae", "20:31"),
    tap(EXIT, "Toei", "Toei.Oedo.Shiodome", "20:57"),
    tap(ENTER, "Yurikamome", "Yurikamome.Yurikamome.Shiodome", "21:00"),
    tap(EXIT, "Yurikamome", "Yurikamome.Yurikamome.Takeshiba", "21:05"),
    tap(SCAN, TOKAI, "[05]東京・竹芝", "21:40"),
    tap(SCAN, ISLAND_BUS, "116_01", "30:20"),
]


def states(rides: tuple[Ride, ...]) -> dict[int, str]:
    return {ride.entitlement_index: ride.state.value for ride in rides}


def test_an_evening_of_gates_a_pier_and_a_bus() -> None:
    rides = pair_rides(EVENING, TRIP)
    assert states(rides) == dict.fromkeys((OEDO, U, SHIP, BUS), "complete")
    assert [(ride.began, ride.ended) for ride in rides] == [
        (EVENING[0], EVENING[1]),
        (EVENING[2], EVENING[3]),
        (EVENING[4], EVENING[4]),
        (EVENING[5], EVENING[5]),
    ]


def test_half_known_rides_are_earned_when_the_service_day_is_over() -> None:
    begun = pair_rides(EVENING[:1], TRIP)
    ended = pair_rides(EVENING[3:4], TRIP)
    assert states(begun) == {OEDO: "begun"}
    assert states(ended) == {U: "ended"}
    assert earned_at(begun[0], zone=TOKYO) == tokyo_time(21, "04:00")
    assert not is_earned(begun[0], now=tokyo_time(21, "03:59"), zone=TOKYO)
    assert is_earned(begun[0], now=tokyo_time(21, "04:00"), zone=TOKYO)
    # 01:10 at night belongs to the day before: over at 04:00 of the same morning.
    late = pair_rides([tap(ENTER, "Toei", "Toei.Oedo.Tochomae", "25:10")], TRIP)
    assert earned_at(late[0], zone=TOKYO) == tokyo_time(21, "04:00")


def test_a_second_try_at_the_gate_is_not_a_second_ride() -> None:
    two_buses = (Entitlement(operator_code=operator_code("B"), fare_index=0, class_code=0),) * 2
    scans = [tap(SCAN, "B", "stop", clock) for clock in ("08:00", "08:01")]
    assert len(pair_rides(scans, two_buses)) == 1
    # 120 s later, or another stop at once, is another boarding.
    assert len(pair_rides([scans[0], tap(SCAN, "B", "stop", "08:02")], two_buses)) == 2
    assert len(pair_rides([scans[0], tap(SCAN, "B", "elsewhere", "08:01")], two_buses)) == 2


def test_an_exit_elsewhere_does_not_complete_the_ride() -> None:
    rides = pair_rides([EVENING[0], tap(EXIT, "Toei", "Toei.Oedo.Roppongi", "20:57")], TRIP)
    assert states(rides) == {OEDO: "begun"}


def test_the_exit_decides_which_of_two_fares_from_one_station_was_ridden() -> None:
    def fare(index: int, destination: str) -> Entitlement:
        return Entitlement(
            operator_code=operator_code("Toei"),
            fare_index=index,
            class_code=0,
            origin_code=place_code("Toei", "demo:Toei.Oedo.Tochomae"),
            destination_code=place_code("Toei", f"demo:Toei.Oedo.{destination}"),
        )

    two = (fare(0, "Daimon"), fare(1, "Shiodome"))
    assert states(pair_rides(EVENING[:2], two)) == {1: "complete"}


def test_nothing_is_ridden_twice_or_at_strangers() -> None:
    again = [*EVENING, *(tap(SCAN, TOKAI, "[05]東京・竹芝", f"{hour}:00") for hour in (22, 23))]
    assert states(pair_rides(again, TRIP)) == states(pair_rides(EVENING, TRIP))
    assert pair_rides([tap(SCAN, "Keio", "x", "08:00")], TRIP) == ()


STOPS = {
    "Toei": ["Toei.Oedo.Tochomae", "Toei.Oedo.Shiodome", "Toei.Oedo.Daimon"],
    "B": ["one", "two"],
}
TAPS = st.builds(
    lambda kind, operator, stop, minute, device: tap(
        kind,
        operator,
        STOPS[operator][stop % len(STOPS[operator])],
        f"{minute // 60}:{minute % 60}",
        device=device,
        sequence=minute + 1,
    ),
    st.sampled_from([ENTER, EXIT, SCAN]),
    st.sampled_from(["Toei", "B"]),
    st.integers(0, 2),
    st.integers(0, 200),
    st.sampled_from(["a", "b"]),
)
CODES = st.sampled_from(STOPS["Toei"]).map(lambda stop: place_code("Toei", f"demo:{stop}"))
FARES = st.one_of(
    st.builds(
        Entitlement,
        operator_code=st.just(operator_code("Toei")),
        fare_index=st.integers(0, 6),
        class_code=st.just(0),
        origin_code=CODES,
        destination_code=CODES,
    ),
    st.builds(
        Entitlement,
        operator_code=st.just(operator_code("B")),
        fare_index=st.integers(0, 6),
        class_code=st.just(0),
    ),
)


@settings(max_examples=200, deadline=None)
@given(
    taps=st.lists(TAPS, max_size=10, unique_by=lambda tap: (tap.device_id, tap.sequence)),
    fares=st.lists(FARES, max_size=5),
    seed=st.integers(0, 2**32),
)
def test_any_order_and_repetition_ends_in_the_same_rides(
    taps: list[Tap], fares: list[Entitlement], seed: int
) -> None:
    expected = pair_rides(taps, tuple(fares))
    shuffled = [*taps, *random.Random(seed).choices(taps, k=5)] if taps else []
    random.Random(seed).shuffle(shuffled)
    assert pair_rides(shuffled, tuple(fares)) == expected
    indices = [ride.entitlement_index for ride in expected]
    assert len(set(indices)) == len(indices)
    for ride in expected:
        assert (ride.began is None) == (ride.state is RideState.ENDED)
        assert (ride.ended is None) == (ride.state is RideState.BEGUN)
        if ride.began and ride.ended:
            assert ride.ended.tapped_at - ride.began.tapped_at >= timedelta(0)


@settings(max_examples=200, deadline=None)
@given(
    taps=st.lists(TAPS.map(lambda tap: replace(tap, kind=SCAN)), min_size=1, max_size=9),
    fares=st.lists(FARES),
)
def test_a_late_scan_never_takes_a_ride_away(taps: list[Tap], fares: list[Entitlement]) -> None:
    before = {ride.entitlement_index for ride in pair_rides(taps[1:], tuple(fares))}
    after = {ride.entitlement_index for ride in pair_rides(taps, tuple(fares))}
    assert before <= after


def test_a_service_day_runs_from_four_to_four() -> None:
    for day, clock, expected in ((20, "03:59", 19), (20, "04:00", 20), (20, "27:59", 20), (20, "28:00", 21)):
        assert service_date_of(tokyo_time(day, clock), zone=TOKYO).day == expected
    # The zone decides, not the offset the instant happens to be written in: 20:00 UTC is 05:00 in Tokyo.
    assert service_date_of(datetime(2026, 5, 20, 20, tzinfo=UTC), zone=TOKYO).day == 21


def test_a_copy_adds_nothing_though_its_device_comes_first_in_the_alphabet() -> None:
    later = tap(SCAN, TOKAI, "[05]東京・竹芝", "21:40", device="z")
    copy = tap(SCAN, TOKAI, "[05]東京・竹芝", "21:40", device="a")
    assert adds_to_rides(later, [], TRIP)
    assert not adds_to_rides(copy, [later], TRIP)
    # An entry that comes after its exit completes the ride; another exit does not.
    entry, leaving = EVENING[0], EVENING[1]
    assert adds_to_rides(entry, [leaving], TRIP)
    assert not adds_to_rides(replace(leaving, device_id="a"), [entry, leaving], TRIP)
