"""The tables of a GTFS feed, as typed columns.

Problem   A feed is a zip of text files with optional columns; every reader would guess types again.
Idea      One place says, for each file, which columns we keep, their types, and whether file and column
          must be there. A `Feed` always has every table and every column listed here: an absent optional
          column is there as nulls, an absent optional file as an empty table. Identifiers are strings as
          in the file; times are whole seconds after the service day's start (noon minus 12 h); dates are
          `pl.Date`. Each table has `row`, the line in its file (the header is line 1), for notices.
Not here  Reading (reader.py) and judging (rules/).
Source    GTFS Schedule reference, revision 2026-04-27.
"""

from dataclasses import dataclass, field

import polars as pl


@dataclass(frozen=True, slots=True)
class Column:
    """One column we keep: its name in the file, its type in memory, and whether it must be there.

    `kind` says how text becomes a value: `text`, `int`, `float`, `date` (YYYYMMDD), `time` (H:MM:SS, may
    pass 24:00:00; becomes Int32 seconds) or `colour`.
    """

    name: str
    kind: str = "text"
    required: bool = False


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One file of a feed: its columns, its key, and whether the file must be there."""

    file: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    required: bool = False

    @property
    def name(self) -> str:
        """The table's name: the file without `.txt`."""
        return self.file.removesuffix(".txt")


DTYPES: dict[str, pl.DataType | type[pl.DataType]] = {
    "text": pl.String,
    "colour": pl.String,
    "int": pl.Int32,
    "float": pl.Float64,
    "date": pl.Date,
    "time": pl.Int32,
}


def _required(*names: str, kind: str = "text") -> tuple[Column, ...]:
    return tuple(Column(name, kind, required=True) for name in names)


def _optional(*names: str, kind: str = "text") -> tuple[Column, ...]:
    return tuple(Column(name, kind) for name in names)


