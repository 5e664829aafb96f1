"""The world of passes beside the single fares of a planned journey, and passes in hand."""

from datetime import date, datetime, timedelta

import pytest

from maas.fares.engine import FareEngine
from maas.fares.pass_cover import PassInHand, cover_price
from maas.fares.pass_options import list_pass_options
from maas.journeys import Leg, Mode
from maas.prices import RiderCategory
from tests.support.fares import ADULT, APP, CHILD, DAY, TARIFFS, TOKYO, journey, ride


@pytest.fixture(scope="module")
def engine() -> FareEngine:
    return FareEngine.from_folder(TARIFFS)


JOINT = (
    ride("TokyoMetro.Marunouchi", "NishiShinjuku", "Shinjuku", at="12:00"),
    ride("Toei.Shinjuku", "Shinjuku", "Jimbocho", at="12:15"),
)
BUS = ride("ToeiBus.Shuku74", "a", "b", at="13:00", mode=Mode.BUS)


def options(
    engine: FareEngine, *legs: Leg, rider: RiderCategory = ADULT
) -> dict[str, tuple[int, int, tuple[int, ...]]]:
    price = engine.price(journey=journey(*legs), rider=rider, medium=APP)
    found = list_pass_options(engine, journey=journey(*legs), price=price, day=DAY)
    return {each.row.pass_id: (each.price_minor, each.left_minor, each.legs) for each in found}


def test_each_pass_says_its_price_what_is_left_and_what_it_covers(engine: FareEngine) -> None:
    found = options(engine, *JOINT, BUS)
    # By ticket: 西新宿-新宿 alone 180, 新宿-神保町 5.6 km 220, the bus 210; the joint fare is 290.
    assert found["metro_toei_day"] == (900, 210, (0, 1))
    assert found["toei_marugoto"] == (700, 180, (1, 2))
    assert found["metro_24h"] == (700, 220 + 210, (0,))
    assert found["toei_bus_day"] == (500, 290, (2,))
    assert found["tokyo_free"] == (1600, 0, (0, 1, 2))
    assert "yurikamome_day" not in found
    assert next(iter(found)) == "toei_bus_day"  # 790 in all is the least
    assert options(engine, BUS, rider=CHILD)["toei_bus_day"] == (250, 0, (0,))


def test_a_pass_of_a_day_does_not_cover_the_next_morning(engine: FareEngine) -> None:
    """A night ship lies between: the evening's bus is covered, the next day's is not."""
    tomorrow = ride("ToeiBus.Shuku74", "a", "b", at="30:00", mode=Mode.BUS)
    assert options(engine, BUS, tomorrow)["toei_bus_day"] == (500, 210, (0, 1))
    assert options(engine, BUS, tomorrow)["toei_bus_month"] == (9450, 0, (0, 1))


def test_a_pass_in_hand_makes_its_part_of_a_journey_free_and_says_so(engine: FareEngine) -> None:
    held = PassInHand(
        pass_id="mine",  # noqa: S106 - a pass is no password
        networks=frozenset({"toei_subway", "toei_bus"}),
        name="都営まるごときっぷ",
        name_en="Toei one-day pass",
        usable_from=datetime(2026, 5, 20, 4, 0, tzinfo=TOKYO),
        starts_at=datetime(2026, 5, 20, 4, 0, tzinfo=TOKYO),
        ends_at=datetime(2026, 5, 21, 4, 0, tzinfo=TOKYO),
    )
    price = engine.price(journey=journey(*JOINT, BUS), rider=ADULT, medium=APP)
    covered = cover_price(engine, journey=journey(*JOINT, BUS), price=price, passes=[held])
    # The Metro alone is 180; its operator alone is paid.
    assert [part.amount.amount_minor for part in covered.components] == [180, 0]
    assert [part.shares for part in covered.components] == [{"TokyoMetro": 180}, {"ToeiBus": 0}]
    for part in covered.components:
        assert sum(line.amount_minor for line in part.addends) == part.amount.amount_minor
        assert (part.addends[-1].text, part.addends[-1].text_en) == (
            "都営まるごときっぷ 適用",
            "covered by Toei one-day pass",
        )
    assert covered.total.amount_minor == 180
    # Before it begins and after it has ended the same pass changes nothing.
    for days in (-1, 1):
        moved = [ride("Toei.Oedo", "Tochomae", "Daimon", day=date(2026, 5, 20) + timedelta(days=days))]
        alone = engine.price(journey=journey(*moved), rider=ADULT, medium=APP)
        assert cover_price(engine, journey=journey(*moved), price=alone, passes=[held]) == alone
