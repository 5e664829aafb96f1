"""`route_name_missing`: a route with neither short nor long name, which nobody could be told to take.

Effect    None: its id is shown.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.tables import Feed

CODE = "route_name_missing"


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    is_nameless = pl.col("route_short_name").is_null() & pl.col("route_long_name").is_null()
    rows = feed["routes"].filter(is_nameless).select("row", "route_id")
    template = "Route `{route_id}` has neither route_short_name nor route_long_name; give it one."
    notices.add_rows(CODE, Severity.WARNING, template, rows, file="routes.txt", field="route_short_name")
    return feed
