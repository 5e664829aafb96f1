import shutil
from pathlib import Path

import pytest

from maas.errors import TariffUnreadable
from maas.fares.engine import FareEngine
from maas.fares.refunds import RefundRules
from tests.support.fares import TARIFFS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(TARIFFS, tmp_path / "tariffs")
    return tmp_path / "tariffs"


def replace(folder: Path, table: str, old: str, new: str) -> None:
    path = folder / f"{table}.csv"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize(
    ("table", "old", "new", "message"),
    [
        (
            "distance_bands",
            "toei_subway,1,4,178,180",
            "toei_subway,1,4,1O8,180",
            "row 2 ic_minor: '1O8' is no whole",
        ),
        ("distance_bands", "toei_subway,5,9", "toei_subway,6,9", "row 3 km_from: is 6, but .* must be 5"),
        ("distance_bands", "2026-03-13", "2026-03-15", "overlaps row"),
        ("line_km", "Toei.Asakusa,Magome,1.2", "Toei.Asakusa,Magome,1.25", "row 3 km: '1.25' is no distance"),
        ("line_km", "Toei.Asakusa,Magome,1.2", "Toei.Asakusa,Magome,9.2", "row 4 km: does not rise"),
        (
            "links",
            "BakuroYokoyama",
            "BakuroYokohama",
            "'BakuroYokohama' of toei_subway is not in line_km.csv",
        ),
        ("flat_fares", "toei_bus,210", "toei_buss,210", "'toei_buss' is not in networks.csv"),
        ("networks", ",flat,", ",free,", "row 2 rule: 'free' is none of: distance, zones, flat"),
        ("networks", "network_id", "network", "missing .'network_id'. or unknown .'network'. columns"),
        ("child_rules", "2014-04-01,,", "2014-04-01,2020-01-01,", "needs an open-ended row for"),
        ("ship_classes", "2nd,150", "3rd,150", "'3rd' is no class with a fare of its own"),
        ("child_rules", "2014-04-01", "April 2014", "row 2 valid_from: 'April 2014' is no date"),
        ("flat_fares", "2019-10-01", "2019-10-01 ", "^$"),
    ],
)
def test_a_wrong_cell_is_named_with_its_cure(
    folder: Path, table: str, old: str, new: str, message: str
) -> None:
    replace(folder, table, old, new)
    if message == "^$":  # spaces around a value are no mistake
        FareEngine.from_folder(folder)
        return
    with pytest.raises(TariffUnreadable, match=message):
        FareEngine.from_folder(folder)


def test_all_problems_are_told_at_once(folder: Path) -> None:
    replace(folder, "distance_bands", "toei_subway,1,4,178", "toei_subway,1,4,x")
    replace(folder, "flat_fares", "toei_bus,210", "toei_bus,y")
    with pytest.raises(TariffUnreadable, match=r"^2 problem") as caught:
        FareEngine.from_folder(folder)
    assert "distance_bands.csv row 2" in str(caught.value)
    assert "flat_fares.csv row" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'a,"b', b"\x83\x5c\n"])
def test_a_file_that_is_no_table_gives_one_clear_error(folder: Path, content: bytes) -> None:
    (folder / "flat_fares.csv").write_bytes(content)
    with pytest.raises(TariffUnreadable, match=r"flat_fares\.csv row 0"):
        FareEngine.from_folder(folder)


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TariffUnreadable, match=r"networks\.csv row 0 : is missing; add it"):
        FareEngine.from_folder(tmp_path)
    with pytest.raises(TariffUnreadable, match="needs a last row"):
        RefundRules.from_folder(tmp_path)
