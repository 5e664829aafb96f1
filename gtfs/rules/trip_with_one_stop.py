"""`trip_with_one_stop`: a trip that calls at fewer than two stops takes nobody anywhere.

Effect    The trip is left out. Trips in on-demand zones need only one.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.rules.removal import without_trips
from gtfs.tables import Feed

CODE = "trip_with_one_stop"


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    trip = pl.col("trip_id")
    is_lonely = (trip.ne_missing(trip.shift(1))) & (trip.ne_missing(trip.shift(-1)))
    has_no_window = pl.col("start_pickup_drop_off_window").is_null()
    lonely = feed["stop_times"].filter(is_lonely & has_no_window).select("row", "trip_id")
    if lonely.is_empty():
        return feed
    template = "Trip `{trip_id}` has one stop only; add the others. The trip was left out."
    notices.add_rows(CODE, Severity.WARNING, template, lonely, file="stop_times.txt", field="trip_id")
    return without_trips(feed, lonely["trip_id"])
