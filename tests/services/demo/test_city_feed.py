"""The city's feed: what the facts say must be found in the zip, by readers other than ours."""

import csv
import io
import json
import time
import warnings
import zipfile
from collections import defaultdict
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

from gtfs.reader import read_feed
from services.demo.city.build import CityFeeds, build_city
from services.demo.city.tables import list_berths, list_timetable

AROUND = date(2026, 5, 20)
Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> CityFeeds:
    return build_city(tmp_path_factory.mktemp("city"), around=AROUND)


@pytest.fixture(scope="module")
def tables(city: CityFeeds) -> dict[str, Rows]:
    with zipfile.ZipFile(city.demo) as archive:
        return {
            name.removesuffix(".txt"): list(
                csv.DictReader(io.StringIO(archive.read(name).decode("utf-8"), newline=""))
            )
            for name in archive.namelist()
            if name.endswith(".txt")
        }


@pytest.fixture(scope="module")
def calls(tables: dict[str, Rows]) -> dict[str, Rows]:
    by_trip: dict[str, Rows] = defaultdict(list)
    for row in tables["stop_times"]:
        by_trip[row["trip_id"]].append(row)
    return by_trip


def minutes(text: str) -> int:
    hours, mins, _ = text.split(":")
    return int(hours) * 60 + int(mins)


def test_our_reader_finds_no_error_and_no_warning(city: CityFeeds) -> None:
    reading = read_feed(city.demo, feed_id="demo")
    assert reading.feed is not None
    assert [str(notice) for notice in reading.notices if notice.severity != "info"] == []
    assert {zone.location_id for zone in reading.feed.zones} == {"hachijo_sakashita", "hachijo_sakaue"}


def test_gtfs_kit_counts_what_is_in_the_files(city: CityFeeds, tables: dict[str, Rows]) -> None:
    with warnings.catch_warnings():
        # pandas complains about the mixed columns of flex; gtfs-kit gives no way to name their types.
        warnings.simplefilter("ignore")
        import gtfs_kit  # noqa: PLC0415 - slow to import, and it warns

        feed = gtfs_kit.read_feed(city.demo, dist_units="km")
        trips = feed.get_trips("20260520")
    # Wednesday 20 May: every trip of the weekday timetable, the daily ones, and the ships of that day.
    expected = {"weekday", "daily", "every_day", "sarubia_a", "day_after_sarubia_a", "jet_ordinary"}
    ogasawara = {"ogasawara_out", "ogasawara_arrives", "ogasawara_return", "hahajima_ordinary"}
    assert set(trips["service_id"]) - ogasawara == expected
    assert len(trips) == sum(1 for row in tables["trips"] if row["service_id"] in set(trips["service_id"]))


def test_the_same_day_gives_the_same_bytes_and_quickly(city: CityFeeds, tmp_path: Path) -> None:
    started = time.process_time()
    again = build_city(tmp_path / "new folder", around=AROUND)
    assert time.process_time() - started < 3
    assert again.demo.read_bytes() == city.demo.read_bytes()


def test_ids_do_not_depend_on_the_day(tables: dict[str, Rows], tmp_path: Path) -> None:
    other = build_city(tmp_path, around=date(2027, 11, 3))
    with zipfile.ZipFile(other.demo) as archive:
        rows = csv.DictReader(io.StringIO(archive.read("trips.txt").decode("utf-8"), newline=""))
        assert {row["trip_id"] for row in rows} == {row["trip_id"] for row in tables["trips"]}


def test_oedo_calls_at_tochomae_twice_at_two_platforms_of_one_station(
    tables: dict[str, Rows], calls: dict[str, Rows]
) -> None:
    stations = {row["stop_id"]: row["parent_station"] for row in tables["stops"]}
    assert stations["Toei.Oedo.Tochomae"] == stations["Toei.Oedo.Tochomae.1"] == "Station.Tochomae"
    whole = [rows for trip_id, rows in calls.items() if trip_id.startswith("Toei.Oedo.") and len(rows) == 39]
    assert len(whole) > 300
    for rows in whole:
        stops = [row["stop_id"] for row in rows]
        first, second = sorted((stops.index("Toei.Oedo.Tochomae"), stops.index("Toei.Oedo.Tochomae.1")))
        # The loop's end is the trip's own end; the branch platform is ten stops from 光が丘.
        assert (first, second) in {(0, 28), (10, 38)}


