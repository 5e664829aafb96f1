"""`trip_without_stop_times`: a trip that calls nowhere.

Effect    The trip is left out.
"""

from gtfs.notices import Notices, Severity
from gtfs.rules.removal import without_trips
from gtfs.tables import Feed

CODE = "trip_without_stop_times"


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    calling = feed["stop_times"].select("trip_id").unique()
    idle = feed["trips"].join(calling, on="trip_id", how="anti").select("row", "trip_id").sort("row")
    if idle.is_empty():
        return feed
    template = "Trip `{trip_id}` has no stop times; add them. The trip was left out."
    notices.add_rows(CODE, Severity.WARNING, template, idle, file="trips.txt", field="trip_id")
    return without_trips(feed, idle["trip_id"])
