"""`service_never_runs`: trips of a service that has no date at all.

Effect    None: such trips are simply never found.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.service_calendar import ServiceCalendar
from gtfs.tables import Feed

CODE = "service_never_runs"


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    rules = ServiceCalendar.from_feed(feed).rules
    idle = [service_id for service_id, rule in rules.items() if rule.find_first() is None]
    if not idle:
        return feed
    first = feed["trips"].filter(pl.col("service_id").is_in(idle)).unique("service_id", keep="first")
    template = "Service `{service_id}` runs on no date; give it days, or take its trips out."
    rows = first.select("row", "service_id").sort("row")
    notices.add_rows(CODE, Severity.WARNING, template, rows, file="trips.txt", field="service_id")
    return feed
