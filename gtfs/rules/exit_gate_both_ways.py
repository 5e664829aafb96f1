"""`exit_gate_both_ways`: an exit gate that is said to be passed in both directions.

Effect    It is passed from `from_stop_id` to `to_stop_id` only.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.tables import Feed

CODE = "exit_gate_both_ways"
_EXIT_GATE = 7


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    is_wrong = (pl.col("pathway_mode") == _EXIT_GATE) & (pl.col("is_bidirectional") == 1)
    wrong = feed["pathways"].filter(is_wrong).select("row", "pathway_id")
    if wrong.is_empty():
        return feed
    template = "Exit gate `{pathway_id}` is passed one way only; so it was taken."
    notices.add_rows(CODE, Severity.WARNING, template, wrong, file="pathways.txt", field="is_bidirectional")
    both = pl.when(is_wrong).then(pl.lit(0, dtype=pl.Int32)).otherwise("is_bidirectional")
    return feed.with_tables(pathways=feed["pathways"].with_columns(both.alias("is_bidirectional")))
