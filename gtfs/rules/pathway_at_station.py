"""`pathway_at_station`: a pathway to a station as a whole, and not to a platform, entrance or node in it.

Effect    The row is left out: nobody knows where in the station it leads.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.tables import Feed

CODE = "pathway_at_station"
_STATION = 1


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    pathways = feed["pathways"]
    if pathways.is_empty():
        return feed
    stations = feed["stops"].filter(pl.col("location_type") == _STATION)["stop_id"].implode()
    is_wrong = pl.any_horizontal(pl.col("from_stop_id", "to_stop_id").is_in(stations))
    wrong = pathways.filter(is_wrong).select("row", "pathway_id")
    if wrong.is_empty():
        return feed
    template = "Pathway `{pathway_id}` ends at a station; name a place in it. The row was left out."
    notices.add_rows(CODE, Severity.ERROR, template, wrong, file="pathways.txt", field="from_stop_id")
    return feed.with_tables(pathways=pathways.filter(~is_wrong))
