"""`pathway_without_time`: no time, no length and, for stairs, no count of steps: how long does it take?

Effect    It is timed by the levels or the map, else as long as such ways mostly are (routing/pathways.py).
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.tables import Feed

CODE = "pathway_without_time"
_STAIRS, _FARE_GATE = 2, 6


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    mode = pl.col("pathway_mode")
    has_steps = (mode == _STAIRS) & pl.col("stair_count").is_not_null()
    # A gate takes no time to speak of.
    is_silent = pl.col("traversal_time").is_null() & pl.col("length").is_null() & ~has_steps
    rows = feed["pathways"].filter(is_silent & (mode < _FARE_GATE)).select("row", "pathway_id")
    if rows.height:
        template = (
            "Nothing says how long pathway `{pathway_id}` takes; give traversal_time. It was estimated."
        )
        notices.add_rows(CODE, Severity.INFO, template, rows, file="pathways.txt", field="traversal_time")
    return feed
