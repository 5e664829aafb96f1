"""`pathway_measure_wrong`: a time, length or width that no pathway has: zero, negative or no number.

Effect    The measure is taken for absent.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.tables import Feed

CODE = "pathway_measure_wrong"


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    for column in ("traversal_time", "length", "min_width"):
        pathways = feed["pathways"]
        value = pl.col(column).cast(pl.Float64)
        least = value >= 0 if column == "length" else value > 0
        is_wrong = (~(least & value.is_finite())).fill_null(value=False)
        wrong = pathways.filter(is_wrong).select("row", "pathway_id", value.alias("value"))
        if wrong.is_empty():
            continue
        template = "Pathway `{pathway_id}` cannot measure {value}. It was taken for absent."
        notices.add_rows(CODE, Severity.WARNING, template, wrong, file="pathways.txt", field=column)
        kept = pl.when(~is_wrong).then(column).alias(column)
        feed = feed.with_tables(pathways=pathways.with_columns(kept))
    return feed
