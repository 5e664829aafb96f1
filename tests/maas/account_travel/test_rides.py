"""Rides from taps: each rule of the pairing once where it speaks and once where it keeps silent."""

import pytest

from maas.account_travel.rides import list_rides, split_by_day
from maas.account_travel.rides import stop_of as place_of
from maas.taps import Tap
from tests.support.travel import BOOK, MONDAY, POLICY, taps

JUNCTION = "08:00 in TokyoMetro.Marunouchi.Shinjuku\n08:19 in Toei.Shinjuku.Ichigaya\n"


def rides(text: str) -> list[str]:
    """The rides as `08:00 Tochomae > 08:30 Daimon`; `?` where a tap is missing, `bus` for a boarding."""
    found = list_rides(
        split_by_day(taps(text), POLICY).get(MONDAY, []),
        POLICY,
        is_interchange=lambda here, there: BOOK.is_interchange(MONDAY, place_of(here), place_of(there)),
    )
    return [f"{tell(ride.began)} > {tell(ride.ended)}" for ride in found]


def tell(tap: Tap | None) -> str:
    if tap is None:
        return "?"
    local = tap.tapped_at.astimezone(POLICY.clock.zone)
    return f"{local:%H:%M} {tap.stop_id.rsplit('.', 1)[-1]}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # an entry and its exit
        ("08:00 in Toei.Oedo.Tochomae\n08:30 out Toei.Oedo.Daimon", ["08:00 Tochomae > 08:30 Daimon"]),
        # an entry upon an entry leaves the first unfinished
        (
            "08:00 in Toei.Oedo.Tochomae\n18:00 in Toei.Oedo.Daimon\n18:30 out Toei.Oedo.Tochomae",
            ["08:00 Tochomae > ?", "18:00 Daimon > 18:30 Tochomae"],
        ),
        # an exit alone
        ("08:30 out Toei.Oedo.Daimon", ["? > 08:30 Daimon"]),
        # a second try within two minutes at the entry, at the exit, on the bus
        (
            "08:00 in Toei.Oedo.Tochomae\n08:01 in Toei.Oedo.Tochomae\n08:30 out Toei.Oedo.Daimon",
            ["08:00 Tochomae > 08:30 Daimon"],
        ),
        (
            "08:00 in Toei.Oedo.Tochomae\n08:30 out Toei.Oedo.Daimon\n08:31 out Toei.Oedo.Daimon",
            ["08:00 Tochomae > 08:30 Daimon"],
        ),
        ("08:00 on ToeiBus.A\n08:01 on ToeiBus.A", ["08:00 A > ?"]),
        # three minutes later it is another ride
        ("08:00 on ToeiBus.A\n08:03 on ToeiBus.A", ["08:00 A > ?", "08:03 A > ?"]),
        # another stop is no second try
        ("08:00 on ToeiBus.A\n08:01 on ToeiBus.B", ["08:00 A > ?", "08:01 B > ?"]),
        # four hours are a ride, a minute more is two unfinished ones
        ("08:00 in Toei.Oedo.Tochomae\n12:00 out Toei.Oedo.Daimon", ["08:00 Tochomae > 12:00 Daimon"]),
        (
            "08:00 in Toei.Oedo.Tochomae\n12:01 out Toei.Oedo.Daimon",
            ["08:00 Tochomae > ?", "? > 12:01 Daimon"],
        ),
        # a bus boarded while a gate is open leaves it open (a transfer bus inside a closed line)
        (
            "08:00 in Toei.Oedo.Tochomae\n08:10 on ToeiBus.A\n08:30 out Toei.Oedo.Daimon",
            ["08:00 Tochomae > 08:30 Daimon", "08:10 A > ?"],
        ),
        # the exit's clock is three minutes ahead of the next entry's: it ends the older ride
        (
            JUNCTION + "08:22 out TokyoMetro.Namboku.Ichigaya\n08:50 out Toei.Asakusa.Oshiage",
            ["08:00 Shinjuku > 08:22 Ichigaya", "08:19 Ichigaya > 08:50 Oshiage"],
        ),
        # five minutes are no clock's error: the second entry is left at once, the first is unfinished
        (
            JUNCTION + "08:24 out TokyoMetro.Namboku.Ichigaya",
            ["08:00 Shinjuku > ?", "08:19 Ichigaya > 08:24 Ichigaya"],
        ),
        # an exit elsewhere is not the exit of an interchange
        (
            JUNCTION + "08:22 out Toei.Shinjuku.Kudanshita",
            ["08:00 Shinjuku > ?", "08:19 Ichigaya > 08:22 Kudanshita"],
        ),
        # a ride of one stop whose exit clock is behind that of its entry
        (
            "08:01 out Toei.Oedo.ShinjukuNishiguchi\n08:02 in Toei.Oedo.Tochomae",
            ["08:02 Tochomae > 08:01 ShinjukuNishiguchi"],
        ),
        # an exit past 04:00 belongs to the evening's entry; an exit alone to its own day
        ("27:30 in Toei.Oedo.Tochomae\n28:10 out Toei.Oedo.Daimon", ["03:30 Tochomae > 04:10 Daimon"]),
        ("28:10 out Toei.Oedo.Daimon", []),
    ],
)
def test_taps_make_these_rides(text: str, expected: list[str]) -> None:
    assert rides(text) == expected


def test_a_bus_after_midnight_belongs_to_the_day_before() -> None:
    assert rides("25:10 on ToeiBus.A") == ["01:10 A > ?"]
