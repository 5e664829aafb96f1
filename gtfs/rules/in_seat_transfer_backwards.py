"""`in_seat_transfer_backwards`: staying seated into a trip that has left before the first one arrives.

Effect    The link is left out. A link into the next service day (the second trip starts in the small hours,
the
          first ends past midnight) is none of these: it is one day later.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.tables import Feed

CODE = "in_seat_transfer_backwards"
_IN_SEAT = 4
_DAY_S = 86_400


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    links = feed["transfers"].filter(
        (pl.col("transfer_type") == _IN_SEAT)
        & pl.col("from_trip_id").is_not_null()
        & pl.col("to_trip_id").is_not_null()
    )
    if links.is_empty():
        return feed
    ends = (
        feed["stop_times"]
        .group_by("trip_id")
        .agg(pl.col("departure_time").first().alias("_starts"), pl.col("arrival_time").last().alias("_ends"))
    )
    timed = links.select("row", "from_trip_id", "to_trip_id")
    timed = timed.join(ends.select(from_trip_id="trip_id", _ends="_ends"), on="from_trip_id")
    timed = timed.join(ends.select(to_trip_id="trip_id", _starts="_starts"), on="to_trip_id")
    is_next_day = pl.col("_starts") + _DAY_S >= pl.col("_ends")
    is_late = pl.col("_ends") >= _DAY_S
    backwards = timed.filter((pl.col("_starts") < pl.col("_ends")) & ~(is_late & is_next_day)).sort("row")
    if backwards.is_empty():
        return feed
    template = "Trip `{to_trip_id}` starts before `{from_trip_id}` ends. The link was left out."
    notices.add_rows(CODE, Severity.WARNING, template, backwards, file="transfers.txt", field="to_trip_id")
    rows = backwards["row"].implode()
    return feed.with_tables(transfers=feed["transfers"].filter(~pl.col("row").is_in(rows)))
