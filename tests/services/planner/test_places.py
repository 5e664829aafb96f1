"""Which place a text means."""

from pathlib import Path

import pytest

from maas.errors import PlaceNotFound
from maas.journeys import Mode
from routing.strings import get_string
from services.planner.network import Network, open_network
from services.planner.places import PlaceIndex
from tests.services.planner.conftest import publish_literal

# 大島 is a station in the city, and an island 110 km away with a port; 熱海 has a port beside its station.
WORLD = """
    station G 35.70 139.70 name="浜松町"
    stop H 35.7000 139.7000 name="浜松町" station=G
    stop D 35.7010 139.7000 name="大門" station=G
    stop O 35.69 139.83 name="大島"
    stop I 34.79 139.39 name="大島"
    stop P 34.75 139.35 name="元町港（大島）"
    stop K 34.7501 139.35 name="元町港（大島）"
    stop A 35.10 139.08 name="熱海"
    stop B 35.09 139.076 name="熱海"
    stop T 35.65 139.76 name="東京・竹芝"
    stop E 35.68 139.767 name="東京"
    route R rail
    stops H     D     O     E     A
    t1    08:00 08:05 08:10 08:20 09:00
    t2    09:00 09:05 09:10 09:20 10:00
    route F ferry
    stops T     I     P     B
    s1    10:00 12:00 12:30 14:00
    route W bus
    stops K     I
    b1    13:00 13:20
"""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> PlaceIndex:
    return open_network(publish_literal(tmp_path_factory.mktemp("w"), "w", WORLD)).places


def meant(places: PlaceIndex, text: str) -> set[str]:
    timetable = places._timetable
    return {get_string(timetable.stop_ids, stop)[4:] for stop in places.get_end(text).stops}


@pytest.mark.parametrize(
    ("text", "stops"),
    [
        ("大島", {"I", "P", "K"}),  # the island: all its ports, and the bus stop at one of them
        ("大島駅", {"O"}),
        ("Ｏ大島"[1:], {"I", "P", "K"}),
        ("元町港", {"P", "K"}),
        ("元町", {"P", "K"}),
        ("大島 元町", {"P", "K"}),
        ("浜松町", {"H"}),  # by name the platforms so called; the whole station by its id
        ("大門", {"D"}),
        ("東京", {"E"}),  # a whole name is better than a part of 東京・竹芝
        ("竹芝", {"T"}),
        ("lit:G", {"H", "D"}),
        ("lit:O", {"O"}),
    ],
)
def test_what_a_name_means(places: PlaceIndex, text: str, stops: set[str]) -> None:
    assert meant(places, text) == stops


def test_a_port_beside_its_station_is_no_island(places: PlaceIndex) -> None:
    """熱海: two lines call at the station, so the station is meant; 熱海港 limits to the port."""
    assert meant(places, "熱海") == {"A"}
    assert meant(places, "熱海港") == {"B"}


def test_a_point_is_a_place_without_stops(places: PlaceIndex) -> None:
    end = places.get_end(" 35.6896, 139.6917 ")
    assert (end.place.lat, end.place.lon, end.stops) == (35.6896, 139.6917, ())


@pytest.mark.parametrize("text", ["", "   ", "nowhere at all", "91,0", "0,181", "lit:", "：", "1e5,3"])
def test_what_means_nothing_is_refused(places: PlaceIndex, text: str) -> None:
    with pytest.raises(PlaceNotFound):
        places.get_end(text)


def test_matches_come_best_first(places: PlaceIndex) -> None:
    matches = places.list_matches("大島", count=10)
    *ports, station = matches
    assert {match.spot.name for match in ports} == {"大島", "元町港（大島）"}
    assert all(Mode.FERRY in match.spot.modes for match in ports)
    assert (station.spot.name, station.spot.is_island) == ("大島", False)


def test_the_city_is_found_in_five_scripts(city: Network) -> None:
    for text in ("都庁前", "Tochomae", "도초마에", "都廳前"[0] + "庁前", "TOCHŌMAE"):
        end = city.places.get_end(text)
        assert {get_string(city.router.timetable.stop_ids, stop) for stop in end.stops} == {
            "demo:Toei.Oedo.Tochomae",
            "demo:Toei.Oedo.Tochomae.1",
        }
    assert city.places.get_end("都庁前", language="en").place.name == "Tochomae"


def test_the_island_is_its_ports(city: Network) -> None:
    end = city.places.get_end("大島")
    ids = {get_string(city.router.timetable.stop_ids, stop) for stop in end.stops}
    assert {"demo:[12]大島", "demo:[12]大島.1"} <= ids
    assert "demo:Toei.Shinjuku.Ojima" not in ids


def names(network: Network, text: str, count: int = 5) -> list[str]:
    return [match.spot.name for match in network.places.list_matches(text, count=count)]


@pytest.mark.parametrize(
    "text",
    [
        "都庁前", "とちょうまえ", "トチョウマエ", "ﾄﾁｮｳﾏｴ", "Tochomae", "Tochōmae",
        "totyoumae", "tochoumae", "도초마에",
        # A letter too many, one missing, one wrong, two swapped.
        "Tochhomae", "Tochmae", "Tochonae", "Tohcomae", "とちよまえ", "都丁前", "도쵸마에",
    ],
)  # fmt: skip
def test_a_station_is_found_however_it_is_written(city: Network, text: str) -> None:
    assert names(city, text)[0] == "都庁前"


def test_errors_are_forgiven_only_where_something_is_left(city: Network) -> None:
    """Two characters may be any place; eight with three errors are another word; a search never guesses."""
    assert names(city, "竹x") == []
    assert names(city, "Txxhxmae") == []
    with pytest.raises(PlaceNotFound):
        city.places.get_end("Tochonae")
    assert city.places.get_end("totyoumae").place.name == city.places.get_end("都庁前").place.name


def test_a_reading_counts_more_than_a_part_of_another_name(tmp_path: Path) -> None:
    """西しんじゅく has the text in it; Shinjuku is what it says."""
    feed = """
        calendar all 2026-05-01 2026-05-31
        stop A 35.69 139.70 name="Shinjuku"
        stop B 35.69 139.60 name="西しんじゅく"
        route R rail
        stops A     B
        t1    08:00 08:10
    """
    network = open_network(publish_literal(tmp_path, "readings", feed))
    assert names(network, "しんじゅく") == ["Shinjuku", "西しんじゅく"]
    assert network.places.get_end("しんじゅく").place.name == "Shinjuku"


def test_of_equal_errors_the_more_served_place_comes_first(city: Network) -> None:
    matches = city.places.list_matches("Shimbasho", count=10)
    importance = [match.spot.importance for match in matches if match.tier == matches[0].tier]
    assert importance == sorted(importance, reverse=True)
