"""Take trips or stops out of a feed together with everything that hangs on them."""

import polars as pl

from gtfs.tables import Feed

_TRIP_COLUMNS = {
    "trips": ("trip_id",),
    "stop_times": ("trip_id",),
    "frequencies": ("trip_id",),
    "transfers": ("from_trip_id", "to_trip_id"),
    "attributions": ("trip_id",),
}
_ROUTE_COLUMNS = {
    "routes": ("route_id",),
    "transfers": ("from_route_id", "to_route_id"),
    "route_networks": ("route_id",),
    "fare_rules": ("route_id",),
    "attributions": ("route_id",),
}
_STOP_COLUMNS = {
    "stops": ("stop_id",),
    "stop_times": ("stop_id",),
    "transfers": ("from_stop_id", "to_stop_id"),
    "pathways": ("from_stop_id", "to_stop_id"),
    "stop_areas": ("stop_id",),
    "location_group_stops": ("stop_id",),
}


def without_trips(feed: Feed, trip_ids: pl.Series) -> Feed:
    """The feed without these trips and every row that names one."""
    return _without(feed, _TRIP_COLUMNS, trip_ids)


def without_routes(feed: Feed, route_ids: pl.Series) -> Feed:
    """The feed without these routes, their trips and every row that names one."""
    trips = feed["trips"].filter(pl.col("route_id").is_in(route_ids.implode()))
    return _without(without_trips(feed, trips["trip_id"]), _ROUTE_COLUMNS, route_ids)


def without_stops(feed: Feed, stop_ids: pl.Series) -> Feed:
    """The feed without these stops and every row that names one; who has one as parent loses the parent."""
    stops = feed["stops"]
    is_orphan = pl.col("parent_station").is_in(stop_ids.implode())
    kept = stops.with_columns(
        pl.when(is_orphan.fill_null(value=False))
        .then(None)
        .otherwise("parent_station")
        .alias("parent_station")
    )
    return _without(feed.with_tables(stops=kept), _STOP_COLUMNS, stop_ids)


def _without(feed: Feed, columns: dict[str, tuple[str, ...]], ids: pl.Series) -> Feed:
    gone = ids.implode()
    tables = {
        table: feed[table].filter(~pl.any_horizontal(pl.col(names).is_in(gone).fill_null(value=False)))
        for table, names in columns.items()
        if not feed[table].is_empty()
    }
    return feed.with_tables(**tables)
