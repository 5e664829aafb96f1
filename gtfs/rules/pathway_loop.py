"""`pathway_loop`: a pathway that leads from a place to the same place.

Effect    The row is left out.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.tables import Feed

CODE = "pathway_loop"


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    is_loop = pl.col("from_stop_id") == pl.col("to_stop_id")
    loops = feed["pathways"].filter(is_loop)
    if loops.is_empty():
        return feed
    template = "Pathway `{pathway_id}` leads nowhere but back. The row was left out."
    rows = loops.select("row", "pathway_id")
    notices.add_rows(CODE, Severity.WARNING, template, rows, file="pathways.txt", field="to_stop_id")
    return feed.with_tables(pathways=feed["pathways"].filter(~is_loop))
