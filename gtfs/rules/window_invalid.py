"""`window_invalid`: an on-demand window that does not open and then close, or a zone without any window.

Effect    The stop time is left out.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.tables import Feed

CODE = "window_invalid"
_START, _END = "start_pickup_drop_off_window", "end_pickup_drop_off_window"


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    stop_times = feed["stop_times"]
    start, end = pl.col(_START), pl.col(_END)
    is_area = pl.col("location_group_id").is_not_null() | pl.col("location_id").is_not_null()
    has_window = start.is_not_null() & end.is_not_null()
    is_wrong = (
        (start.is_not_null() != end.is_not_null())
        | (end <= start).fill_null(value=False)
        | (is_area & ~has_window)
    )
    wrong = stop_times.filter(is_wrong)
    if wrong.is_empty():
        return feed
    template = "A zone or window needs a start and a later end. The row was left out."
    notices.add_rows(CODE, Severity.ERROR, template, wrong.select("row"), file="stop_times.txt", field=_START)
    return feed.with_tables(stop_times=stop_times.filter(~is_wrong))
