"""What a week of taps costs: the facts' own vectors, each rule where it speaks and where it keeps silent."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas.account_travel.endings import Correction, CorrectionKind, find_habits
from maas.account_travel.media import MediumKind, PaidBy, Paired, Party
from maas.account_travel.rides import RideState, key_of
from maas.fares.best_fare import find_cheapest
from maas.fares.caps import CappedFare
from maas.fares.pass_cover import PassInHand
from maas.fares.service_week import RideMade, rate_week
from maas.journeys import Journey
from maas.prices import FareMedium, RiderCategory
from tests.support.fares import ride
from tests.support.travel import (
    BOOK,
    CARD,
    LONG_AGO,
    MONDAY,
    POLICY,
    at,
    charges,
    owed,
    rate,
    stop,
    tap,
    taps,
)

OVER = MONDAY
WEEK_OVER = MONDAY + timedelta(days=6)
HOME = "08:00 in Toei.Oedo.Tochomae\n08:30 out Toei.Oedo.Daimon"
METRO = "08:00 in TokyoMetro.Marunouchi.Shinjuku\n08:20 out TokyoMetro.Namboku.Iidabashi\n"
BANK_CARD = replace(CARD, kind=MediumKind.BANK_CARD)


@pytest.mark.parametrize(
    ("text", "ic", "bank_card"),
    [
        # B2.4: E28 to E20 is 9 km, 220 in every world
        (HOME, [220], [220]),
        # B2.4: E38 to E28 is 13 km, 272 by IC, 280 by ticket and contactless card
        ("08:00 in Toei.Oedo.Hikarigaoka\n08:30 out Toei.Oedo.Tochomae", [272], [280]),
        # B2.4: the longest way on Toei, 34.8 km, one fare over three lines
        ("08:00 in Toei.Mita.NishiTakashimadaira\n09:30 out Toei.Shinjuku.Motoyawata", [430], [430]),
        # B2.4: 目黒 to 白金台 pays Metro's fare on Toei
        ("08:00 in Toei.Mita.Meguro\n08:10 out Toei.Mita.Shirokanedai", [178], [180]),
        # B2.4: Shinjuku (Metro) to Oshiage (Toei), changed in time at Iidabashi: 178 + 220 - 70
        (
            METRO + "08:30 in Toei.Oedo.Iidabashi\n09:00 out Toei.Asakusa.Oshiage",
            [328],
            [330],
        ),
        # through-running: the same, without a gate between
        ("08:00 in TokyoMetro.Marunouchi.Shinjuku\n09:00 out Toei.Asakusa.Oshiage", [328], [330]),
        # changed after 61 minutes: two fares; Shinjuku-Iidabashi is 5.0 km (178), Iidabashi-Oshiage 7.1 (220)
        (
            METRO + "09:21 in Toei.Oedo.Iidabashi\n09:50 out Toei.Asakusa.Oshiage",
            [178, 220],
            [180, 220],
        ),
        # B2.2: the second Toei bus within 90 minutes of the first boarding costs 100 less, by IC only
        ("08:00 on ToeiBus.A\n09:30 on ToeiBus.B", [210, 110], [210, 210]),
        ("08:00 on ToeiBus.A\n09:31 on ToeiBus.B", [210, 210], [210, 210]),
        # out within ten minutes where one went in: free; later, as after a loop: the least fare
        ("08:00 in Toei.Oedo.Tochomae\n08:10 out Toei.Oedo.Tochomae.1", [0], [0]),
        ("08:00 in Toei.Oedo.Tochomae\n09:20 out Toei.Oedo.Tochomae.1", [178], [180]),
    ],
)
def test_fares_of_the_facts(text: str, ic: list[int], bank_card: list[int]) -> None:
    assert charges(rate(taps(text))) == ic
    assert charges(rate(taps(text), medium=BANK_CARD)) == bank_card


def test_out_of_the_gates_and_in_again_in_time_is_one_fare() -> None:
    """links.csv gives 上野広小路 - 仲御徒町 sixty minutes: the planner's price of staying inside."""
    far, near = "TokyoMetro.Ginza.UenoHirokoji", "TokyoMetro.Hibiya.NakaOkachimachi"
    before = f"08:00 in TokyoMetro.Ginza.Shibuya\n08:30 out {far}\n"
    gates = f"{before}{{}} in {near}\n{{}} out TokyoMetro.Hibiya.Ginza"
    once = charges(rate(taps(gates.format("09:30", "09:50"))))
    twice = charges(rate(taps(gates.format("09:31", "09:50"))))
    assert (len(once), len(twice)) == (1, 2)
    inside = BOOK.engine.price(
        journey=Journey(
            journey_id="",
            legs=(ride("TokyoMetro.Ginza", "Shibuya", "Ginza", day=MONDAY),),
            network_version="",
        ),
        rider=RiderCategory.ADULT,
        medium=FareMedium.IC,
    )
    assert once == [inside.total.amount_minor]


