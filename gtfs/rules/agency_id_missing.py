"""`agency_id_missing`: an agency without id, or a route that does not say whose it is.

Effect    In a feed of one agency both are clear: the agency's name becomes its id, and the routes are its
own. In a
          feed of several agencies such an agency or route is left out, for nobody could be paid for it.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.rules.removal import without_routes
from gtfs.tables import Feed

CODE = "agency_id_missing"


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    agency, routes = feed["agency"], feed["routes"]
    if not agency["agency_id"].null_count() and not routes["agency_id"].null_count():
        return feed
    if agency.height == 1:
        named = agency.with_columns(pl.coalesce("agency_id", "agency_name").alias("agency_id"))
        agency_id = pl.lit(named["agency_id"].item())
        return feed.with_tables(
            agency=named, routes=routes.with_columns(pl.coalesce("agency_id", agency_id).alias("agency_id"))
        )
    for table in ("agency", "routes"):
        rows = feed[table].filter(pl.col("agency_id").is_null()).select("row")
        template = "There are several agencies, so this row needs its agency_id. It was left out."
        notices.add_rows(CODE, Severity.ERROR, template, rows, file=f"{table}.txt", field="agency_id")
    has_agency = pl.col("agency_id").is_not_null()
    lost = routes.filter(~has_agency)["route_id"]
    return without_routes(feed.with_tables(agency=agency.filter(has_agency)), lost)
