"""`timezone_unknown`: an agency's time zone that is not in the IANA database, so that its times mean nothing.

Effect    The agency is left out, and its routes with it.
"""

import polars as pl

from gtfs.errors import ZoneUnknown
from gtfs.notices import Notices, Severity
from gtfs.service_time import get_zone
from gtfs.tables import Feed

CODE = "timezone_unknown"


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    agency = feed["agency"]
    unknown = [name for name in agency["agency_timezone"].unique().to_list() if not _is_zone(name)]
    if not unknown:
        return feed
    is_unknown = pl.col("agency_timezone").is_in(unknown)
    template = "`{agency_timezone}` is no zone; write it as Asia/Tokyo. The agency was left out."
    rows = agency.filter(is_unknown).select("row", "agency_timezone")
    notices.add_rows(CODE, Severity.ERROR, template, rows, file="agency.txt", field="agency_timezone")
    return feed.with_tables(agency=agency.filter(~is_unknown))


def _is_zone(name: str) -> bool:
    try:
        get_zone(name)
    except ZoneUnknown:
        return False
    return True