def test_running_times_are_those_of_the_facts(calls: dict[str, Rows]) -> None:
    # Oedo 20:34 都庁前 -> 20:55 汐留 (via 六本木); Yurikamome 21:01 汐留 -> 21:04 竹芝; loop of 31 calls.
    def ride_min(rows: Rows, origin: str, destination: str) -> int:
        at = {row["stop_id"]: minutes(row["departure_time"]) for row in rows}
        return at[destination] - at[origin]

    oedo = next(rows for trip, rows in calls.items() if trip.startswith("Toei.Oedo.weekday.1.20"))
    assert ride_min(oedo, "Toei.Oedo.Tochomae.1", "Toei.Oedo.Shiodome") == 21
    line = "Yurikamome.Yurikamome"
    yurikamome = next(rows for trip, rows in calls.items() if trip.startswith(f"{line}.weekday.0.20"))
    assert ride_min(yurikamome, f"{line}.Shiodome", f"{line}.Takeshiba") == 3
    yamanote = next(rows for trip, rows in calls.items() if trip.startswith("JR-East.Yamanote.weekday.0.10"))
    assert len(yamanote) == 31
    assert 59 <= minutes(yamanote[-1]["arrival_time"]) - minutes(yamanote[0]["departure_time"]) <= 67


def test_headways_make_about_as_many_trains_as_the_facts_count(tables: dict[str, Rows]) -> None:
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for row in tables["trips"]:
        if row["service_id"] == "weekday":
            counts[row["route_id"], row["direction_id"]] += 1
    facts = {
        ("Toei.Oedo", "0"): 199,
        ("Toei.Oedo", "1"): 212,
        ("Toei.Shinjuku", "0"): 195,
        ("Toei.Shinjuku", "1"): 185,
        ("JR-East.Yamanote", "0"): 263,
        ("Yurikamome.Yurikamome", "0"): 238,
        ("Yurikamome.Yurikamome", "1"): 237,
        ("ToeiBus.Shuku74", "0"): 45,
        ("ToeiBus.Shuku75", "0"): 6,
    }
    for line, count in facts.items():
        assert counts[line] == pytest.approx(count, rel=0.12), line


def test_the_first_and_last_trains_are_those_of_the_facts(calls: dict[str, Rows]) -> None:
    departures = [
        rows[0]["departure_time"] for trip, rows in calls.items() if trip.startswith("Toei.Oedo.weekday.0.")
    ]
    assert min(departures) == "05:08:00"
    assert max(departures) == "24:25:00"
    last = max(
        minutes(row["arrival_time"]) for trip, rows in calls.items() for row in rows if "weekday" in trip
    )
    assert 24 * 60 < last <= 25 * 60 + 30


def test_loop_trains_go_on_without_a_gap(tables: dict[str, Rows], calls: dict[str, Rows]) -> None:
    links = [row for row in tables["transfers"] if row["transfer_type"] == "4"]
    assert len(links) > 800
    assert len({row["to_trip_id"] for row in links}) == len(links)
    for link in links:
        before, after = calls[link["from_trip_id"]][-1], calls[link["to_trip_id"]][0]
        assert before["stop_id"] == after["stop_id"] == link["from_stop_id"]
        assert 0 <= minutes(after["departure_time"]) - minutes(before["arrival_time"]) <= 10


def test_ships_sail_as_published(calls: dict[str, Rows]) -> None:
    def golden(trip_id: str) -> str:
        return " ".join(f"{row['arrival_time'][:5]}/{row['departure_time'][:5]}" for row in calls[trip_id])

    assert golden("Sarubia.A") == ("22:00/22:00 30:00/30:20 31:40/31:45 32:35/32:45 33:05/33:10 34:00/34:00")
    assert golden("Tachibana.Out") == "22:30/22:30 29:00/29:10 30:00/30:05 32:55/32:55"
    assert golden("Ogasawara.Out") == "11:00/11:00 35:00/35:00"  # 24 hours


def test_walks_to_the_pier_are_those_of_the_facts(tables: dict[str, Rows]) -> None:
    walks = {
        (row["from_stop_id"], row["to_stop_id"]): int(row["min_transfer_time"])
        for row in tables["transfers"]
        if row["transfer_type"] == "2"
    }
    pier = "[05]東京・竹芝"
    assert walks["Toei.Oedo.Daimon", pier] == walks[pier, "Toei.Oedo.Daimon"] == 11 * 60
    assert walks["JR-East.Yamanote.Hamamatsucho", pier] == 8 * 60
    assert walks["Yurikamome.Yurikamome.Takeshiba", pier] == 60
    assert walks["Toei.Oedo.Tochomae", "Toei.Oedo.Tochomae"] == 120
    assert walks["Toei.Oedo.Tochomae", "Toei.Oedo.Tochomae.1"] == 180


