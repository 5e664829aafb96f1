"""`platform_without_pathway`: a platform that no pathway touches, in a station that has pathways.

Effect    It is walked to and from as if the station had none.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.tables import Feed

CODE = "platform_without_pathway"
_PLATFORM, _BOARDING_AREA = 0, 4


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    pathways, stops = feed["pathways"], feed["stops"]
    if pathways.is_empty():
        return feed
    ends = pl.concat([pathways["from_stop_id"], pathways["to_stop_id"].alias("from_stop_id")])
    is_touched = pl.col("stop_id").is_in(ends.implode())
    kind = pl.col("location_type").fill_null(_PLATFORM)
    touched = stops.filter(is_touched)
    # A platform is touched where one of its boarding areas is.
    by_area = touched.filter(kind == _BOARDING_AREA)["parent_station"].drop_nulls()
    platforms = stops.filter(is_touched | pl.col("stop_id").is_in(by_area.implode()))
    described = platforms["parent_station"].drop_nulls().implode()
    bare = stops.filter(
        (kind == _PLATFORM)
        & pl.col("parent_station").is_in(described).fill_null(value=False)
        & ~pl.col("stop_id").is_in(platforms["stop_id"].implode())
    ).select("row", "stop_id")
    if bare.height:
        template = "No pathway of its station touches platform `{stop_id}`. Walks to it were estimated."
        notices.add_rows(CODE, Severity.WARNING, template, bare, file="stops.txt", field="stop_id")
    return feed