# --- unfinished rides -------------------------------------------------------------------------------------


def dearest_from(station: str) -> int:
    """The dearest Toei fare from a station, each asked of the planner's engine by itself."""
    stations = BOOK.engine.tariff_on(MONDAY).graphs["toei_subway"].distances(station)
    return max(
        BOOK.engine.price(
            journey=Journey(
                journey_id="", legs=(ride("Toei.Oedo", station, other, day=MONDAY),), network_version=""
            ),
            rider=RiderCategory.ADULT,
            medium=FareMedium.IC,
        ).total.amount_minor
        for other, tenths in stations.items()
        if tenths
    )


def test_an_entry_without_an_exit_is_open_until_the_day_is_over_and_then_costs_the_maximum() -> None:
    made = taps("08:00 in Toei.Oedo.Tochomae")
    today = rate(made)
    assert [ride.state for ride in today.rides] == [RideState.OPEN]
    assert today.list_owed() == {}
    tomorrow = rate(made, closed_through=OVER)
    assert [ride.state for ride in tomorrow.rides] == [RideState.INCOMPLETE]
    assert charges(tomorrow) == [dearest_from("Tochomae")]


def test_a_maximum_fare_counts_toward_no_cap() -> None:
    """Toei's cap is 700: 430 + 270 of another 430; the maximum fare comes on top, even when first."""
    far = "{0:02}:00 in Toei.Mita.NishiTakashimadaira\n{1:02}:30 out Toei.Shinjuku.Motoyawata\n"
    lost = "06:00 in Toei.Oedo.Tochomae\n"
    rating = rate(taps(lost + far.format(8, 9) + far.format(12, 13)), closed_through=OVER)
    assert charges(rating) == [dearest_from("Tochomae"), 430, 270]


def test_the_best_single_cap_applies_and_the_other_is_recorded() -> None:
    """Three buses: 210 + 110 + 180 reach the bus cap of 500; the Toei cap of 700 would take off nothing yet.

    A fourth bus: the bus cap takes all 110 of it (90 minutes after the third), the Toei cap nothing.
    """
    rating = rate(taps("08:00 on ToeiBus.A\n09:00 on ToeiBus.B\n10:00 on ToeiBus.C\n11:00 on ToeiBus.D"))
    assert charges(rating) == [210, 110, 180, 0]
    last = max(rating.fares, key=lambda each: each.fare.began_at)
    assert last.capped.applied is not None
    assert last.capped.applied.cap.cap_id == "bus_day"


def test_an_exit_where_no_ticket_is_sold_from_the_entry_is_two_maximum_fares() -> None:
    rating = rate(
        taps("08:00 in Toei.Oedo.Tochomae\n09:00 out Yurikamome.Yurikamome.Takeshiba"), closed_through=OVER
    )
    assert [ride.state for ride in rating.rides] == [RideState.INCOMPLETE]
    assert len(rating.fares) == 2
    assert all(each.fare.charged.is_maximum for each in rating.fares)


def test_a_stop_that_no_tariff_knows_costs_nothing_and_is_told() -> None:
    rating = rate(taps("08:00 on Nobody.X"), closed_through=OVER)
    assert rating.list_owed() == {}
    assert rating.unpriced == {ride.key for ride in rating.rides}


