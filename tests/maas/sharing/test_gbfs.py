"""GBFS in, records out: what the standard says, what goes wrong in the world, and both versions alike."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtfs.notices import Notices
from maas.sharing.fields import parse_instant
from maas.sharing.gbfs import (
    Envelope,
    open_document,
    read_discovery,
    read_station_statuses,
    read_stations,
    read_system,
    read_vehicle_types,
    read_vehicles,
)
from maas.sharing.geofences import read_geofences
from maas.sharing.prices import price_ride, read_pricing_plans
from maas.sharing.records import PricingPlan, RateStep, StationStatus, name_in
from payments.money import Money

READERS: dict[str, Any] = {
    "geofencing_zones": read_geofences,
    "gbfs": read_discovery,
    "system_information": read_system,
    "vehicle_types": read_vehicle_types,
    "station_information": read_stations,
    "station_status": read_station_statuses,
    "free_bike_status": read_vehicles,
    "vehicle_status": read_vehicles,
    "system_pricing_plans": read_pricing_plans,
}


def opened(data: Any, notices: Notices | None = None, version: str = "3.0") -> Envelope:
    document = {"version": version, "last_updated": 1_751_437_263, "ttl": 60, "data": data}
    envelope = open_document(document, file="test.json", notices=Notices() if notices is None else notices)
    assert envelope is not None
    return envelope


def station(**changes: Any) -> dict[str, Any]:
    return {"station_id": "s1", "name": "都庁", "lat": 35.69, "lon": 139.69, "capacity": 20, **changes}


def status(**changes: Any) -> dict[str, Any]:
    values = {"station_id": "s1", "is_installed": True, "is_renting": True, "is_returning": True}
    return {**values, "num_vehicles_available": 3, "num_docks_available": 4, **changes}


def test_both_versions_of_a_station_become_the_same_record() -> None:
    old = read_stations(opened({"stations": [station()]}, version="2.3"))
    new = read_stations(opened({"stations": [station(name=[{"text": "都庁", "language": ""}])]}))
    assert old == new
    assert (old[0].station_id, old[0].dock_count, name_in(old[0].names, "ja")) == ("s1", 20, "都庁")


def test_both_versions_of_a_status_become_the_same_record() -> None:
    new = status(last_reported="2026-05-20T12:00:00+09:00")
    old = {**status(), "num_bikes_available": 3, "last_reported": 1_779_246_000}
    del old["num_vehicles_available"]
    assert read_station_statuses(opened({"stations": [old]})) == read_station_statuses(
        opened({"stations": [new]})
    )
    found = read_station_statuses(opened({"stations": [new]}))[0]
    assert found.reported_at == datetime(2026, 5, 20, 3, 0, tzinfo=UTC)


def test_counts_by_type_are_added_up() -> None:
    by_type = [{"vehicle_type_id": "e", "count": 2}, {"vehicle_type_id": "k", "count": 1}]
    docks = [{"vehicle_type_ids": ["e", "k"], "count": 4}]
    row = status(vehicle_types_available=by_type, vehicle_docks_available=docks)
    found = read_station_statuses(opened({"stations": [row]}))[0]
    assert found.vehicles_by_type == {"e": 2, "k": 1}
    assert found.docks_by_type == {"e": 4, "k": 4}


def test_nothing_can_be_rented_where_nothing_is_rented_out() -> None:
    def to_rent(**changes: Any) -> int:
        found: StationStatus = read_station_statuses(opened({"stations": [status(**changes)]}))[0]
        return found.vehicles_to_rent

    assert to_rent() == 3
    assert to_rent(is_renting=False) == 0
    assert to_rent(is_installed=False) == 0
    # GBFS 1 sent numbers for booleans, and real systems still do.
    assert to_rent(is_renting=0) == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"station_id": None}, "station_id"),
        ({"station_id": ""}, "station_id"),
        ({"name": []}, "name"),
        ({"lat": 95}, "lat"),
        ({"lat": "35.69"}, "lat"),
        ({"lon": None}, "lon"),
        ({"lat": 0, "lon": 0}, "lat"),
        ({"station_id": "a\x00b"}, "station_id"),
    ],
)
def test_a_bad_row_is_noted_with_its_place_and_left_out(changes: dict[str, Any], field: str) -> None:
    notices = Notices()
    rows = [station(station_id="good"), station(**changes)]
    found = read_stations(opened({"stations": rows}, notices))
    assert [each.station_id for each in found] == ["good"]
    notice = next(iter(notices))
    assert (notice.code, notice.file, notice.row, notice.field) == (
        "gbfs_row_left_out",
        "test.json",
        2,
        field,
    )


def test_a_bad_field_costs_only_itself() -> None:
    notices = Notices()
    found = read_stations(opened({"stations": [station(capacity=-1, address=5.5)]}, notices))
    assert found[0].dock_count is None
    assert {notice.code for notice in notices} == {"gbfs_field_ignored"}
    assert {notice.field for notice in notices} == {"capacity", "address"}


def test_a_station_that_comes_twice_is_taken_once() -> None:
    notices = Notices()
    rows = [station(capacity=1), station(capacity=2)]
    assert [each.dock_count for each in read_stations(opened({"stations": rows}, notices))] == [1]
    assert notices.has_errors


def test_a_vehicle_needs_a_place_or_a_station() -> None:
    bike = {"is_reserved": False, "is_disabled": False}
    rows = [
        {"vehicle_id": "1", "lat": 35.0, "lon": 139.0, **bike},
        {"bike_id": "2", "station_id": "s1", **bike},
        {"vehicle_id": "3", **bike},
    ]
    notices = Notices()
    found = read_vehicles(opened({"vehicles": rows}, notices))
    assert [(each.vehicle_id, each.lat, each.station_id) for each in found] == [
        ("1", 35.0, ""),
        ("2", None, "s1"),
    ]
    assert notices.has_errors


def test_vehicle_types_keep_to_the_words_of_the_standard() -> None:
    def types(**changes: Any) -> tuple[Any, Notices]:
        notices = Notices()
        row = {"vehicle_type_id": "t", "form_factor": "bicycle", "propulsion_type": "human", **changes}
        return read_vehicle_types(opened({"vehicle_types": [row]}, notices)), notices

    assert types()[0][0].form_factor == "bicycle"
    assert types(form_factor="scooter")[0][0].form_factor == "scooter_standing"  # 2.x's word
    found, notices = types(form_factor="hoverboard")
    assert found[0].form_factor == "other"
    assert notices.count("gbfs_field_ignored") == 1
    found, notices = types(propulsion_type="steam")
    assert found == ()
    assert notices.has_errors


def test_discovery_is_flat_in_3_and_by_language_in_2() -> None:
    feeds = {"feeds": [{"name": "station_status", "url": "https://bikes.example/status"}]}
    expected = {"station_status": "https://bikes.example/status"}
    assert read_discovery(opened(feeds)) == expected
    assert read_discovery(opened({"en": {"feeds": []}, "ja": feeds}, version="2.3")) == expected
    assert read_discovery(opened({"fr": feeds}, version="2.3")) == expected
    notices = Notices()
    assert read_discovery(opened({}, notices)) == {}
    assert notices.has_errors


def test_what_is_no_document_is_noted() -> None:
    for document in (None, [], "x", {}, {"data": []}):
        notices = Notices()
        assert open_document(document, file="a.json", notices=notices) is None
        assert notices.count("gbfs_no_document") == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        "stations", "bikes", "vehicles", "feeds", "en", "plans", "vehicle_types", "station_id", "name", "lat",
        "lon", "capacity", "is_renting", "num_bikes_available", "vehicle_docks_available", "count", "price",
        "currency", "per_min_pricing", "start", "rate", "interval", "end", "text", "language", "rental_uris",
    ]
)  # fmt: skip
DOCUMENT = st.recursive(
    JSON,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=150)
@given(DOCUMENT, st.sampled_from(sorted(READERS)))
def test_no_json_makes_a_reader_raise(data: Any, name: str) -> None:
    notices = Notices()
    envelope = open_document({"data": data}, file=name, notices=notices)
    if envelope is not None:
        READERS[name](envelope)


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2099, 1, 1)))  # noqa: DTZ001 - naive on purpose
def test_instants_are_the_same_as_text_and_as_seconds(moment: datetime) -> None:
    instant = moment.replace(microsecond=0, tzinfo=UTC)
    assert parse_instant(instant.isoformat()) == parse_instant(int(instant.timestamp())) == instant
    assert parse_instant(moment.isoformat()) is None  # without an offset it is no instant


# --- prices -----------------------------------------------------------------------------------------------

DEMO = PricingPlan(
    plan_id="p",
    names={"ja": "1回"},
    currency="JPY",
    price_minor=165,
    steps=(RateStep(start_min=30, rate_minor=165, interval_min=30),),
)


@pytest.mark.parametrize(
    ("ride_s", "yen"),
    [(0, 165), (1, 165), (1800, 165), (1801, 330), (3600, 330), (3601, 495), (12 * 3600, 165 * 24)],
)
def test_each_half_hour_begun_costs(ride_s: int, yen: int) -> None:
    assert price_ride(DEMO, ride_s=ride_s) == Money(yen)


def test_steps_end_and_single_charges_come_once() -> None:
    # 50 to start, 20 a minute for ten minutes, and 500 once from the hour on.
    plan = PricingPlan(
        plan_id="p",
        names={},
        currency="JPY",
        price_minor=50,
        steps=(
            RateStep(start_min=0, rate_minor=20, interval_min=1, end_min=10),
            RateStep(start_min=60, rate_minor=500, interval_min=0),
        ),
    )
    assert price_ride(plan, ride_s=90) == Money(50 + 2 * 20)
    assert price_ride(plan, ride_s=30 * 60) == Money(50 + 10 * 20)
    assert price_ride(plan, ride_s=3 * 3600) == Money(50 + 10 * 20 + 500)


@given(st.integers(0, 100_000), st.integers(0, 100_000))
def test_a_longer_ride_never_costs_less(one: int, other: int) -> None:
    shorter, longer = sorted((one, other))
    assert price_ride(DEMO, ride_s=shorter).amount_minor <= price_ride(DEMO, ride_s=longer).amount_minor


def plans(**changes: Any) -> tuple[tuple[PricingPlan, ...], Notices]:
    notices = Notices()
    row = {"plan_id": "p", "name": "x", "currency": "JPY", "price": 165, **changes}
    return read_pricing_plans(opened({"plans": [row]}, notices)), notices


def test_prices_are_whole_minor_units_or_nothing() -> None:
    assert plans()[0][0].price_minor == 165
    assert plans(price=165.0)[0][0].price_minor == 165
    assert plans(currency="EUR", price=1.2)[0][0].price_minor == 120  # 1.2 is not exact as a float
    assert plans(currency="EUR", price="0.28")[0][0].price_minor == 28
    for bad in (165.5, -1, None, True, "1,000"):
        found, notices = plans(price=bad)
        assert found == (), bad
        assert notices.has_errors
    assert plans(per_km_pricing=[{"start": 0, "rate": 1, "interval": 1}])[0] == ()
    assert plans(per_min_pricing=[{"start": 0, "rate": 0.5, "interval": 1}])[0] == ()
    assert plans(currency="yen1")[0] == ()


# --- the standard's own examples, and two real systems ----------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize("version", ["v2.3", "v3.0"])
def test_the_standards_examples_are_read_without_an_error(real_data: Path, version: str) -> None:
    read: dict[str, Any] = {}
    for path in sorted((real_data / "gbfs" / version).glob("*.json")):
        if path.stem not in READERS:
            continue
        document = json.loads(path.read_text(encoding="utf-8"))
        notices = Notices()
        envelope = open_document(document, file=path.name, notices=notices)
        assert envelope is not None
        assert envelope.version == version.removeprefix("v")
        read[path.stem] = READERS[path.stem](envelope)
        assert [str(notice) for notice in notices] == []
        if path.stem == "station_information":
            # Nothing is lost: as many records as the document has rows.
            assert len(read[path.stem]) == len(document["data"]["stations"])
    assert read["system_information"].system_id
    assert read["gbfs"]["station_status"]
    vehicles = "free_bike_status" if version == "v2.3" else "vehicle_status"
    assert len(read[vehicles]) > 0
    assert len(read["station_status"]) > 0
    # Norwegian and euro prices by minute: 3.50 NOK and 0.28 EUR are 350 oere and 28 cents.
    rates = {step.rate_minor for plan in read["system_pricing_plans"] for step in plan.steps}
    assert (350 if version == "v2.3" else 28) in rates


@pytest.mark.real
def test_two_real_tokyo_systems_fit_the_records(real_data: Path) -> None:
    with (real_data / "gbfs" / "docomo-cycle-tokyo_station.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    as_gbfs = [
        {
            "station_id": row["station_id"],
            "name": row["name"],
            "lat": float(row["lat"]),
            "lon": float(row["lon"]),
            "capacity": int(row["capacity"]),
        }
        for row in rows
    ]
    notices = Notices()
    found = read_stations(opened({"stations": as_gbfs}, notices, version="2.3"))
    assert len(found) + notices.count("gbfs_row_left_out") == len(rows) == 1214
    assert len(found) >= 1210
