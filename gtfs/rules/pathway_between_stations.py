"""`pathway_between_stations`: a pathway whose ends belong to different stations, or to none.

Effect    The row is left out: a walk between stations is an interchange, which transfers.txt times.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.tables import Feed

CODE = "pathway_between_stations"


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    pathways = feed["pathways"]
    if pathways.is_empty():
        return feed
    stops = feed["stops"].select("stop_id", "parent_station").unique("stop_id", keep="first")
    # A boarding area's parent is a platform, and that one's the station.
    above = stops.select(parent_station="stop_id", _above="parent_station")
    of_station = stops.join(above, on="parent_station", how="left").select(
        "stop_id", pl.coalesce("_above", "parent_station").alias("_station")
    )
    joined = pathways.select("row", "pathway_id", "from_stop_id", "to_stop_id")
    joined = joined.join(of_station.rename({"_station": "_from"}), left_on="from_stop_id", right_on="stop_id")
    joined = joined.join(of_station.rename({"_station": "_to"}), left_on="to_stop_id", right_on="stop_id")
    wrong = joined.filter(~pl.col("_from").eq(pl.col("_to")).fill_null(value=False)).sort("row")
    if wrong.is_empty():
        return feed
    template = "Pathway `{pathway_id}` does not stay in one station. The row was left out."
    rows = wrong.select("row", "pathway_id")
    notices.add_rows(CODE, Severity.ERROR, template, rows, file="pathways.txt", field="to_stop_id")
    return feed.with_tables(pathways=pathways.filter(~pl.col("row").is_in(wrong["row"].implode())))
