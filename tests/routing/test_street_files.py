"""What may come as a map: broken files are refused with the cure, and leave no half-written folder."""

import json
from pathlib import Path

import numpy as np
import osmium
import pytest

from routing.errors import MapUnreadable, NoStreets, StreetsUnreadable
from routing.streets.compiling import compile_streets
from routing.streets.graph import GROUPS, open_streets
from routing.streets.street_ways import StreetWays
from tests.oracles.streets import PlainMap, PlainWay
from tests.routing.street_maps import write_osm

POINTS = {1: (35.0, 139.0), 2: (35.001, 139.0), 3: (35.002, 139.0), 4: (35.003, 139.0)}
STREET = {"highway": "residential", "name": "本町通り & <more>"}
PLAIN = PlainMap(POINTS, [PlainWay(7, (1, 2, 3, 4), STREET), PlainWay(8, (2, 9), STREET)])


def as_pbf(source: Path, target: Path) -> Path:
    with osmium.SimpleWriter(str(target)) as writer:
        for entity in osmium.FileProcessor(str(source)):
            writer.add(entity)
    return target


def assert_nothing_left(folder: Path) -> None:
    assert [path.name for path in folder.iterdir() if path.is_dir()] == []


def test_a_map_is_the_same_as_pbf_and_as_xml(tmp_path: Path) -> None:
    source = write_osm(PLAIN, tmp_path / "map.osm")
    compile_streets(source, tmp_path / "a")
    report = compile_streets(as_pbf(source, tmp_path / "map.osm.pbf"), tmp_path / "b")
    first, second = open_streets(tmp_path / "a"), open_streets(tmp_path / "b")
    for name in GROUPS:
        for one, other in zip(getattr(first, name), getattr(second, name), strict=True):
            assert np.array_equal(one, other)
    # 333.6 m of one street; the point 9 is beyond the border, so nothing is left of the other.
    assert (report.way_count, report.ways_cut, report.edge_count, report.edge_m) == (2, 1, 1, 333)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "map.osm", "map.osm.pbf"]
    way = StreetWays(second).find_way(POINTS[1], POINTS[4])
    assert way is not None
    assert way.steps[0].name == STREET["name"]


@pytest.mark.parametrize("name", ["map.osm", "map.pbf"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.95])
def test_a_file_cut_off_is_refused(tmp_path: Path, name: str, share: float) -> None:
    source = write_osm(PLAIN, tmp_path / "whole.osm")
    path = tmp_path / name
    whole = (source if name.endswith(".osm") else as_pbf(source, tmp_path / "whole.pbf")).read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(MapUnreadable, match=r"map\.(osm|pbf).*Fetch it again"):
        compile_streets(path, tmp_path / "streets")
    assert_nothing_left(tmp_path)


@pytest.mark.parametrize("name", ["map.osm", "map.pbf"])
def test_rubbish_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"no map at all \x00\xff" * 100)
    with pytest.raises(MapUnreadable, match="no whole OpenStreetMap extract"):
        compile_streets(path, tmp_path / "streets")
    assert_nothing_left(tmp_path)


def test_a_coordinate_that_is_none_is_refused(tmp_path: Path) -> None:
    path = write_osm(PLAIN, tmp_path / "map.osm")
    path.write_text(path.read_text().replace('lon="139.0000000"', 'lon="139.00a0000"', 1))
    with pytest.raises(MapUnreadable, match="coordinate"):
        compile_streets(path, tmp_path / "streets")
    assert_nothing_left(tmp_path)


def test_a_map_drawn_by_hand_has_ids_below_zero(tmp_path: Path) -> None:
    drawn = PlainMap({-1: POINTS[1], -2: POINTS[2], -3: (0.0, 0.0)}, [PlainWay(-5, (-1, -2), STREET)])
    report = compile_streets(write_osm(drawn, tmp_path / "map.osm"), tmp_path / "streets")
    assert (report.node_count, report.edge_m) == (2, 111)


def test_a_missing_file_and_one_of_another_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MapUnreadable, match=r"absent\.osm"):
        compile_streets(tmp_path / "absent.osm", tmp_path / "streets")
    (tmp_path / "map.zip").write_bytes(b"PK")
    with pytest.raises(MapUnreadable, match=r"none of \.osm\.pbf, \.pbf, \.osm"):
        compile_streets(tmp_path / "map.zip", tmp_path / "streets")
    assert_nothing_left(tmp_path)


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        (PlainMap(POINTS, []), "no street that anybody may use"),
        (PlainMap(POINTS, [PlainWay(1, (1, 2), {"highway": "motorway"})]), r"\(1 that nobody may\)"),
        (PlainMap(POINTS, [PlainWay(1, (8, 9), {"highway": "footway"})]), "not the points of any"),
    ],
)
def test_a_map_without_streets_is_refused(tmp_path: Path, plain: PlainMap, said: str) -> None:
    with pytest.raises(NoStreets, match=said):
        compile_streets(write_osm(plain, tmp_path / "map.osm"), tmp_path / "streets")
    assert_nothing_left(tmp_path)


def test_a_folder_in_use_is_not_overwritten(tmp_path: Path) -> None:
    path = write_osm(PLAIN, tmp_path / "map.osm")
    compile_streets(path, tmp_path / "streets")
    with pytest.raises(OSError, match="streets"):
        compile_streets(path, tmp_path / "streets")
    assert open_streets(tmp_path / "streets").edge_count == 1
    assert not (tmp_path / "streets.part").exists()


def test_another_format_and_half_a_folder_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "streets"
    with pytest.raises(StreetsUnreadable, match="no complete street graph"):
        open_streets(folder)
    compile_streets(write_osm(PLAIN, tmp_path / "map.osm"), folder)
    manifest = folder / "manifest.json"
    told = manifest.read_text()
    manifest.write_text(json.dumps(json.loads(told) | {"format": 0}))
    with pytest.raises(StreetsUnreadable, match="format 0, this program reads 1; compile the map again"):
        open_streets(folder)
    manifest.write_text(told)
    (folder / "rows.arcs.npy").write_bytes((folder / "rows.arcs.npy").read_bytes()[:-8])
    with pytest.raises(StreetsUnreadable, match="no complete street graph"):
        open_streets(folder)
    (folder / "rows.arcs.npy").unlink()
    with pytest.raises(StreetsUnreadable, match=r"rows\.arcs"):
        open_streets(folder)
