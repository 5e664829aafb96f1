"""`parent_not_station`: a `parent_station` that is no station, or a station that has one.

Effect    The parent is taken for absent, so that interchanges are not grouped by mistake.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.tables import Feed

CODE = "parent_not_station"
_PLATFORM, _STATION, _BOARDING_AREA = 0, 1, 4


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    stops = feed["stops"]
    if stops["parent_station"].null_count() == stops.height:
        return feed
    kind = pl.col("location_type").fill_null(_PLATFORM)
    parents = stops.select(pl.col("stop_id").alias("parent_station"), kind.alias("_parent_kind"))
    joined = stops.join(parents, on="parent_station", how="left", maintain_order="left")
    wanted = pl.when(kind == _BOARDING_AREA).then(_PLATFORM).otherwise(_STATION)
    is_wrong = pl.col("parent_station").is_not_null() & (
        (pl.col("_parent_kind") != wanted) | (kind == _STATION)
    )
    wrong = joined.filter(is_wrong).select("row", "parent_station")
    template = "`{parent_station}` cannot be its parent: it is no station. The parent was taken for absent."
    notices.add_rows(CODE, Severity.WARNING, template, wrong, file="stops.txt", field="parent_station")
    mended = joined.with_columns(pl.when(~is_wrong).then("parent_station").alias("parent_station"))
    return feed.with_tables(stops=mended.drop("_parent_kind"))
