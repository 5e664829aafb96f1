"""`maas shadow` on rides of a file, on what was ridden of the house's orders, and on taps."""

import asyncio
import json
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from maas.account_travel.fare_book import FareBook
from maas.account_travel.policy import TapRules
from maas.account_travel.shadow import compare_travel
from maas.fares.engine import FareEngine
from maas.fares.shadow import Difference, PastRide, ShadowReport, merge_small
from maas.journeys import Leg
from maas.offers import quote
from maas.orders import Order, confirm, mark_ridden, place
from maas.prices import FareMedium, RiderCategory
from services.cli.past_rides import RIDES, list_past_rides, list_past_travel
from services.cli.verbs import app
from services.platform.database import Database
from services.platform.migrations import migrate
from services.sales.store import SalesStore
from services.ticketing.travel.documents import build_documents
from tests.conftest import ROOT
from tests.support.fares import ADULT, APP, CHILD, TARIFFS, journey, ride
from tests.support.travel import BOOK, CARD, POLICY, taps
from tests.support.travel import rate as rate_travel

OEDO = ride("Toei.Oedo", "Tochomae", "Daimon")  # 220 by ticket
YURIKAMOME = ride("Yurikamome.Yurikamome", "Shiodome", "Takeshiba", at="12:30")  # 190


@pytest.fixture
def dearer(tmp_path: Path) -> Path:
    """The tariff with 5-9 km of Toei at 240 instead of 220."""
    folder = tmp_path / "dearer"
    shutil.copytree(TARIFFS, folder)
    path = folder / "distance_bands.csv"
    text = path.read_text("utf-8")
    path.write_text(text.replace("toei_subway,5,9,220,220", "toei_subway,5,9,240,240"), "utf-8")
    return folder


