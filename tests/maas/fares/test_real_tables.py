"""Our tables against other people's transcriptions and the real feeds."""

import csv
import json
import math
import zipfile
from pathlib import Path

import pytest

from maas.fares.csv_tables import TariffProblem, read_table
from maas.fares.engine import FareEngine
from maas.fares.in_force import Rows, TariffInForce, rows_of
from maas.fares.tables import TABLES, LineKmRow
from maas.journeys import Mode
from tests.support.fares import ADULT, DAY, TARIFFS, TICKET, ride, total

pytestmark = pytest.mark.real

SAME_RAILWAY = {
    "toei_subway": "toei_subway",
    "tokyo_metro": "tokyo_metro",
    "yurikamome": "yurikamome",
    "rinkai": "rinkai",
    "tokyo_monorail": "tokyo_monorail",
    "jr_east_yamanote": "jr_east_main",
}


@pytest.fixture(scope="module")
def tables() -> Rows:
    problems: list[TariffProblem] = []
    return {row_type: read_table(TARIFFS, row_type, problems) for row_type in TABLES}


@pytest.mark.parametrize(("ours", "theirs"), SAME_RAILWAY.items())
def test_ticket_bands_agree_with_an_independent_transcription(
    real_data: Path, tables: Rows, ours: str, theirs: str
) -> None:
    other = json.loads((real_data / "fares" / "tokyo_rail_distance_fares.json").read_text("utf-8"))
    bands = TariffInForce(tables, DAY).bands[ours]
    rows = [[band.km_from, band.km_to, band.ticket_minor] for band in bands]
    # JR's table goes on to 200 km; ours ends with the loop. The others are equal to the last band.
    assert rows == other["tables"][theirs]["bands_km_inclusive_jpy"][: len(rows)]
    if ours != "jr_east_yamanote":
        assert len(rows) == len(other["tables"][theirs]["bands_km_inclusive_jpy"])


def test_ship_fares_of_may_2026(real_data: Path) -> None:
    engine = FareEngine.from_folder(TARIFFS)
    routes = {
        "東海汽船": "[13]",
        "伊豆諸島開発": "[01]",
        "神新汽船": "[15]",
    }
    ports = {
        "竹芝": "[05]東京・竹芝", "大島": "[12]大島", "利島": "[13]利島", "新島": "[14]新島",
        "式根島": "[15]式根島", "神津島": "[16]神津島", "八丈島": "[01]八丈島", "青ヶ島": "[02]青ヶ島",
        "父島": "[03]父島", "母島": "[04]母島",
    }  # fmt: skip
    text = (real_data / "fares" / "izu_fares_2026_05.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 16
    for row in rows:
        route = "[06]" if row["class"] == "jetfoil" else routes[row["operator"]]
        if row["vessel"] == "ははじま丸":
            route = "[02]"
        leg = ride(
            route,
            "=" + ports[row["origin"]],
            "=" + ports[row["destination"]],
            operator="3010401020097",
            mode=Mode.FERRY,
        )
        assert total(engine, [leg], ADULT, TICKET) == int(row["adult_one_way_jpy"]), row


def test_every_station_is_a_stop_of_the_real_feed_and_no_hop_is_shorter_than_the_crow_flies(
    real_data: Path, tables: Rows
) -> None:
    with zipfile.ZipFile(real_data / "tokyo" / "rail.zip") as feed:
        text = feed.read("stops.txt").decode("utf-8-sig")
    stops = {
        row["stop_id"]: (float(row["stop_lat"]), float(row["stop_lon"]))
        for row in csv.DictReader(text.splitlines())
    }
    lines = {"JR-East.Chuo": "JR-East.ChuoSobuLocal", "JR-East.Sobu": "JR-East.ChuoSobuLocal"}
    aliases = {"JR-East.ChuoSobuLocal.Kanda": "JR-East.ChuoRapid.Kanda"}
    before: LineKmRow | None = None
    checked = 0
    for row in rows_of(tables, LineKmRow):
        stop = f"{lines.get(row.line, row.line)}.{row.station}"
        here = stops[aliases.get(stop, stop)]
        if before is not None and before.line == row.line:
            there = f"{lines.get(row.line, row.line)}.{before.station}"
            crow_km = _crow_km(stops[aliases.get(there, there)], here)
            # A coordinate is that of some platform, a tariff km is measured between other points and rounded
            # to 0.1 km: 九段下-神保町 is 0.58 km by coordinates and 0.4 km in the Hanzomon line's tariff.
            # JR's kilometres are older than some of its platforms: 渋谷-原宿 is 1.2 km and 1.49 km apart.
            slack_km = 0.3 if row.network_id == "jr_east_yamanote" else 0.2
            assert (row.km - before.km) / 10 >= crow_km - slack_km, (before.station, row.station, crow_km)
            assert (row.km - before.km) / 10 <= 2 * crow_km + 0.5, (before.station, row.station, crow_km)
            checked += 1
        before = row
    assert checked > 300


def _crow_km(here: tuple[float, float], there: tuple[float, float]) -> float:
    north = (here[0] - there[0]) * 111.2
    east = (here[1] - there[1]) * 111.2 * math.cos(math.radians(here[0]))
    return math.hypot(north, east)
