"""`coordinate_missing`: a stop with no place on earth: none given, out of range, or 0,0 out at sea.

Effect    A platform takes its station's place; any other is left out with its stop times. Nodes and boarding
          areas need no place of their own: they take their parent's without a word.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.rules.removal import without_stops
from gtfs.tables import Feed

CODE = "coordinate_missing"
_LAT_MAX, _LON_MAX = 90.0, 180.0
_NULL_ISLAND_DEGREES = 0.01
_NODE, _BOARDING_AREA = 3, 4


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    stops = feed["stops"]
    lat, lon = pl.col("stop_lat"), pl.col("stop_lon")
    in_range = lat.abs().le(_LAT_MAX) & lon.abs().le(_LON_MAX)
    is_null_island = lat.abs().lt(_NULL_ISLAND_DEGREES) & lon.abs().lt(_NULL_ISLAND_DEGREES)
    is_placed = (in_range & ~is_null_island).fill_null(value=False)
    if stops.select(is_placed.all()).item():
        return feed
    is_inner = pl.col("location_type").fill_null(0).is_in([_NODE, _BOARDING_AREA])
    is_left_open = is_inner & lat.is_null() & lon.is_null() & pl.col("parent_station").is_not_null()
    bad = stops.filter(~is_placed & ~is_left_open).select(
        "row", "stop_id", lat.alias("lat"), lon.alias("lon")
    )
    template = "Stop `{stop_id}` has no place ({lat}, {lon}); give its degrees. "
    template += "Its station's was taken, else it was left out."
    if bad.height:
        notices.add_rows(CODE, Severity.ERROR, template, bad, file="stops.txt", field="stop_lat")
    placed = stops.filter(is_placed).select(
        pl.col("stop_id").alias("parent_station"), lat.alias("_lat"), lon.alias("_lon")
    )
    mended = stops.join(placed, on="parent_station", how="left", maintain_order="left").with_columns(
        pl.when(is_placed).then(lat).otherwise("_lat").alias("stop_lat"),
        pl.when(is_placed).then(lon).otherwise("_lon").alias("stop_lon"),
    )
    feed = feed.with_tables(stops=mended.drop("_lat", "_lon"))
    return without_stops(feed, mended.filter(lat.is_null())["stop_id"])
