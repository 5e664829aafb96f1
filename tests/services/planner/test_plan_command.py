"""`maas plan` as a person sees it."""

import io

import pytest
from rich.console import Console

from services.cli.errors import CommandFailed
from services.cli.plan import _price_line, ask_map, ask_plan, plan, print_plan
from services.cli.plan_map import list_shown
from tests.services.planner.conftest import PlanningHouse

ASKED = {"fromPlace": "都庁前", "toPlace": "大島 元町", "time": "2026-05-20T20:00:00", "numItineraries": "1"}


def shown(answer: dict) -> str:
    paper = io.StringIO()
    print_plan(answer, Console(width=150, file=paper))
    return paper.getvalue()


async def test_it_shows_times_interchanges_and_prices(planning: PlanningHouse) -> None:
    text = shown(await ask_plan(str(planning.house.client.make_url("")), ASKED))
    for word in (
        "都庁前",
        "船 ship",
        "22:00-06:00 +1",
        "元町港",
        "interchange",
        "on foot",
        "大人 adult ¥",
        "小児 child ¥",
    ):
        assert word in text


async def test_an_unknown_price_is_said_with_its_reason(planning: PlanningHouse) -> None:
    answer = await ask_plan(str(planning.house.client.make_url("")), ASKED)
    for price in answer["itineraries"][0]["prices"]:
        price.pop("total", None)  # the card has none: buses and ships take no bank cards
        price["reason"] = "no tariff knows the ship"
    assert "price unknown: no tariff knows the ship" in shown(answer)


async def test_the_cheapest_comes_first_and_a_pass_that_pays_is_named(planning: PlanningHouse) -> None:
    url = str(planning.house.client.make_url(""))
    ranked = await ask_plan(url, ASKED | {"rank": "price"})
    first, last = ranked["itineraries"][0], ranked["itineraries"][-1]
    totals = [
        next(price["total"]["amount_minor"] for price in each["prices"] if price["medium"] == "app")
        for each in (first, last)
    ]
    assert totals[0] <= totals[1]
    assert "one-day" not in shown(ranked)
    # A pass at 100 yen with nothing left beside it is cheaper than any fare.
    first["passes"] = [
        {
            "name": "都営まるごときっぷ",
            "name_en": "Toei one-day pass",
            "price": {"amount_minor": 100, "currency": "JPY"},
            "left": {"amount_minor": 0, "currency": "JPY"},
        }
    ]
    assert "Toei one-day pass: ¥100" in shown(ranked)


async def test_the_least_on_foot_comes_first_and_is_said_to_be_proven(planning: PlanningHouse) -> None:
    ranked = await ask_plan(str(planning.house.client.make_url("")), ASKED | {"rank": "walking"})
    assert "Proven" in shown(ranked)
    assert ranked["ranking"]["reason"] in shown(ranked).replace("\n", " ")


def test_nothing_found_is_said() -> None:
    answer = {"from": {"name": "A"}, "to": {"name": "B"}, "direct": [], "itineraries": []}
    assert "No journey" in shown(answer)


async def test_a_refusal_is_told_with_its_cure(planning: PlanningHouse) -> None:
    with pytest.raises(CommandFailed, match=r"No stop or place matches.*geocode"):
        await ask_plan(str(planning.house.client.make_url("")), ASKED | {"toPlace": "無い"})


async def test_without_a_house_the_cure_is_told() -> None:
    with pytest.raises(CommandFailed, match="maas up"):
        await ask_plan("http://127.0.0.1:9", ASKED)


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(CommandFailed, match="2026-05-20T20:00"):
        plan("A", "B", at="tomorrow", arrive_by=False, language="", count=1, url="")


async def test_the_journeys_are_drawn_on_the_network(planning: PlanningHouse) -> None:
    url = str(planning.house.client.make_url(""))
    answer = await ask_plan(url, ASKED)
    svg = await ask_map(url, answer, as_page=False)
    assert svg.startswith("<svg")
    assert svg.count("<polyline") == sum(len(each["legs"]) for each in list_shown(answer))
    assert "元町港" in svg
    assert 'fill="#bbb"' in svg  # the network's stops behind them


@pytest.mark.parametrize(
    ("currency", "shown"), [("JPY", "¥1,470"), ("BRL", "BRL 14.70"), ("KRW", "KRW 1,470")]
)
def test_a_price_is_shown_in_its_currency(currency: str, shown: str) -> None:
    price = {"medium": "ic", "rider": "adult", "total": {"amount_minor": 1_470, "currency": currency}}
    assert shown in _price_line({"prices": [price]}).plain
