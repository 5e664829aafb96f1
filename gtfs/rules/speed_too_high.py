"""`speed_too_high`: two stops too far apart for the time between; usually one is in the wrong place.

Effect    None, for the times may be right. Times are often whole minutes, so a minute is granted.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.tables import Feed

CODE = "speed_too_high"
_SPEED_M_S_MAX = 110.0  # 400 km/h: no train, ship or bus
_DISTANCE_M_MIN = 3_000.0
_M_PER_DEGREE = 111_195.0
_GRANTED_S = 60


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    hops = _fastest_hops(feed["stop_times"])
    if hops.is_empty():
        return feed
    places = feed["stops"].select("stop_id", "stop_lat", "stop_lon")
    placed = hops.join(places.rename({"stop_id": "from_id"}), on="from_id").join(
        places.rename({"stop_id": "to_id"}), on="to_id", suffix="_to"
    )
    north = pl.col("stop_lat_to") - pl.col("stop_lat")
    east = (pl.col("stop_lon_to") - pl.col("stop_lon")) * pl.col("stop_lat").radians().cos()
    metres = (north.pow(2) + east.pow(2)).sqrt() * _M_PER_DEGREE
    fast = placed.with_columns(metres.alias("metres")).filter(
        (pl.col("metres") > _DISTANCE_M_MIN)
        & (pl.col("metres") > _SPEED_M_S_MAX * (pl.col("seconds") + _GRANTED_S))
    )
    template = "`{from_id}` to `{to_id}`: {metres} m in {seconds} s; look at the places of both."
    rows = fast.with_columns(pl.col("metres").round().cast(pl.Int64)).sort("row")
    notices.add_rows(CODE, Severity.WARNING, template, rows, file="stop_times.txt", field="arrival_time")
    return feed


def _fastest_hops(stop_times: pl.DataFrame) -> pl.DataFrame:
    """Each pair of stops that follow one another, with the least time between."""
    follows = pl.col("trip_id") == pl.col("trip_id").shift(1)
    hops = stop_times.select(
        "row",
        pl.when(follows).then(pl.col("stop_id").shift(1)).alias("from_id"),
        pl.col("stop_id").alias("to_id"),
        (pl.col("arrival_time") - pl.col("departure_time").shift(1)).alias("seconds"),
    ).drop_nulls()
    return hops.group_by("from_id", "to_id").agg(
        pl.col("seconds").min(), pl.col("row").sort_by("seconds", "row").first()
    )
