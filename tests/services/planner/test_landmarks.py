"""Places that are no stops: found by name, listed by the geocoder, begun and ended at."""

from pathlib import Path

import pytest

from maas.errors import PlaceNotFound
from routing.streets.compiling import compile_streets
from routing.streets.landmarks import LANDMARKS, read_landmarks
from services.planner.geocoding import (
    GeocodeQuery,
    MatchMessage,
    ReverseGeocodeQuery,
    list_geocoded,
    list_reverse_geocoded,
)
from services.planner.network import Network, open_network
from tests.services.planner.conftest import publish_literal

WORLD = """
    stop S 35.6580 139.7016 name="渋谷"
    stop M 35.6650 139.7100 name="明治神宮前"
    stop P 35.6700 139.7000 name="公園通り"
    route R rail
    stops S     M     P
    t1    08:00 08:05 08:10
"""
MAP = """<osm version="0.6">
 <node id="1" lat="35.6713" lon="139.6950"/>
 <node id="2" lat="35.6723" lon="139.6960"/>
 <node id="10" lat="35.6709" lon="139.7072"><tag k="amenity" v="place_of_worship"/>
  <tag k="name" v="東郷神社"/><tag k="name:en" v="Togo Shrine"/><tag k="name:ko" v="도고 신사"/>
  <tag k="name:zh" v="东乡神社"/><tag k="name:ja-Hira" v="とうごうじんじゃ"/></node>
 <node id="11" lat="35.6600" lon="139.7030"><tag k="tourism" v="attraction"/><tag k="name" v="渋谷"/></node>
 <node id="12" lat="35.6640" lon="139.7000"><tag k="leisure" v="park"/><tag k="name" v="公園"/></node>
 <way id="21"><nd ref="1"/><nd ref="2"/><tag k="highway" v="residential"/><tag k="name" v="美竹通り"/></way>
</osm>"""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    folder = tmp_path_factory.mktemp("landmarks")
    published = publish_literal(folder, "w", WORLD)
    (folder / "map.osm").write_text(MAP)
    streets = Path(published.path) / "streets"
    compile_streets(folder / "map.osm", streets)
    read_landmarks(folder / "map.osm").save(streets / LANDMARKS)
    return open_network(published)


def listed(network: Network, language: str = "ja", **query: object) -> list[MatchMessage]:
    return list_geocoded(network, GeocodeQuery.model_validate(query), language)


@pytest.mark.parametrize(
    "text", ["東郷神社", "Togo Shrine", "togo shrine", "도고 신사", "东乡神社", "とうごうじんじゃ",
             "トウゴウジンジャ", "Tōgō jinja", "Togo Shrime", "東郷"],
)  # fmt: skip
def test_a_landmark_is_found_however_it_is_written(network: Network, text: str) -> None:
    first = listed(network, text=text)[0]
    assert (first.type, first.id, first.name) == ("PLACE", "osm:node/10", "東郷神社")


def test_it_is_told_in_the_language_asked(network: Network) -> None:
    assert listed(network, "en", text="東郷神社")[0].name == "Togo Shrine"
    assert listed(network, "ko", text="東郷神社")[0].name == "도고 신사"


def test_a_street_is_an_address(network: Network) -> None:
    assert [match.type for match in listed(network, text="美竹通り")] == ["ADDRESS"]
    assert listed(network, text="美竹通り", type="PLACE,STOP") == []
    assert [match.id for match in listed(network, text="美竹通り", type="ADDRESS")] == ["osm:way/21"]


def test_a_name_that_a_stop_has_too_means_the_stop(network: Network) -> None:
    assert [match.type for match in listed(network, text="渋谷")] == ["STOP", "PLACE"]
    assert network.places.get_end("渋谷").place.stop_id == "lit:S"


def test_a_landmark_so_called_comes_before_a_stop_that_has_it_in_its_name(network: Network) -> None:
    end = network.places.get_end("公園")
    assert (end.place.name, end.stops) == ("公園", ())
    assert network.places.get_end("公園通り").place.stop_id == "lit:P"


def test_its_id_is_a_place(network: Network) -> None:
    end = network.places.get_end("osm:node/10", language="en")
    assert (end.place.name, end.place.lat, end.stops) == ("Togo Shrine", 35.6709, ())
    with pytest.raises(PlaceNotFound):
        network.places.get_end("osm:node/11111")


def test_a_search_never_guesses(network: Network) -> None:
    with pytest.raises(PlaceNotFound):
        network.places.get_end("Togo Shrime")


def test_what_is_near_comes_nearest_first(network: Network) -> None:
    query = ReverseGeocodeQuery.model_validate({"place": "35.6601,139.7029", "numResults": 3})
    near = list_reverse_geocoded(network, query, "ja")
    assert [match.id for match in near][:2] == ["osm:node/11", "lit:S"]
    streets = query.model_copy(update={"type": ("ADDRESS",)})
    assert [match.id for match in list_reverse_geocoded(network, streets, "ja")] == ["osm:way/21"]


def test_without_a_map_places_are_stops(tmp_path: Path) -> None:
    network = open_network(publish_literal(tmp_path, "bare", WORLD))
    assert {match.type for match in listed(network, text="渋谷")} == {"STOP"}
    assert listed(network, text="東郷神社") == []
    with pytest.raises(PlaceNotFound):
        network.places.get_end("osm:node/10")
