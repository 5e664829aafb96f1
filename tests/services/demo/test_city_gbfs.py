"""The demonstration's own GBFS is read by our own reader without a notice, at any time of day."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtfs.notices import Notices
from maas.sharing.gbfs import (
    Envelope,
    open_document,
    read_discovery,
    read_station_statuses,
    read_stations,
    read_system,
    read_vehicle_types,
)
from maas.sharing.prices import price_ride, read_pricing_plans
from payments.money import Money
from services.demo.city.gbfs import Document, build_document

NOON = datetime(2026, 5, 20, 3, 0, tzinfo=UTC)
BASE = "http://127.0.0.1:8080/api/demo/gbfs"


def read(document: Document, now: datetime = NOON) -> Envelope:
    notices = Notices()
    envelope = open_document(
        build_document(document, base_url=BASE, now=now), file=document.value, notices=notices
    )
    assert envelope is not None
    assert list(notices) == []
    return envelope


def test_every_document_is_found_and_says_its_version() -> None:
    found = read_discovery(read(Document.GBFS))
    assert {url.removeprefix(BASE + "/") for url in found.values()} == set(Document) - {Document.GBFS}
    for document in Document:
        assert read(document).version == "3.0"


def test_the_system_its_bike_and_its_price_are_told() -> None:
    system = read_system(read(Document.SYSTEM))
    assert system is not None
    assert system.system_id == "demo-cycle"
    (bike,) = read_vehicle_types(read(Document.VEHICLE_TYPES))
    assert (bike.form_factor, bike.propulsion_type) == ("bicycle", "electric_assist")
    (plan,) = read_pricing_plans(read(Document.PRICES))
    # 165 yen for the first half hour, 165 for each more that is begun.
    assert price_ride(plan, ride_s=30 * 60) == Money(165)
    assert price_ride(plan, ride_s=31 * 60) == Money(330)
    assert bike.pricing_plan_id == plan.plan_id


def test_there_are_twelve_ports_where_the_city_needs_them() -> None:
    stations = read_stations(read(Document.STATIONS))
    assert len(stations) == 12
    near = {
        "都庁": (35.6896, 139.6917),
        "竹芝": (35.6547, 139.7625),
        "国際展示場": (35.6344, 139.7916),
        "南大沢": (35.6141, 139.3798),
        "八丈島": (33.1150, 139.7858),
    }
    for place, (lat, lon) in near.items():
        assert [s for s in stations if abs(s.lat - lat) < 0.005 and abs(s.lon - lon) < 0.005], place


@given(st.integers(0, 24 * 60 - 1))
def test_bikes_and_docks_fill_a_port_at_every_minute(minute: int) -> None:
    now = NOON + timedelta(minutes=minute)
    sizes = {each.station_id: each.dock_count for each in read_stations(read(Document.STATIONS))}
    for status in read_station_statuses(read(Document.STATUS, now)):
        assert status.docks_available is not None
        assert status.vehicles_available + status.docks_available == sizes[status.station_id]
        assert status.vehicles_available >= 1
        assert status.reported_at == now


def test_ports_change_over_the_day() -> None:
    noon, midnight = (
        [each.vehicles_available for each in read_station_statuses(read(Document.STATUS, now))]
        for now in (NOON, NOON + timedelta(hours=12))
    )
    assert noon != midnight
    assert noon == pytest.approx(midnight, abs=30)
