"""The core law: rides and charges are a function of the set of taps, however, and however late, they came."""

import random
from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from maas.account_travel.charges import Owed, OwedBy, list_differences
from maas.account_travel.endings import Correction, CorrectionKind
from maas.account_travel.rides import RideState, key_of, list_rides, split_by_day, stop_of
from maas.taps import Tap
from tests.support.travel import BOOK, MONDAY, POLICY, rate, stop, tap

GATES = [
    "Toei.Oedo.Tochomae",
    "Toei.Oedo.Daimon",
    "Toei.Asakusa.Oshiage",
    "Toei.Shinjuku.Ichigaya",
    "TokyoMetro.Namboku.Ichigaya",
    "TokyoMetro.Marunouchi.Shinjuku",
    "Yurikamome.Yurikamome.Takeshiba",
]
BUSES = ["ToeiBus.A", "ToeiBus.B"]
WEEK_OVER = MONDAY + timedelta(days=7)

lines = st.builds(
    lambda minute, kind, gate, bus, day: tap(
        f"{minute // 60:02}:{minute % 60:02} {kind} {bus if kind == 'on' else gate}",
        MONDAY + timedelta(days=day),
    ),
    st.integers(4 * 60, 30 * 60),
    st.sampled_from(["in", "out", "on"]),
    st.sampled_from(GATES),
    st.sampled_from(BUSES),
    st.integers(0, 6),
)


