"""`stop_time_nowhere`: a stop time that names neither a stop nor an on-demand area.

Effect    The row is left out.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.tables import Feed

CODE = "stop_time_nowhere"


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    stop_times = feed["stop_times"]
    if not stop_times["stop_id"].null_count():
        return feed
    is_nowhere = pl.all_horizontal(pl.col("stop_id", "location_group_id", "location_id").is_null())
    nowhere = stop_times.filter(is_nowhere).select("row", "trip_id")
    template = "Trip `{trip_id}` calls nowhere here; give stop_id. The row was left out."
    notices.add_rows(CODE, Severity.ERROR, template, nowhere, file="stop_times.txt", field="stop_id")
    return feed.with_tables(stop_times=stop_times.filter(~is_nowhere))
