"""Make the demonstration city's feed from its tables.

Problem   A newcomer runs the demonstration on any day; a committed zip would be out of date within a year.
Idea      Read the tables, make trips for a window around the day, write one GTFS zip. The same tables and the
          same day give the same bytes.
Invariant Ids do not depend on the day: `Sarubia.A` is さるびあ丸 at 22:00 in every feed made here.
"""

import csv
import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from services.demo.city import calls, products
from services.demo.city.calendars import list_calendar_date_rows, list_calendar_rows, list_days
from services.demo.city.calls import Row, clock_text
from services.demo.city.stations import (
    CityStop,
    StationSite,
    list_city_stops,
    list_station_sites,
    list_walks,
)
from services.demo.city.tables import FOLDER, Names, list_agencies, list_routes
from services.demo.city.trains import InSeatLink, TrainTrip, build_trips, link_loop

FEED_ID = "demo"
TARIFFS = FOLDER / "tariffs"
_PUBLISHER = (
    "Tsunagu demonstration city: synthetic; facts from nagix/mini-tokyo-3d (MIT, Akihiko Kusanagi), ODPT"
)
_STEP_FREE_AGENCIES = {"Toei", "Yurikamome"}
_ZIP_TIME = (2020, 1, 1, 0, 0, 0)
_BY_WALK, _IN_SEAT = 2, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CityFeeds:
    """Where the city was written, and the days it is valid."""

    demo: Path
    tariffs: Path
    first_date: date
    last_date: date

    @property
    def paths(self) -> tuple[Path, ...]:
        """All feeds, for loading."""
        return (self.demo,)


def build_city(target_dir: Path, *, around: date) -> CityFeeds:
    """Write `demo.zip`, valid from 30 days before `around` to 400 days after it."""
    days = list_days(around)
    target_dir.mkdir(parents=True, exist_ok=True)
    path = target_dir / f"{FEED_ID}.zip"
    _write_zip(path, _list_files(days, around))
    return CityFeeds(demo=path, tariffs=TARIFFS, first_date=days[0], last_date=days[-1])


def _list_files(days: list[date], around: date) -> dict[str, str]:
    """Every file of the feed, by name."""
    trips = [trip for route in list_routes() for trip in build_trips(route)]
    loops = {route.route_id for route in list_routes() if route.shape == "loop"}
    links = link_loop([trip for trip in trips if trip.route.route_id in loops])
    stops = list_city_stops()
    stations = list_station_sites(stops)
    trip_rows = [*_train_trip_rows(trips), *calls.list_trip_rows(), *calls.list_van_trip_rows()]
    services = {str(row[1]) for row in trip_rows}
    return {
        **_identity_files(days, around),
        **_stop_files(stops, stations, links),
        **_trip_files(trips, trip_rows),
        "calendar.txt": _table(
            "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date",
            list_calendar_rows(days),
        ),
        "calendar_dates.txt": _table(
            "service_id,date,exception_type", list_calendar_date_rows(days, services)
        ),
        "translations.txt": _table(
            "table_name,field_name,language,translation,record_id",
            _translation_rows(stops, stations),
        ),
        **_fare_files(around),
    }


def _identity_files(days: list[date], around: date) -> dict[str, str]:
    return {
        "agency.txt": _table(
            "agency_id,agency_name,agency_url,agency_timezone,agency_lang,agency_phone",
            [
                (agency.agency_id, agency.names.ja, agency.url, "Asia/Tokyo", "ja", agency.phone)
                for agency in list_agencies()
            ],
        ),
        "feed_info.txt": _table(
            "feed_publisher_name,feed_publisher_url,feed_lang,default_lang,feed_start_date,feed_end_date,"
            "feed_version,feed_contact_email",
            [
                (
                    _PUBLISHER,
                    "https://tsunagu.example/",
                    "ja",
                    "ja",
                    f"{days[0]:%Y%m%d}",
                    f"{days[-1]:%Y%m%d}",
                    f"demo-{around:%Y%m%d}",
                    "demo@tsunagu.example",
                )
            ],
        ),
        "attributions.txt": _table(
            "attribution_id,organization_name,is_producer,is_operator,is_authority,attribution_url",
            [
                ("tsunagu", "Tsunagu demonstration city", 1, 0, 0, "https://tsunagu.example/"),
                (
                    "mt3d",
                    "nagix/mini-tokyo-3d (MIT, Akihiko Kusanagi): facts on lines and stations",
                    1,
                    0,
                    0,
                    "https://github.com/nagix/mini-tokyo-3d",
                ),
                (
                    "odpt",
                    "公共交通オープンデータセンター (ODPT): facts behind lines, ships and island buses",
                    1,
                    0,
                    0,
                    "https://www.odpt.org/",
                ),
            ],
        ),
    }