def test_every_reference_has_its_row(tables: dict[str, Rows], calls: dict[str, Rows]) -> None:
    stops = {row["stop_id"] for row in tables["stops"]}
    trips = {row["trip_id"] for row in tables["trips"]}
    routes = {row["route_id"] for row in tables["routes"]}
    services = {row["service_id"] for row in [*tables["calendar"], *tables["calendar_dates"]]}
    networks = {row["network_id"] for row in tables["networks"]}
    agencies = {row["agency_id"] for row in tables["agency"]}
    assert {row["stop_id"] for row in tables["stop_times"]} - {""} <= stops
    assert {row["parent_station"] for row in tables["stops"]} - {""} <= stops
    assert set(calls) == trips
    assert {row["route_id"] for row in tables["trips"]} == routes
    assert {row["service_id"] for row in tables["trips"]} <= services
    assert {row["network_id"] for row in tables["route_networks"]} == networks
    assert {row["network_id"] for row in tables["fare_leg_rules"]} <= networks
    assert {row["agency_id"] for row in tables["routes"]} == agencies
    records = {"stops": stops, "routes": routes, "agency": agencies}
    assert all(row["record_id"] in records[row["table_name"]] for row in tables["translations"])


def test_flat_fares_are_those_of_the_facts(tables: dict[str, Rows]) -> None:
    amounts = {
        (row["fare_product_id"], row["rider_category_id"], row["fare_media_id"]): int(row["amount"])
        for row in tables["fare_products"]
    }
    assert amounts["toei_bus_single", "adult", "ic"] == 210
    assert amounts["toei_bus_single", "child", "ic"] == 105
    assert amounts["toei_bus_single", "child", "ticket"] == 110
    assert amounts["toei_bus_ch01_single", "adult", "ic"] == 189
    assert amounts["toei_bus_ch01_single", "adult", "ticket"] == 190
    assert amounts["hachijo_van_single", "adult", "app"] == 500
    assert amounts["hachijo_van_single", "child", "app"] == 100


def test_names_are_there_in_the_languages_of_the_facts(tables: dict[str, Rows]) -> None:
    names = {
        (row["record_id"], row["language"]): row["translation"]
        for row in tables["translations"]
        if row["field_name"] == "stop_name"
    }
    assert names["Toei.Oedo.Tochomae", "en"] == "Tochomae"
    assert names["Toei.Oedo.Tochomae", "ko"] == "도초마에"
    assert names["[12]大島.1", "zh-Hans"] == "元町港（大岛）"
    stop_names = {row["stop_id"]: row["stop_name"] for row in tables["stops"]}
    # Whoever searches for 「大島 元町」 finds the island's town: both words are in the names there.
    for stop_id in ("Station.Motomachi", "101_01", "[12]大島.1"):
        assert "大島" in stop_names[stop_id]
        assert "元町" in stop_names[stop_id]


def test_the_vans_zones_hold_the_ports_and_do_not_overlap(city: CityFeeds) -> None:
    with zipfile.ZipFile(city.demo) as archive:
        features = json.loads(archive.read("locations.geojson"))["features"]
    rings = {feature["id"]: feature["geometry"]["coordinates"][0] for feature in features}
    assert all(ring[0] == ring[-1] for ring in rings.values())
    sokodo, yaene, nakanogo = (139.821233, 33.123615), (139.769695, 33.097875), (139.81, 33.065)
    assert inside(sokodo, rings["hachijo_sakashita"])
    assert inside(yaene, rings["hachijo_sakashita"])
    assert inside(nakanogo, rings["hachijo_sakaue"])
    grid = [(139.74 + x / 500, 33.04 + y / 500) for x in range(60) for y in range(60)]
    assert not [point for point in grid if all(inside(point, ring) for ring in rings.values())]


def inside(point: tuple[float, float], ring: list[list[float]]) -> bool:
    """Even-odd rule: count the edges that a ray to the east crosses."""
    x, y = point
    crossings = 0
    for (x1, y1), (x2, y2) in pairwise(ring):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
            crossings += 1
    return crossings % 2 == 1


def test_every_sailing_has_berths_and_only_sailings_have(tables: dict[str, Rows]) -> None:
    routes = {row["route_id"]: row["route_type"] for row in tables["routes"]}
    sailings = {trip.trip_id for trip in list_timetable() if routes[trip.route_id] == "4"}
    assert {berth.trip_id for berth in list_berths()} == sailings
    assert all(berth.place_count > 0 for berth in list_berths())