# --- habits and corrections -------------------------------------------------------------------------------

WORK = (stop("Toei.Oedo.Tochomae"), stop("Toei.Oedo.Daimon"))
ELSEWHERE = (WORK[0], stop("Toei.Asakusa.Oshiage"))


def test_a_habit_is_three_rides_and_more_than_half() -> None:
    assert find_habits([WORK] * 3, POLICY) == {WORK[0]: WORK[1]}
    assert find_habits([WORK] * 2, POLICY) == {}
    assert find_habits([WORK] * 3 + [ELSEWHERE] * 3, POLICY) == {}


def test_an_unfinished_ride_ends_where_it_usually_does_twice_a_week() -> None:
    lost = [tap("08:00 in Toei.Oedo.Tochomae", MONDAY + timedelta(days=day)) for day in range(3)]
    rating = rate(lost, closed_through=WEEK_OVER, habits={WORK[0]: WORK[1]})
    auto, lacking = RideState.AUTO_COMPLETED, RideState.INCOMPLETE
    assert [ride.state for ride in rating.rides] == [auto, auto, lacking]
    assert charges(rating) == [220, 220, dearest_from("Tochomae")]
    elsewhere = rate(lost, closed_through=WEEK_OVER, habits={WORK[1]: WORK[0]})
    assert [ride.state for ride in elsewhere.rides] == [lacking] * 3


def correction(kind: CorrectionKind, named: str, stop_name: str | None = None, number: int = 1) -> Correction:
    return Correction(
        correction_id=UUID(int=number),
        tap=key_of(tap(named)),
        kind=kind,
        stop=None if stop_name is None else stop(stop_name),
        recorded_at=at("30:00") + timedelta(minutes=number),
    )


def test_a_correction_fills_the_missing_end_and_the_latest_word_counts() -> None:
    made = taps("08:00 in Toei.Oedo.Tochomae")
    said = [
        correction(CorrectionKind.COMPLETE, "08:00 in Toei.Oedo.Tochomae", "Toei.Asakusa.Oshiage", 1),
        correction(CorrectionKind.COMPLETE, "08:00 in Toei.Oedo.Tochomae", "Toei.Oedo.Daimon", 2),
    ]
    rating = rate(made, closed_through=OVER, corrections=said)
    assert [ride.state for ride in rating.rides] == [RideState.CORRECTED]
    assert charges(rating) == [220]


def test_an_exit_alone_is_given_its_entry() -> None:
    made = taps("08:30 out Toei.Oedo.Daimon")
    said = [correction(CorrectionKind.COMPLETE, "08:30 out Toei.Oedo.Daimon", "Toei.Oedo.Tochomae")]
    assert charges(rate(made, closed_through=OVER, corrections=said)) == [220]


def test_the_real_exit_that_comes_late_overrules_the_traveller_but_not_the_clerk() -> None:
    made = taps("08:00 in Toei.Oedo.Hikarigaoka\n08:30 out Toei.Oedo.Tochomae")
    named = "08:00 in Toei.Oedo.Hikarigaoka"
    filled = rate(made, corrections=[correction(CorrectionKind.COMPLETE, named, "Toei.Oedo.Daimon")])
    assert charges(filled) == [272]
    # One stop on: the least fare, 178.
    replaced = rate(
        made, corrections=[correction(CorrectionKind.REPLACE, named, "Toei.Oedo.NerimaKasugacho")]
    )
    assert charges(replaced) == [178]
    assert [ride.state for ride in replaced.rides] == [RideState.CORRECTED]


def test_a_ride_that_a_clerk_waives_costs_nothing() -> None:
    said = [correction(CorrectionKind.WAIVE, "08:00 in Toei.Oedo.Tochomae")]
    assert charges(rate(taps(HOME), corrections=said)) == [0]


# --- who rides, who pays ----------------------------------------------------------------------------------