TABLES: tuple[TableSpec, ...] = (
    TableSpec(
        "agency.txt",
        (
            *_optional("agency_id"),
            *_required("agency_name"),
            *_required("agency_timezone"),
            *_optional("agency_url", "agency_lang", "agency_phone", "agency_fare_url"),
        ),
        key=("agency_id",),
        required=True,
    ),
    TableSpec(
        "stops.txt",
        (
            *_required("stop_id"),
            *_optional("stop_code", "stop_name", "stop_desc"),
            *_optional("stop_lat", "stop_lon", kind="float"),
            *_optional("zone_id", "parent_station", "stop_timezone", "level_id", "platform_code"),
            *_optional("location_type", "wheelchair_boarding", kind="int"),
        ),
        key=("stop_id",),
    ),
    TableSpec(
        "routes.txt",
        (
            *_required("route_id"),
            *_optional("agency_id", "route_short_name", "route_long_name", "route_desc"),
            *_required("route_type", kind="int"),
            *_optional("route_color", "route_text_color", kind="colour"),
            *_optional("network_id"),
        ),
        key=("route_id",),
        required=True,
    ),
    TableSpec(
        "trips.txt",
        (
            *_required("route_id", "service_id", "trip_id"),
            *_optional("trip_headsign", "trip_short_name", "block_id", "shape_id"),
            *_optional("direction_id", "wheelchair_accessible", "bikes_allowed", kind="int"),
        ),
        key=("trip_id",),
        required=True,
    ),
    TableSpec(
        "stop_times.txt",
        (
            *_required("trip_id"),
            *_optional("arrival_time", "departure_time", kind="time"),
            *_optional("stop_id", "location_group_id", "location_id"),
            *_required("stop_sequence", kind="int"),
            *_optional("stop_headsign"),
            *_optional("start_pickup_drop_off_window", "end_pickup_drop_off_window", kind="time"),
            *_optional("pickup_type", "drop_off_type", "timepoint", kind="int"),
            *_optional("pickup_booking_rule_id", "drop_off_booking_rule_id"),
        ),
        key=("trip_id", "stop_sequence"),
        required=True,
    ),
    TableSpec(
        "calendar.txt",
        (
            *_required("service_id"),
            *_required(
                "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", kind="int"
            ),
            *_required("start_date", "end_date", kind="date"),
        ),
        key=("service_id",),
    ),
    TableSpec(
        "calendar_dates.txt",
        (*_required("service_id"), *_required("date", kind="date"), *_required("exception_type", kind="int")),
        key=("service_id", "date"),
    ),
    TableSpec(
        "frequencies.txt",
        (
            *_required("trip_id"),
            *_required("start_time", "end_time", kind="time"),
            *_required("headway_secs", kind="int"),
            *_optional("exact_times", kind="int"),
        ),
        key=("trip_id", "start_time"),
    ),
    TableSpec(
        "transfers.txt",
        (
            *_optional("from_stop_id", "to_stop_id", "from_route_id", "to_route_id"),
            *_optional("from_trip_id", "to_trip_id"),
            *_required("transfer_type", kind="int"),
            *_optional("min_transfer_time", kind="int"),
        ),
        key=("from_stop_id", "to_stop_id", "from_trip_id", "to_trip_id", "from_route_id", "to_route_id"),
    ),
    TableSpec(
        "levels.txt",
        (*_required("level_id"), *_required("level_index", kind="float"), *_optional("level_name")),
        key=("level_id",),
    ),
    TableSpec(
        "pathways.txt",
        (
            *_required("pathway_id", "from_stop_id", "to_stop_id"),
            *_required("pathway_mode", "is_bidirectional", kind="int"),
            *_optional("length", kind="float"),
            *_optional("traversal_time", "stair_count", kind="int"),
            *_optional("max_slope", "min_width", kind="float"),
            *_optional("signposted_as", "reversed_signposted_as"),
        ),
        key=("pathway_id",),
    ),
    TableSpec(
        "translations.txt",
        (
            *_required("table_name", "field_name", "language", "translation"),
            *_optional("record_id", "record_sub_id", "field_value"),
        ),
        key=("table_name", "field_name", "language", "record_id", "record_sub_id", "field_value"),
    ),
    TableSpec(
        "feed_info.txt",
        (
            *_required("feed_publisher_name", "feed_publisher_url", "feed_lang"),
            *_optional("feed_start_date", "feed_end_date", kind="date"),
            *_optional("feed_version", "default_lang", "feed_contact_email", "feed_contact_url"),
        ),
        key=(),
    ),
    TableSpec(
        "attributions.txt",
        (
            *_optional("attribution_id", "agency_id", "route_id", "trip_id"),
            *_required("organization_name"),
            *_optional("is_producer", "is_operator", "is_authority", kind="int"),
            *_optional("attribution_url"),
        ),
        key=("attribution_id",),
    ),
    TableSpec(
        "fare_media.txt",
        (
            *_required("fare_media_id"),
            *_optional("fare_media_name"),
            *_required("fare_media_type", kind="int"),
        ),
        key=("fare_media_id",),
    ),
    TableSpec(
        "rider_categories.txt",
        (
            *_required("rider_category_id", "rider_category_name"),
            *_optional("is_default_fare_category", kind="int"),
            *_optional("eligibility_url"),
        ),
        key=("rider_category_id",),
    ),
    TableSpec(
        "fare_products.txt",
        (
            *_required("fare_product_id"),
            *_optional("fare_product_name", "rider_category_id", "fare_media_id"),
            *_required("amount", "currency"),
        ),
        key=("fare_product_id", "rider_category_id", "fare_media_id"),
    ),
    TableSpec(
        "fare_leg_rules.txt",
        (
            *_optional("leg_group_id", "network_id", "from_area_id", "to_area_id"),
            *_optional("from_timeframe_group_id", "to_timeframe_group_id"),
            *_required("fare_product_id"),
            *_optional("rule_priority", kind="int"),
        ),
        key=(
            "network_id",
            "from_area_id",
            "to_area_id",
            "from_timeframe_group_id",
            "to_timeframe_group_id",
            "fare_product_id",
        ),
    ),
    TableSpec(
        "fare_leg_join_rules.txt",
        (*_required("from_network_id", "to_network_id"), *_optional("from_stop_id", "to_stop_id")),
        key=("from_network_id", "to_network_id", "from_stop_id", "to_stop_id"),
    ),
    TableSpec(
        "fare_transfer_rules.txt",
        (
            *_optional("from_leg_group_id", "to_leg_group_id"),
            *_optional("transfer_count", "duration_limit", "duration_limit_type", kind="int"),
            *_required("fare_transfer_type", kind="int"),
            *_optional("fare_product_id"),
        ),
        key=("from_leg_group_id", "to_leg_group_id", "fare_product_id", "transfer_count", "duration_limit"),
    ),
    TableSpec(
        "timeframes.txt",
        (
            *_required("timeframe_group_id"),
            *_optional("start_time", "end_time", kind="time"),
            *_required("service_id"),
        ),
        key=("timeframe_group_id", "start_time", "end_time", "service_id"),
    ),
    TableSpec(
        "fare_attributes.txt",
        (
            *_required("fare_id", "price", "currency_type"),
            *_optional("payment_method", "transfers", "transfer_duration", kind="int"),
            *_optional("agency_id"),
        ),
        key=("fare_id",),
    ),
    TableSpec(
        "fare_rules.txt",
        (*_required("fare_id"), *_optional("route_id", "origin_id", "destination_id", "contains_id")),
        key=("fare_id", "route_id", "origin_id", "destination_id", "contains_id"),
    ),
    TableSpec("areas.txt", (*_required("area_id"), *_optional("area_name")), key=("area_id",)),
    TableSpec("stop_areas.txt", _required("area_id", "stop_id"), key=("area_id", "stop_id")),
    TableSpec("networks.txt", (*_required("network_id"), *_optional("network_name")), key=("network_id",)),
    TableSpec("route_networks.txt", _required("network_id", "route_id"), key=("route_id",)),
    TableSpec(
        "location_groups.txt",
        (*_required("location_group_id"), *_optional("location_group_name")),
        key=("location_group_id",),
    ),
    TableSpec(
        "location_group_stops.txt",
        _required("location_group_id", "stop_id"),
        key=("location_group_id", "stop_id"),
    ),
    TableSpec(
        "booking_rules.txt",
        (
            *_required("booking_rule_id"),
            *_required("booking_type", kind="int"),
            *_optional("prior_notice_duration_min", "prior_notice_duration_max", kind="int"),
            *_optional("prior_notice_last_day", "prior_notice_start_day", kind="int"),
            *_optional("prior_notice_last_time", "prior_notice_start_time", kind="time"),
            *_optional("prior_notice_service_id", "message", "phone_number", "info_url", "booking_url"),
        ),
        key=("booking_rule_id",),
    ),
)

SPEC_BY_NAME: dict[str, TableSpec] = {spec.name: spec for spec in TABLES}


@dataclass(frozen=True, slots=True)
class Zone:
    """An on-demand area of locations.geojson: rings of (longitude, latitude) in degrees, outer ring first."""

    location_id: str
    name: str
    polygons: tuple[tuple[tuple[tuple[float, float], ...], ...], ...]


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed in memory. `tables` has every name of `SPEC_BY_NAME`; see the module's promise."""

    feed_id: str
    tables: dict[str, pl.DataFrame]
    zones: tuple[Zone, ...] = field(default=())

    def __getitem__(self, name: str) -> pl.DataFrame:
        """The table called `name`, for example `feed["stop_times"]`."""
        return self.tables[name]

    def with_tables(self, **tables: pl.DataFrame) -> "Feed":
        """The same feed with these tables in place of its own."""
        assert tables.keys() <= SPEC_BY_NAME.keys(), "a feed has the tables of SPEC_BY_NAME only"
        return Feed(self.feed_id, {**self.tables, **tables}, self.zones)
