"""`decreasing_time`: a stop reached before the one before it was left, or left before it was reached.

Effect    The trip is left out: which of its times is wrong cannot be known.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.rules.removal import without_trips
from gtfs.service_time import format_seconds
from gtfs.tables import Feed

CODE = "decreasing_time"


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    stop_times = feed["stop_times"]
    arrival, departure = pl.col("arrival_time"), pl.col("departure_time")
    follows = pl.col("trip_id") == pl.col("trip_id").shift(1)
    is_wrong = (departure < arrival) | (follows & (arrival < departure.shift(1)))
    wrong = stop_times.filter(is_wrong.fill_null(value=False))
    if wrong.is_empty():
        return feed
    template = "Trip `{trip_id}` goes back in time at {time}; write times past midnight as 24:10:00. "
    template += "The trip was left out."
    time = arrival.map_elements(format_seconds, return_dtype=pl.String).alias("time")
    rows = wrong.select("row", "trip_id", time)
    notices.add_rows(CODE, Severity.ERROR, template, rows, file="stop_times.txt", field="arrival_time")
    return without_trips(feed, wrong["trip_id"].unique())
