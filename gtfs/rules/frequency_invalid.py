"""`frequency_invalid`: a headway that is not positive, or a window that does not close after it opens.

Effect    The trip is left out: run once at its written times it would be made up.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.rules.removal import without_trips
from gtfs.tables import Feed

CODE = "frequency_invalid"


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    is_wrong = (pl.col("headway_secs") <= 0) | (pl.col("end_time") <= pl.col("start_time"))
    wrong = feed["frequencies"].filter(is_wrong).select("row", "trip_id")
    if wrong.is_empty():
        return feed
    template = "Trip `{trip_id}` needs a headway above 0 and an end after its start. The trip was left out."
    notices.add_rows(CODE, Severity.ERROR, template, wrong, file="frequencies.txt", field="headway_secs")
    return without_trips(feed, wrong["trip_id"])
