"""The real feeds: read without losing what is good, and counted and dated as an independent reader does."""

import csv
import io
import warnings
import zipfile
from datetime import datetime
from pathlib import Path

import pytest

from gtfs.notices import Severity
from gtfs.reader import Reading, read_feed
from gtfs.service_calendar import ServiceCalendar

pytestmark = pytest.mark.real

SMALL = (
    "tokyo/island_ferries.zip",
    "tokyo/oshima_bus.zip",
    "tokyo/miyake_bus.zip",
    "tokyo/waterbus.zip",
    "tokyo/chiyoda_bus.zip",
    "tokyo/kita_bus.zip",
    "tokyo/shibuya_bus.zip",
    "tokyo/suginami_gsm.zip",
    "gtfs_jp_portliner.zip",
    "flex/ctran_flex.zip",
    "porto_alegre/poa_trensurb.zip",
    "realtime/caltrain.zip",
)
TABLES_COUNTED = (
    "agency",
    "stops",
    "routes",
    "trips",
    "stop_times",
    "calendar",
    "calendar_dates",
    "translations",
)


def count_rows(path: Path, name: str) -> int:
    """Rows with any value, by Python's own zip and csv."""
    with zipfile.ZipFile(path) as archive:
        if name not in archive.namelist():
            return 0
        text = archive.read(name).decode("utf-8-sig")
    rows = csv.reader(io.StringIO(text, newline=""))
    return sum(any(cell.strip() for cell in row) for row in rows) - 1


def codes(reading: Reading) -> set[str]:
    return {found.code for found in reading.notices.list_counts() if found.severity is not Severity.INFO}


@pytest.mark.parametrize("name", SMALL)
def test_small_feeds_keep_every_row(real_data: Path, name: str) -> None:
    reading = read_feed(real_data / name)
    assert reading.feed is not None
    for table in (
        "agency",
        "stops",
        "routes",
        "trips",
        "stop_times",
        "calendar",
        "calendar_dates",
        "translations",
    ):
        assert reading.feed[table].height == count_rows(real_data / name, f"{table}.txt"), table
    # Some services of the ferries and of C-TRAN have no day; Caltrain's
    # rider_categories are an older draft's.
    assert codes(reading) <= {"service_never_runs", "missing_column"}


@pytest.mark.parametrize(
    "name", ["tokyo/island_ferries.zip", "tokyo/oshima_bus.zip", "gtfs_jp_portliner.zip"]
)
def test_trips_of_each_day_are_those_of_gtfs_kit(real_data: Path, name: str) -> None:
    with warnings.catch_warnings():
        # Its imports and its pandas calls warn of things that are no concern of ours.
        warnings.simplefilter("ignore")
        import gtfs_kit  # noqa: PLC0415 - heavy, and only wanted here

        oracle = gtfs_kit.read_feed(real_data / name, dist_units="km")
        dates = oracle.get_dates()[:: max(1, len(oracle.get_dates()) // 12)]
        expected = {day: set(oracle.get_trips(day)["trip_id"]) for day in dates}
    feed = read_feed(real_data / name).feed
    assert feed is not None
    calendar = ServiceCalendar.from_feed(feed)
    service_of = dict(feed["trips"].select("trip_id", "service_id").rows())
    for text, trip_ids in expected.items():
        active = calendar.active_on(datetime.strptime(text, "%Y%m%d").date())  # noqa: DTZ007 - a date
        assert {trip for trip, service in service_of.items() if service in active} == trip_ids, text


def test_tokyos_rail_is_read_whole(real_data: Path) -> None:
    """The counts stand in the data's own README."""
    reading = read_feed(real_data / "tokyo" / "rail.zip")
    feed = reading.feed
    assert feed is not None
    heights = [feed[name].height for name in ("agency", "routes", "trips", "stop_times", "translations")]
    assert heights == [46, 179, 92_923, 1_208_522, 10_857]
    # Four of 28,372 in-seat links lead into a train that has left; the Joban line's own times say so.
    assert feed["transfers"].filter(transfer_type=4).height == 28_372 - 4
    assert [(found.code, found.count) for found in reading.notices.list_counts()] == [
        ("in_seat_transfer_backwards", 4),
        ("reading_missing", 1),
    ]
    calendar = ServiceCalendar.from_feed(feed)
    assert (str(calendar.first_date), str(calendar.last_date)) == ("2026-04-01", "2027-03-31")


def test_porto_alegre_gives_times_at_timepoints_only(real_data: Path) -> None:
    reading = read_feed(real_data / "porto_alegre" / "poa_eptc.zip")
    assert reading.feed is not None
    assert reading.feed["stop_times"].height == 130_019
    assert reading.feed["stop_times"]["arrival_time"].null_count() == 0
    assert reading.notices.count("times_interpolated") == 1
    assert codes(reading) == {"invalid_colour"}