def test_a_child_pays_half_by_the_rounding_of_its_medium() -> None:
    """B2.3: 272 is 136 by IC; 280 by ticket is 140."""
    child = {MONDAY: RiderCategory.CHILD}
    made = taps("08:00 in Toei.Oedo.Hikarigaoka\n08:30 out Toei.Oedo.Tochomae")
    assert charges(rate(made, medium=replace(CARD, categories=child))) == [136]
    assert charges(rate(made, medium=replace(BANK_CARD, categories=child))) == [140]


def test_a_family_on_one_card_pays_for_each() -> None:
    """An adult 220, a child 110, an infant free; two of them capped apart."""
    family = (RiderCategory.ADULT, RiderCategory.CHILD, RiderCategory.INFANT)
    medium = replace(CARD, parties=(Party(since=at("07:00"), until=at("09:00"), riders=family),))
    assert sorted(charges(rate(taps(HOME), medium=medium))) == [0, 110, 220]
    later = taps("10:00 in Toei.Oedo.Tochomae\n10:30 out Toei.Oedo.Daimon")
    assert charges(rate(later, medium=medium)) == [220]


def test_a_disabled_rider_and_helper_pay_half_on_one_card_or_on_two_tapped_together() -> None:
    disabled, helper = RiderCategory.DISABLED, RiderCategory.HELPER
    pair = replace(CARD, parties=(Party(since=LONG_AGO, riders=(disabled, helper)),))
    # Half of 220, to the yen below.
    assert charges(rate(taps(HOME), medium=pair)) == [110, 110]
    mine = replace(
        CARD,
        categories={MONDAY: disabled},
        paired=(Paired(since=LONG_AGO, medium_ref="theirs", rides_as=helper),),
    )
    beside = taps("08:01 in Toei.Oedo.Tochomae\n08:31 out Toei.Oedo.Daimon")
    assert charges(rate(taps(HOME), medium=mine, companion_taps=beside)) == [110]
    helpers = replace(CARD, paired=(Paired(since=LONG_AGO, medium_ref=CARD.medium_ref, rides_as=disabled),))
    assert charges(rate(beside, medium=helpers, companion_taps=taps(HOME))) == [110]
    assert charges(rate(beside, medium=helpers)) == [220]
    # F16: who taps alone pays the adult's fare; so does who left elsewhere.
    assert charges(rate(taps(HOME), medium=mine)) == [220]
    apart = taps("08:01 in Toei.Oedo.Tochomae\n08:27 out Toei.Oedo.Akabanebashi")
    assert charges(rate(taps(HOME), medium=mine, companion_taps=apart)) == [220]


def test_nobody_pays_for_rides_before_the_medium_was_linked_and_its_caps_do_not_pass_on() -> None:
    far = "{0:02}:00 in Toei.Mita.NishiTakashimadaira\n{1:02}:30 out Toei.Shinjuku.Motoyawata\n"
    made = taps(far.format(8, 9) + far.format(12, 13))
    medium = replace(CARD, payers=(PaidBy(since=at("11:00"), customer_id="new"),))
    rating = rate(made, medium=medium)
    # 430 before, nobody's; 430 after: the new owner's first fare, of which no cap takes anything.
    assert {key: each.amount_minor for key, each in rating.list_owed().items()} == {(MONDAY, "new"): 430}


def test_a_pass_in_hand_covers_its_networks() -> None:
    toei = PassInHand(
        pass_id="p",  # noqa: S106
        networks=frozenset({"toei_subway"}),
        name="p",
        name_en="p",
        usable_from=at("04:00"),
        starts_at=at("04:00"),
        ends_at=at("28:00"),
    )
    medium = replace(CARD, passes=(toei,))
    assert charges(rate(taps(HOME + "\n09:00 on ToeiBus.A"), medium=medium)) == [0, 210]
    # Of the joint fare the Metro half is left, alone: 178, no more than the 328 for both.
    through = taps("10:00 in TokyoMetro.Marunouchi.Shinjuku\n11:00 out Toei.Asakusa.Oshiage")
    assert charges(rate(through, medium=medium)) == [178]


# --- the promise ------------------------------------------------------------------------------------------


