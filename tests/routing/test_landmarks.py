"""What a map names, besides stops."""

import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

from routing.errors import MapUnreadable, StreetsUnreadable
from routing.streets.landmarks import KINDS, STREET, Landmarks, open_landmarks, read_landmarks
from routing.strings import get_string

MAP = """<osm version="0.6">
 <node id="1" lat="35.6600" lon="139.7000"/>
 <node id="2" lat="35.6610" lon="139.7000"/>
 <node id="3" lat="35.6610" lon="139.7020"/>
 <node id="4" lat="35.6600" lon="139.7020"/>
 <node id="5" lat="35.7000" lon="139.7000"/>
 <node id="6" lat="35.7010" lon="139.7000"/>
 <node id="10" lat="35.67" lon="139.71">
  <tag k="amenity" v="place_of_worship"/><tag k="name" v="東郷神社"/>
  <tag k="name:en" v="Togo Shrine;Tōgō Jinja"/><tag k="name:ja-Hira" v="とうごうじんじゃ"/>
 </node>
 <node id="11" lat="35.66" lon="139.70"><tag k="railway" v="station"/><tag k="name" v="渋谷"/></node>
 <node id="12" lat="35.66" lon="139.70"><tag k="highway" v="bus_stop"/><tag k="name" v="渋谷駅前"/></node>
 <node id="13" lat="35.66" lon="139.70"><tag k="barrier" v="gate"/><tag k="name" v="門"/></node>
 <node id="14" lat="35.66" lon="139.70"><tag k="amenity" v="school"/><tag k="name" v=" "/></node>
 <way id="20"><nd ref="1"/><nd ref="2"/><nd ref="3"/><nd ref="4"/><nd ref="1"/>
  <tag k="leisure" v="park"/><tag k="name" v="公園"/></way>
 <way id="21"><nd ref="1"/><nd ref="2"/><tag k="highway" v="footway"/><tag k="name" v="美竹通り"/></way>
 <way id="22"><nd ref="2"/><nd ref="3"/><tag k="highway" v="steps"/><tag k="name" v="美竹通り"/>
  <tag k="name:en" v="Mitake Street"/></way>
 <way id="23"><nd ref="5"/><nd ref="6"/><tag k="highway" v="residential"/><tag k="name" v="美竹通り"/></way>
</osm>"""


@pytest.fixture
def landmarks(tmp_path: Path) -> Landmarks:
    path = tmp_path / "map.osm"
    path.write_text(MAP)
    return read_landmarks(path)


def by_id(landmarks: Landmarks) -> dict[str, int]:
    return {get_string(landmarks.ids, i): i for i in range(landmarks.count)}


def test_what_has_a_name_and_is_no_stop_is_a_landmark(landmarks: Landmarks) -> None:
    """One street of two ways that meet, another of the same name 4 km away; an area counts once."""
    found = by_id(landmarks)
    kinds = {osm_id: KINDS[int(landmarks.points.kinds[i])] for osm_id, i in found.items()}
    streets = [osm_id for osm_id, kind in kinds.items() if kind == "street"]
    assert kinds["osm:node/10"] == "amenity"
    assert kinds["osm:way/20"] == "leisure"
    assert len(streets) == 2
    assert "osm:way/23" in streets
    assert landmarks.count == 4


def test_a_landmark_has_its_names_in_their_languages(landmarks: Landmarks) -> None:
    shrine = by_id(landmarks)["osm:node/10"]
    assert landmarks.list_names(shrine) == [
        ("", "東郷神社"),
        ("en", "Togo Shrine"),
        ("en", "Tōgō Jinja"),
        ("ja-Hrkt", "とうごうじんじゃ"),
    ]
    street = next(i for i in range(landmarks.count) if ("en", "Mitake Street") in landmarks.list_names(i))
    assert landmarks.list_names(street)[0] == ("", "美竹通り")


def test_an_area_is_in_the_middle_of_its_border(landmarks: Landmarks) -> None:
    park = by_id(landmarks)["osm:way/20"]
    assert 35.6600 < landmarks.points.lat[park] < 35.6610
    assert 139.7000 < landmarks.points.lon[park] < 139.7020


def test_saved_and_opened_they_are_the_same(landmarks: Landmarks, tmp_path: Path) -> None:
    landmarks.save(tmp_path / "saved")
    opened = open_landmarks(tmp_path / "saved")
    assert by_id(opened) == by_id(landmarks)
    assert [opened.list_names(i) for i in range(opened.count)] == [
        landmarks.list_names(i) for i in range(landmarks.count)
    ]


def test_a_folder_half_written_or_of_another_format_is_refused(landmarks: Landmarks, tmp_path: Path) -> None:
    landmarks.save(tmp_path / "half")
    (tmp_path / "half" / "texts.blob.npy").unlink()
    with pytest.raises(StreetsUnreadable, match="texts"):
        open_landmarks(tmp_path / "half")
    landmarks.save(tmp_path / "old")
    (tmp_path / "old" / "manifest.json").write_text('{"format": 0, "languages": []}')
    with pytest.raises(StreetsUnreadable, match="compile the map again"):
        open_landmarks(tmp_path / "old")


def test_a_map_that_names_nothing_has_no_landmarks(tmp_path: Path) -> None:
    path = tmp_path / "bare.osm"
    path.write_text('<osm version="0.6"><node id="1" lat="35" lon="139"/></osm>')
    assert read_landmarks(path).count == 0
    read_landmarks(path).save(tmp_path / "bare")
    assert open_landmarks(tmp_path / "bare").count == 0


def test_a_broken_map_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.osm"
    path.write_text(MAP[:400])
    with pytest.raises(MapUnreadable, match=r"cut\.osm"):
        read_landmarks(path)


@pytest.mark.real
def test_shibuya_has_its_landmarks(real_data: Path) -> None:
    """Beside the file read as plain XML: every named thing of a kind is one, and streets by name."""
    path = real_data / "streets" / "shibuya.osm"
    landmarks = read_landmarks(path)
    places: Counter[str] = Counter()
    streets: set[str] = set()
    for element in ET.parse(path).getroot():  # noqa: S314 - a file of ours
        tags = {tag.get("k", ""): tag.get("v", "") for tag in element.findall("tag")}
        if "name" not in tags or "railway" in tags or "public_transport" in tags:
            continue
        if any(tags.get(key, "no") != "no" for key in KINDS[:STREET]):
            places[tags["name"]] += 1
        elif element.tag == "way" and "highway" in tags:
            streets.add(tags["name"])
    own = [(int(landmarks.points.kinds[i]), landmarks.list_names(i)[0][1]) for i in range(landmarks.count)]
    assert Counter(name for kind, name in own if kind != STREET) == places
    assert streets <= {name for kind, name in own if kind == STREET}