def _stop_files(
    stops: dict[str, CityStop], stations: list[StationSite], links: list[InSeatLink]
) -> dict[str, str]:
    parents = {stop.stop_id: site.station.station_id for site in stations for stop in site.members}
    station_rows: list[Row] = [
        (site.station.station_id, "", site.station.names.ja, site.lat, site.lon, 1, "", 0)
        for site in stations
    ]
    stop_rows: list[Row] = [
        (
            stop.stop_id,
            stop.code,
            stop.names.ja,
            stop.lat,
            stop.lon,
            0,
            parents.get(stop.stop_id, ""),
            1 if stop.agency_id in _STEP_FREE_AGENCIES else 0,
        )
        for stop in stops.values()
    ]
    walk_rows: list[Row] = [
        (walk.from_stop_id, walk.to_stop_id, "", "", _BY_WALK, walk.seconds)
        for walk in list_walks(stops, stations)
    ]
    link_rows: list[Row] = [
        (link.stop_id, link.stop_id, link.from_trip_id, link.to_trip_id, _IN_SEAT, "") for link in links
    ]
    return {
        "stops.txt": _table(
            "stop_id,stop_code,stop_name,stop_lat,stop_lon,location_type,parent_station,wheelchair_boarding",
            [*station_rows, *stop_rows],
        ),
        "transfers.txt": _table(
            "from_stop_id,to_stop_id,from_trip_id,to_trip_id,transfer_type,min_transfer_time",
            [*walk_rows, *link_rows],
        ),
    }


def _trip_files(trips: list[TrainTrip], trip_rows: list[Row]) -> dict[str, str]:
    return {
        "routes.txt": _table(
            "route_id,agency_id,route_short_name,route_long_name,route_type,route_color,route_text_color",
            [
                (
                    route.route_id,
                    route.agency_id,
                    route.short_name,
                    route.names.ja,
                    route.route_type,
                    route.color,
                    route.text_color,
                )
                for route in list_routes()
            ],
        ),
        "trips.txt": _table(
            "route_id,service_id,trip_id,trip_headsign,trip_short_name,direction_id", trip_rows
        ),
        "stop_times.txt": _table(
            "trip_id,arrival_time,departure_time,stop_id,stop_sequence,pickup_type,drop_off_type,"
            "location_id,start_pickup_drop_off_window,end_pickup_drop_off_window,"
            "pickup_booking_rule_id,drop_off_booking_rule_id",
            [*_train_stop_time_rows(trips), *_ship_stop_time_rows(), *_van_stop_time_rows()],
        ),
        "booking_rules.txt": _table(
            "booking_rule_id,booking_type,prior_notice_duration_min,message,phone_number",
            calls.list_booking_rule_rows(),
        ),
        "locations.geojson": (FOLDER / "zones.json").read_text(encoding="utf-8"),
    }


def _train_trip_rows(trips: list[TrainTrip]) -> list[Row]:
    return [
        (trip.route.route_id, trip.service, trip.trip_id, trip.headsign, "", trip.direction) for trip in trips
    ]


def _train_stop_time_rows(trips: list[TrainTrip]) -> list[Row]:
    """Trains neither pick up at their last stop nor set down at their first."""
    text = [clock_text(minute) for minute in range(48 * 60)]
    no_flex = ("", "", "", "", "")
    rows: list[Row] = []
    for trip in trips:
        last = len(trip.stops) - 1
        for index, (stop, minute) in enumerate(zip(trip.stops, trip.minutes, strict=True)):
            time = text[minute]
            ends = (1 if index == last else 0, 1 if index == 0 else 0)
            rows.append((trip.trip_id, time, time, stop.stop_id, index + 1, *ends, *no_flex))
    return rows


def _ship_stop_time_rows() -> list[Row]:
    return [(*row, "", "", "", "", "") for row in calls.list_stop_time_rows()]


def _van_stop_time_rows() -> list[Row]:
    return [
        (trip_id, "", "", "", sequence, pickup, drop_off, zone_id, opens, closes, pickup_rule, drop_off_rule)
        for (
            trip_id,
            zone_id,
            sequence,
            opens,
            closes,
            pickup,
            drop_off,
            pickup_rule,
            drop_off_rule,
        ) in calls.list_van_stop_time_rows()
    ]


def _translation_rows(stops: dict[str, CityStop], stations: list[StationSite]) -> list[Row]:
    named: list[tuple[str, str, str, Names]] = [
        *(("agency", "agency_name", agency.agency_id, agency.names) for agency in list_agencies()),
        *(("routes", "route_long_name", route.route_id, route.names) for route in list_routes()),
        *(("stops", "stop_name", stop.stop_id, stop.names) for stop in stops.values()),
        *(("stops", "stop_name", site.station.station_id, site.station.names) for site in stations),
    ]
    return [
        (table, field, language, text, record_id)
        for table, field, record_id, names in named
        for language, text in (
            ("en", names.en),
            ("ko", names.ko),
            ("zh-Hans", names.zh_hans),
            ("ja-Hrkt", names.kana),
        )
        if text
    ]


def _fare_files(around: date) -> dict[str, str]:
    return {
        "fare_media.txt": _table("fare_media_id,fare_media_name,fare_media_type", products.FARE_MEDIA),
        "rider_categories.txt": _table(
            "rider_category_id,rider_category_name,is_default_fare_category", products.RIDER_CATEGORIES
        ),
        "fare_products.txt": _table(
            "fare_product_id,fare_product_name,rider_category_id,fare_media_id,amount,currency",
            products.list_product_rows(around),
        ),
        "fare_leg_rules.txt": _table(
            "leg_group_id,network_id,fare_product_id", products.list_leg_rule_rows(around)
        ),
        "networks.txt": _table("network_id,network_name", products.list_network_rows()),
        "route_networks.txt": _table("network_id,route_id", products.list_route_network_rows()),
    }


def _table(header: str, rows: Iterable[Row]) -> str:
    text = io.StringIO()
    text.write(header + "\n")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _write_zip(path: Path, files: dict[str, str]) -> None:
    """All at once under a name beside it, then renamed: a half-written feed is never seen."""
    unfinished = path.with_suffix(".part")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    unfinished.replace(path)