def test_the_promise_is_kept_after_the_day_and_not_before() -> None:
    """Four Metro fares of 178 are 712, below the cap of 900 of both subways; the 24-hour ticket is 700."""
    there = "{:02}:00 in TokyoMetro.Marunouchi.Shinjuku\n{:02}:20 out TokyoMetro.Namboku.Iidabashi\n"
    text = "".join(there.format(hour, hour) for hour in (8, 10, 12, 14))
    today = rate(taps(text))
    assert (owed(today), today.refunds) == (4 * 178, ())
    tomorrow = rate(taps(text), closed_through=OVER)
    assert owed(tomorrow) == 700
    (given,) = tomorrow.refunds
    assert (given.day, given.back.refund.amount_minor) == (MONDAY, 12)
    assert given.back.refund.borne == {"TokyoMetro": 12}
    assert "Tokyo Metro 24-hour ticket" in " ".join(given.back.refund.lines_en)


lines = st.tuples(
    st.integers(0, 6),
    st.integers(5 * 60, 26 * 60),
    st.sampled_from(
        [
            ("Toei.Oedo", "Tochomae", "Daimon"),
            ("Toei.Mita", "Meguro", "NishiTakashimadaira"),
            ("TokyoMetro.Marunouchi", "Shinjuku", "Iidabashi"),
            ("TokyoMetro.Ginza", "Shibuya", "Ueno"),
            ("Yurikamome.Yurikamome", "Shimbashi", "Daiba"),
            ("ToeiBus", "A", "A"),
        ]
    ),
)


@given(st.lists(lines, max_size=14))
def test_a_week_costs_what_the_fare_rules_say_of_the_rides_it_was_made_of(
    made: list[tuple[int, int, tuple[str, str, str]]],
) -> None:
    """Against maas/fares/service_week.py, which prices known rides with their real times, one by one."""
    apart: dict[int, tuple[int, tuple[str, str, str]]] = {}
    for day, minute, way in made:
        # Every ride lasts ten minutes; a slot of twelve each.
        slot = minute // 12
        apart[day * 10_000 + slot] = (slot * 12, way)
    known, tapped = [], []
    for index, (when, (minute, (line, origin, destination))) in enumerate(sorted(apart.items())):
        day = MONDAY + timedelta(days=when // 10_000)
        clock, leaves = f"{minute // 60}:{minute % 60:02}", f"{(minute + 10) // 60}:{(minute + 10) % 60:02}"
        leg = ride(line, origin, destination, at=clock, day=day)
        known.append(
            RideMade(
                ride_id=f"{index:03}",
                medium_ref=CARD.medium_ref,
                medium=FareMedium.IC,
                journey=Journey(journey_id="", legs=(leg,), network_version=""),
            )
        )
        if line == "ToeiBus":
            tapped.append(tap(f"{clock} on ToeiBus.A", day))
        else:
            tapped.append(tap(f"{clock} in {line}.{origin}", day))
            tapped.append(tap(f"{leaves} out {line}.{destination}", day))
    expected = rate_week(BOOK.engine, known, rider=RiderCategory.ADULT, clock=POLICY.clock)
    found = rate(tapped, closed_through=WEEK_OVER)
    assert charges(found) == [each.charge_minor for each in expected.fares]
    given = {each.day: each.back.refund.amount_minor for each in found.refunds if each.back.period == "day"}
    assert given == {
        each.starts_on: each.refund.amount_minor for each in expected.refunds if each.period == "day"
    }
    assert owed(found) == expected.charged_minor - expected.refunded_minor
    # The promise by its definition, searched for every day and the week: no shortcut leaves one out.
    left = 0
    for _, own in groupby(expected.fares, key=lambda each: POLICY.clock.day_of(each.fare.entered_at)):
        mine = list(own)
        left += min(sum(each.charge_minor for each in mine), cheapest(mine))
    assert owed(found) == min(left, cheapest(expected.fares))


def cheapest(charged: Sequence[CappedFare]) -> int:
    return find_cheapest(
        [each.fare for each in charged],
        passes_on=BOOK.engine.list_passes,
        rider=RiderCategory.ADULT,
        clock=POLICY.clock,
    ).total_minor
