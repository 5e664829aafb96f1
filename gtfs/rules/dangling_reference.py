"""`dangling_reference`: an id that no row of the table it points to has.

Effect    The row is left out; where only a detail hangs on the id (a parent station) the detail is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.rules.removal import without_routes, without_trips
from gtfs.tables import SPEC_BY_NAME, Feed

CODE = "dangling_reference"


@dataclass(frozen=True, slots=True)
class _Reference:
    """`targets` are `table.column`; an id must be in one of them. `zones` are those of locations.geojson."""

    table: str
    column: str
    targets: tuple[str, ...]
    is_detail: bool = False


# From the top down: what falls at one line is gone at the next.
_REFERENCES = (
    _Reference("routes", "agency_id", ("agency.agency_id",)),
    _Reference("stops", "parent_station", ("stops.stop_id",), is_detail=True),
    _Reference("stops", "level_id", ("levels.level_id",), is_detail=True),
    _Reference("trips", "route_id", ("routes.route_id",)),
    _Reference("trips", "service_id", ("calendar.service_id", "calendar_dates.service_id")),
    _Reference("location_group_stops", "location_group_id", ("location_groups.location_group_id",)),
    _Reference("location_group_stops", "stop_id", ("stops.stop_id",)),
    _Reference("stop_times", "trip_id", ("trips.trip_id",)),
    _Reference("stop_times", "stop_id", ("stops.stop_id",)),
    _Reference("stop_times", "location_group_id", ("location_groups.location_group_id",)),
    _Reference("stop_times", "location_id", ("zones",)),
    _Reference("stop_times", "pickup_booking_rule_id", ("booking_rules.booking_rule_id",)),
    _Reference("stop_times", "drop_off_booking_rule_id", ("booking_rules.booking_rule_id",)),
    _Reference("frequencies", "trip_id", ("trips.trip_id",)),
    _Reference("transfers", "from_stop_id", ("stops.stop_id",)),
    _Reference("transfers", "to_stop_id", ("stops.stop_id",)),
    _Reference("transfers", "from_trip_id", ("trips.trip_id",)),
    _Reference("transfers", "to_trip_id", ("trips.trip_id",)),
    _Reference("transfers", "from_route_id", ("routes.route_id",)),
    _Reference("transfers", "to_route_id", ("routes.route_id",)),
    _Reference("pathways", "from_stop_id", ("stops.stop_id",)),
    _Reference("pathways", "to_stop_id", ("stops.stop_id",)),
    _Reference("fare_products", "rider_category_id", ("rider_categories.rider_category_id",)),
    _Reference("fare_products", "fare_media_id", ("fare_media.fare_media_id",)),
    _Reference("fare_leg_rules", "fare_product_id", ("fare_products.fare_product_id",)),
    _Reference("fare_leg_rules", "network_id", ("networks.network_id", "routes.network_id")),
    _Reference("fare_leg_rules", "from_area_id", ("areas.area_id",)),
    _Reference("fare_leg_rules", "to_area_id", ("areas.area_id",)),
    _Reference("fare_leg_rules", "from_timeframe_group_id", ("timeframes.timeframe_group_id",)),
    _Reference("fare_leg_rules", "to_timeframe_group_id", ("timeframes.timeframe_group_id",)),
    _Reference("fare_leg_join_rules", "from_network_id", ("networks.network_id", "routes.network_id")),
    _Reference("fare_leg_join_rules", "to_network_id", ("networks.network_id", "routes.network_id")),
    _Reference("fare_leg_join_rules", "from_stop_id", ("stops.stop_id",)),
    _Reference("fare_leg_join_rules", "to_stop_id", ("stops.stop_id",)),
    _Reference("fare_transfer_rules", "fare_product_id", ("fare_products.fare_product_id",)),
    _Reference("fare_transfer_rules", "from_leg_group_id", ("fare_leg_rules.leg_group_id",)),
    _Reference("fare_transfer_rules", "to_leg_group_id", ("fare_leg_rules.leg_group_id",)),
    _Reference("stop_areas", "area_id", ("areas.area_id",)),
    _Reference("stop_areas", "stop_id", ("stops.stop_id",)),
    _Reference("route_networks", "network_id", ("networks.network_id",)),
    _Reference("route_networks", "route_id", ("routes.route_id",)),
    _Reference("timeframes", "service_id", ("calendar.service_id", "calendar_dates.service_id")),
    _Reference("fare_attributes", "agency_id", ("agency.agency_id",)),
    _Reference("fare_rules", "fare_id", ("fare_attributes.fare_id",)),
    _Reference("fare_rules", "route_id", ("routes.route_id",)),
    _Reference("attributions", "agency_id", ("agency.agency_id",)),
    _Reference("attributions", "route_id", ("routes.route_id",)),
    _Reference("attributions", "trip_id", ("trips.trip_id",)),
)


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    for reference in _REFERENCES:
        table = feed[reference.table]
        column = reference.column
        if table.is_empty() or table[column].null_count() == table.height:
            continue
        # Ids repeat from row to row, so each is looked up once.
        named = table.select(pl.col(column).unique().drop_nulls())
        missing = named.filter(~pl.col(column).is_in(_known(feed, reference).implode()))
        if missing.height:
            feed = _resolve(feed, reference, missing[column], notices)
    return feed


def _known(feed: Feed, reference: _Reference) -> pl.Series:
    return pl.concat([pl.Series("id", [], pl.String), *_list_targets(feed, reference)])


def _list_targets(feed: Feed, reference: _Reference) -> Iterator[pl.Series]:
    for target in reference.targets:
        if target == "zones":
            yield pl.Series("id", [zone.location_id for zone in feed.zones], pl.String)
        else:
            table, column = target.split(".")
            yield feed[table][column].drop_nulls().alias("id")


def _resolve(feed: Feed, reference: _Reference, missing: pl.Series, notices: Notices) -> Feed:
    table, column = feed[reference.table], reference.column
    dangles = pl.col(column).is_in(missing.implode()).fill_null(value=False)
    where = " or ".join(target.replace(".", ".txt: ") for target in reference.targets)
    effect = "It was taken for absent." if reference.is_detail else "The row was left out."
    template = "`{id}` is not in " + where.replace("zones", "locations.geojson") + ". " + effect
    rows = table.filter(dangles).select("row", pl.col(column).alias("id"))
    file = SPEC_BY_NAME[reference.table].file
    notices.add_rows(CODE, Severity.ERROR, template, rows, file=file, field=column)
    # One cause, one notice: what hangs on a lost route or trip goes with it in silence.
    if reference.table == "routes":
        return without_routes(feed, table.filter(dangles)["route_id"])
    if reference.table == "trips":
        return without_trips(feed, table.filter(dangles)["trip_id"])
    if reference.is_detail:
        kept = table.with_columns(pl.when(~dangles).then(column).alias(column))
    else:
        kept = table.filter(~dangles)
    return feed.with_tables(**{reference.table: kept})
