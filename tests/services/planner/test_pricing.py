"""The cheapest of a set, exactly: against a look at every price."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from maas.fares.engine import FareEngine
from maas.fares.network_fares import NO_TARIFF, NetworkFares
from maas.journeys import Leg
from services.planner.pricing import find_cheapest, price_journey, rank_by_price
from tests.services.planner.conftest import PlanningHouse
from tests.support.fares import ADULT, APP, CHILD, IC, TARIFFS, journey, ride, walk

FARES = NetworkFares(tables=FareEngine.from_folder(TARIFFS), feeds={})
STATIONS = ("Tochomae", "Daimon", "Shiodome", "Roppongi", "Iidabashi", "Ryogoku", "Nerima")
UNPRICED = ride("Keio.Keio", "Shinjuku", "Hachioji")


def oedo(origin: str, destination: str, minutes: int = 10) -> Leg:
    return ride("Toei.Oedo", origin, destination, minutes=minutes)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STATIONS), st.sampled_from(STATIONS)), max_size=8))
def test_the_cheapest_is_the_first_least_price_of_the_set(ends: list[tuple[str, str]]) -> None:
    journeys = [journey(oedo(*pair)) if pair[0] != pair[1] else journey(UNPRICED) for pair in ends]
    found = [price_journey(FARES, each) for each in journeys]
    for rider, medium in ((ADULT, APP), (CHILD, IC)):
        totals = [each.find_total(rider, medium) for each in found]
        known = [total for total in totals if total is not None]
        cheapest = find_cheapest(found, rider=rider, medium=medium)
        if not known:
            assert cheapest is None
        else:
            assert cheapest is found[totals.index(min(known))]
        ranked = [each.find_total(rider, medium) for each in rank_by_price(found, rider=rider, medium=medium)]
        assert ranked == sorted(known) + [None] * (len(totals) - len(known))


def test_a_journey_on_foot_costs_nothing_and_has_no_passes() -> None:
    priced = price_journey(FARES, journey(walk()))
    assert (priced.find_total(ADULT, APP), priced.passes) == (0, ())


def test_without_tariffs_the_reason_is_told() -> None:
    priced = price_journey(None, journey(oedo("Daimon", "Tochomae")))
    assert {each.reason for each in priced.prices} == {NO_TARIFF}
    assert priced.find_total(ADULT, APP) is None


async def ask(planning: PlanningHouse, **query: str) -> list[Any]:
    asked = {"fromPlace": "都庁前", "toPlace": "竹芝", "time": "2026-05-20T20:00:00+09:00", **query}
    async with planning.house.client.get("/api/v6/plan", params=asked) as response:
        body = await response.json()
    assert response.status == 200, body
    found: list[Any] = body["itineraries"]
    return found


def paid(itinerary: Any, rider: str = "adult", medium: str = "app") -> int:
    (total,) = [
        price["total"]["amount_minor"]
        for price in itinerary["prices"]
        if (price["rider"], price["medium"]) == (rider, medium)
    ]
    assert isinstance(total, int)
    return total


async def test_rank_by_price_puts_the_cheapest_first(planning: PlanningHouse) -> None:
    ranked = await ask(planning, rank="price")
    totals = [paid(each) for each in ranked]
    assert totals == sorted(totals)
    assert ranked[0]["isCheapest"] is True
    assert [each.get("isCheapest") for each in ranked[1:]] == [None] * (len(ranked) - 1)
    # By arrival the same journeys are there in another order, and the mark is on the same one.
    by_arrival = await ask(planning, numItineraries="20")
    marked = [each for each in by_arrival if each.get("isCheapest")]
    assert [each["id"] for each in marked] == [ranked[0]["id"]]
    assert min(paid(each) for each in by_arrival) == totals[0]


async def test_the_passes_of_a_journey_are_told_beside_its_fares(planning: PlanningHouse) -> None:
    first = (await ask(planning))[0]
    passes = {each["product_id"]: each for each in first["passes"]}
    # 都庁前-汐留 and 汐留-竹芝: the Toei pass covers the first ride, ゆりかもめ is left at 190.
    toei = passes["toei_marugoto"]
    assert (toei["price"]["amount_minor"], toei["left"]["amount_minor"]) == (700, 190)
    assert toei["leg_indices"] == [0]
    assert toei["name_en"] == "Toei one-day pass"


async def test_another_rider_may_be_asked_for(planning: PlanningHouse) -> None:
    ranked = await ask(planning, rank="price", rider="senior", medium="ic")
    # By Silver Pass Toei is free; 大門 and a walk are cheaper than ゆりかもめ at 189.
    assert paid(ranked[0], "senior", "ic") == 0
    assert 189 in {paid(each, "senior", "ic") for each in ranked}
    totals = [paid(each, "senior", "ic") for each in ranked]
    assert totals == sorted(totals)