def maas(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(app, ["shadow", *words], env=environment)


def write(folder: Path, *rides: PastRide) -> str:
    path = folder / "rides.jsonl"
    path.write_text("\n".join(RIDES.dump_json(each).decode() for each in rides), "utf-8")
    return str(path)


def past(*legs: Leg, rider: RiderCategory = ADULT) -> PastRide:
    return PastRide(journey=journey(*legs), rider=rider, medium=APP)


def test_the_differences_of_a_file_of_rides(dearer: Path, tmp_path: Path) -> None:
    rides = [*[past(OEDO)] * 10, *[past(OEDO, rider=CHILD)] * 10, *[past(YURIKAMOME)] * 3]
    said = maas(str(dearer), "--rides", write(tmp_path, *rides), "--json")
    assert said.exit_code == 0, said.output
    told = json.loads(said.output)
    # Ten adults pay 20 more each, ten children 120 instead of 110: 300 in all.
    assert told["whole"]["difference_minor"] == 300
    assert (told["whole"]["rides"], told["whole"]["dearer"]) == (23, 20)
    # Three rides of the Yurikamome are too few to be shown: the next smallest goes with them.
    assert set(told["by_operator"]) == {"others"}
    assert told["by_rider"]["child"]["difference_minor"] == 100
    assert told["by_rider"]["adult"] == {
        "rides": 13, "before_minor": 2770, "after_minor": 2970, "difference_minor": 200, "dearer": 10,
        "cheaper": 0,
    }  # fmt: skip
    tables = maas(str(dearer), "--rides", write(tmp_path, *rides)).output
    assert "by rider" in tables
    assert "+300" in tables


def test_only_the_days_asked_for(dearer: Path, tmp_path: Path) -> None:
    rides = write(tmp_path, *[past(OEDO)] * 12)
    said = maas(str(dearer), "--rides", rides, "--json", "--since", "2026-05-21")
    assert json.loads(said.output)["whole"]["rides"] == 0
    said = maas(str(dearer), "--rides", rides, "--json", "--since", "2026-05-20", "--until", "2026-05-20")
    assert json.loads(said.output)["whole"]["rides"] == 12


def test_few_rides_are_told_with_others_and_never_alone() -> None:
    def groups(**counts: int) -> dict[str, Difference]:
        return {name: Difference(ride_count=count, before_minor=count) for name, count in counts.items()}

    def shown(**counts: int) -> dict[str, int]:
        return {name: each.ride_count for name, each in merge_small(groups(**counts)).items()}

    assert shown(a=10, b=300) == {"a": 10, "b": 300}
    # Nine alone would be found out of the whole less the rest: another group hides it.
    assert shown(a=9, b=20, c=300) == {"c": 300, "others": 29}
    assert shown(a=4, b=6, c=300) == {"c": 300, "others": 10}
    assert shown(a=3) == {"others": 3}
    assert shown() == {}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nowhere"], "is no folder"),
        ([str(ROOT)], "networks.csv"),
        ([str(TARIFFS), "--since", "May"], "is no date"),
        ([str(TARIFFS), "--rides", "nowhere.jsonl"], "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_cure(words: list[str], reason: str) -> None:
    said = maas(*words)
    assert said.exit_code == 1
    assert reason in str(said.exception)


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rides.jsonl"
    path.write_text('\n{"rider": "adult", "medium": "ic"}\n', "utf-8")
    said = maas(str(TARIFFS), "--rides", str(path))
    assert "line 2: journey: Field required" in str(said.exception)


def sold(*legs: Leg, riders: tuple[RiderCategory, ...] = (ADULT, CHILD)) -> Order:
    engine, now = FareEngine.from_folder(TARIFFS), datetime(2026, 5, 20, tzinfo=UTC)
    trip = journey(*legs)
    offer, _ = quote(
        offer_id=uuid4(),
        traveller_id="alice",
        journey=trip,
        prices=tuple(engine.price_party(journey=trip, riders=riders, medium=APP)),
        fare_class=None,
        held_legs=(),
        now=now,
        expires_at=now.replace(hour=1),
    )
    order = place(offer, order_id=uuid4(), passengers=(), now=now).order
    assert order is not None
    return confirm(order)[0]


def test_of_an_order_what_was_ridden_counts_for_each_rider() -> None:
    order = sold(OEDO, YURIKAMOME)
    assert list(list_past_rides(order)) == []
    # Components are the adult's two, then the child's two.
    ridden = mark_ridden(mark_ridden(order, 0), 2)
    ridden = mark_ridden(ridden, 3)
    adult, child = list_past_rides(ridden)
    assert (adult.rider, [leg.route_id for leg in adult.journey.legs]) == (ADULT, [OEDO.route_id])
    assert (child.rider, len(child.journey.legs)) == (CHILD, 2)


def test_tapped_rides_are_compared_by_their_chains(dearer: Path) -> None:
    """Three rides from 都庁前 to 大門 at 220 by IC, a bus, and one entry without an exit."""
    made = taps(
        "\n".join(
            f"{hour:02}:00 in Toei.Oedo.Tochomae\n{hour:02}:30 out Toei.Oedo.Daimon" for hour in (8, 10, 12)
        )
        + "\n14:00 on ToeiBus.Shuku74.a\n16:00 in Toei.Oedo.Tochomae"
    )
    documents = build_documents(rate_travel(made, closed_through=date(2026, 5, 24)), CARD)
    travel = [
        each
        for day, document in documents.items()
        for each in list_past_travel(document.decode(), day, FareMedium.IC)
    ]
    # The ride without an exit paid a maximum fare: nobody knows what it would cost.
    assert len(travel) == 4
    report = ShadowReport()
    engine = FareEngine.from_folder(dearer)
    after = FareBook(engine, TapRules.from_folder(dearer), POLICY)
    compare_travel(travel * 4, before=BOOK, after=after, report=report)
    # 5-9 km costs 240 by IC instead of 220: twelve rides, 240 more; the bus is as before.
    assert (report.whole.ride_count, report.whole.difference_minor) == (16, 12 * 20)
    assert report.by_operator["Toei"].difference_minor == 240
    assert report.by_area["demo:Toei.Oedo.Tochomae"].ride_count == 12


async def keep(url: str, orders: list[Order]) -> None:
    for schema in ("sales", "ticketing"):
        await migrate(url, schema=schema, folder=ROOT / "services" / schema / "migrations")
    database = Database(url, schema="sales")
    await database.open()
    store = SalesStore(database)
    async with database.transaction() as tx:
        for order in orders:
            await tx.execute("insert into offer values ($1, 'alice', '{}', now())", order.offer_id)
            assert await store.insert_order(tx, order)
    await database.close()


async def test_the_orders_of_the_house_are_asked_when_no_file_is_given(
    dearer: Path, database_url: str
) -> None:
    orders = [mark_ridden(sold(OEDO, riders=(ADULT,)), 0) for _ in range(12)]
    await keep(database_url, [*orders, replace(sold(OEDO), traveller_id="bob")])
    said: Any = await asyncio.to_thread(maas, str(dearer), "--json", DATABASE_URL=database_url)
    assert said.exit_code == 0, said.exception
    told = json.loads(said.output)
    # Twelve were ridden; of the last order nothing was.
    assert (told["whole"]["rides"], told["whole"]["difference_minor"]) == (12, 240)
    assert told["by_operator"]["Toei"]["difference_minor"] == 240