@given(st.lists(lines, max_size=24), st.randoms(use_true_random=False))
def test_any_order_and_repetition_of_the_same_taps_rates_alike(
    made: list[Tap], shuffler: random.Random
) -> None:
    again = made + shuffler.sample(made, len(made) // 2)
    shuffler.shuffle(again)
    assert rate(again, closed_through=WEEK_OVER) == rate(made, closed_through=WEEK_OVER)


@given(st.lists(lines, max_size=24), st.integers(0, 5), st.randoms(use_true_random=False))
def test_what_was_posted_differs_by_corrections_only(
    made: list[Tap], cuts: int, shuffler: random.Random
) -> None:
    """Taps arrive in any parts, days close in between; each time the difference is posted."""
    arriving = list(made)
    shuffler.shuffle(arriving)
    bounds = sorted(shuffler.randint(0, len(arriving)) for _ in range(cuts))
    posted: OwedBy = {}
    for day, bound in enumerate([*bounds, len(arriving)]):
        closed = WEEK_OVER if bound == len(arriving) else MONDAY + timedelta(days=day - 1)
        for key, difference in list_differences(
            rate(arriving[:bound], closed_through=closed).list_owed(), posted
        ).items():
            posted[key] = add(posted.get(key, Owed()), difference)
    final = rate(arriving, closed_through=WEEK_OVER).list_owed()
    assert list_differences(final, posted) == {}
    assert sum(each.amount_minor for each in final.values()) >= 0


def add(one: Owed, other: Owed) -> Owed:
    """Written apart from the code's own subtraction."""
    operators = {*one.shares, *other.shares}
    shares = {each: one.shares.get(each, 0) + other.shares.get(each, 0) for each in operators}
    return Owed(one.amount_minor + other.amount_minor, {each: part for each, part in shares.items() if part})


@given(st.lists(lines, max_size=24))
def test_every_tap_is_in_at_most_one_ride_and_every_ride_in_a_fare_or_said_why_not(made: list[Tap]) -> None:
    rating = rate(made, closed_through=WEEK_OVER)
    used = [
        key_of(tap) for ride in rating.rides for tap in (ride.ride.began, ride.ride.ended) if tap is not None
    ]
    assert len(used) == len(set(used))
    charged = {key for each in rating.fares for key in each.fare.rides}
    assert charged == {ride.key for ride in rating.rides} - rating.unpriced
    assert all(ride.state is not RideState.OPEN for ride in rating.rides)


@given(st.lists(lines, max_size=16), st.data())
def test_one_more_day_changes_no_other_day_rides(made: list[Tap], data: st.DataObject) -> None:
    """Rides of a day hang on that day's taps alone (and on an exit just past its end)."""
    days = split_by_day(made, POLICY)
    for day, mine in days.items():
        alone = split_by_day(mine, POLICY)
        assert alone.get(day, []) == mine or any(
            POLICY.clock.day_of(each.tapped_at) != day for each in mine
        ), data


# --- clocks -----------------------------------------------------------------------------------------------

# Real rides: from, to, minutes on the way, minutes until the next; the third begins a minute after the
# second ends, at a junction of two networks.
WAYS = [
    ("Toei.Oedo.Tochomae", "Toei.Oedo.Daimon"),
    ("TokyoMetro.Marunouchi.Shinjuku", "TokyoMetro.Namboku.Ichigaya"),
    ("Toei.Shinjuku.Ichigaya", "Toei.Asakusa.Oshiage"),
    ("Yurikamome.Yurikamome.Takeshiba", "Yurikamome.Yurikamome.Shiodome"),
]


@given(
    st.lists(
        st.tuples(st.sampled_from(range(len(WAYS))), st.integers(5, 60), st.integers(10, 90)), max_size=8
    ),
    st.dictionaries(
        st.sampled_from([f"{k}-{n}" for way in WAYS for k in ("in", "out") for n in way]),
        st.integers(-119, 119),
    ),
)
def test_clocks_two_minutes_off_make_the_same_rides(
    made: list[tuple[int, int, int]], drift_s: dict[str, int]
) -> None:
    minute, truth, drifted = 6 * 60, [], []
    for index, (way, ridden, pause) in enumerate(made):
        origin, destination = WAYS[way]
        pair = []
        for kind, name, when in (("in", origin, minute), ("out", destination, minute + ridden)):
            true = tap(f"{when // 60:02}:{when % 60:02} {kind} {name}")
            off = timedelta(seconds=drift_s.get(true.device_id, 0))
            pair.append(
                Tap(
                    device_id=true.device_id,
                    sequence=index,
                    tapped_at=true.tapped_at + off,
                    kind=true.kind,
                    operator_id=true.operator_id,
                    stop_id=true.stop_id,
                )
            )
        truth.append((key_of(pair[0]), key_of(pair[1])))
        drifted += pair
        follows = index + 1 < len(made) and (way, made[index + 1][0]) == (1, 2)
        minute += ridden + (1 if follows else pause)
    found = [
        (ride.began and key_of(ride.began), ride.ended and key_of(ride.ended))
        for day, day_taps in split_by_day(drifted, POLICY).items()
        for ride in list_rides(
            day_taps,
            POLICY,
            is_interchange=lambda a, b, day=day: BOOK.is_interchange(day, stop_of(a), stop_of(b)),
        )
    ]
    assert sorted(found, key=str) == sorted(truth, key=str)


# --- corrections ------------------------------------------------------------------------------------------


@given(st.lists(lines, min_size=1, max_size=12), st.data())
def test_a_late_exit_takes_the_place_of_a_correction(made: list[Tap], data: st.DataObject) -> None:
    """Whether the real exit or the traveller's word came first, the ride ends at the real exit."""
    entry = data.draw(st.sampled_from(made))
    said = Correction(
        correction_id=UUID(int=1),
        tap=key_of(entry),
        kind=CorrectionKind.COMPLETE,
        stop=stop("Toei.Oedo.Daimon"),
        recorded_at=entry.tapped_at,
    )
    plain = rate(made, closed_through=WEEK_OVER)
    corrected = rate(made, closed_through=WEEK_OVER, corrections=[said])
    finished = {ride.key for ride in plain.rides if ride.state is RideState.COMPLETE}
    before = {ride.key: ride for ride in plain.rides}
    for ride in corrected.rides:
        if ride.key in finished or key_of(entry) not in {
            key_of(each) for each in (ride.ride.began, ride.ride.ended) if each
        }:
            assert (ride.origin, ride.destination) == (before[ride.key].origin, before[ride.key].destination)
