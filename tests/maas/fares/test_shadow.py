"""A changed tariff in the shadow: the differences are those of the change, and nothing else moves."""

import random
import shutil
from dataclasses import replace
from pathlib import Path

from maas.fares.engine import FareEngine
from maas.fares.shadow import PastRide, compare_tariffs
from maas.journeys import Leg, Place
from maas.prices import RiderCategory
from tests.support.fares import ADULT, CHILD, IC, TARIFFS, journey, ride

OEDO = ride("Toei.Oedo", "Tochomae", "Daimon")
YURIKAMOME = ride("Yurikamome.Yurikamome", "Shiodome", "Takeshiba", at="12:30")
BUS = ride("ToeiBus.A", "=a", "=b", operator="ToeiBus")


def changed(folder: Path, table: str, old: str, new: str) -> FareEngine:
    shutil.copytree(TARIFFS, folder / "new")
    path = folder / "new" / f"{table}.csv"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    return FareEngine.from_folder(folder / "new")


def area_of(place: Place) -> str:
    return (place.stop_id or "").split(".")[-1]


def past(*legs: Leg, rider: RiderCategory = ADULT) -> PastRide:
    return PastRide(journey=journey(*legs), rider=rider, medium=IC)


def test_a_dearer_band_costs_only_those_who_ride_it(tmp_path: Path) -> None:
    before = FareEngine.from_folder(TARIFFS)
    after = changed(tmp_path, "distance_bands", "toei_subway,5,9,220", "toei_subway,5,9,240")
    rides = [past(OEDO), past(OEDO, YURIKAMOME), past(OEDO, rider=CHILD), past(BUS)]
    # Oedo to 大門 220 -> 240, half of it 110 -> 120; the ride with the Yurikamome is of the same band.
    report = compare_tariffs(rides, before=before, after=after, area_of=area_of)
    assert report.whole.ride_count == 4
    assert report.whole.difference_minor == 20 + 20 + 10
    assert (report.whole.dearer_count, report.whole.cheaper_count) == (3, 0)
    assert {name: part.difference_minor for name, part in report.by_operator.items()} == {
        "Toei": 50,
        "ToeiBus": 0,
        "Yurikamome": 0,
    }
    assert {name: part.difference_minor for name, part in report.by_area.items()} == {
        "Tochomae": 50,
        "demo:a": 0,
    }
    assert report.by_rider[CHILD].difference_minor == 10


def test_a_tariff_against_itself_changes_nothing(tmp_path: Path) -> None:
    before = FareEngine.from_folder(TARIFFS)
    same = shutil.copytree(TARIFFS, tmp_path / "same")
    chance = random.Random(5)
    rides = [
        past(chance.choice([OEDO, YURIKAMOME, BUS]), rider=chance.choice([ADULT, CHILD])) for _ in range(40)
    ]
    report = compare_tariffs(rides, before=before, after=FareEngine.from_folder(same), area_of=area_of)
    assert report.whole.ride_count == 40
    assert report.whole.difference_minor == 0
    for parts in (report.by_operator, report.by_area, report.by_rider):
        assert sum(part.difference_minor for part in parts.values()) == report.whole.difference_minor
        assert sum(part.before_minor for part in parts.values()) == report.whole.before_minor


def test_what_only_one_tariff_prices_is_counted_and_not_summed(tmp_path: Path) -> None:
    before = FareEngine.from_folder(TARIFFS)
    after = changed(tmp_path, "flat_fares", "toei_bus,210,210", "toei_bus,,210")  # no IC fare any more
    unknown = replace(BUS, operator_id="nobody")
    report = compare_tariffs(
        [past(BUS), past(OEDO), past(unknown)], before=before, after=after, area_of=area_of
    )
    assert (report.only_before_count, report.only_after_count, report.unpriced_count) == (1, 0, 1)
    assert report.whole.ride_count == 1
    assert report.whole.difference_minor == 0
    other_way = compare_tariffs([past(BUS)], before=after, after=before, area_of=area_of)
    assert (other_way.only_before_count, other_way.only_after_count) == (0, 1)
