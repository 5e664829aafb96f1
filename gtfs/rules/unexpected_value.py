"""`unexpected_value`: a code that the reference does not list, such as `transfer_type` 9.

Effect    An optional code is taken for absent; a row whose meaning hangs on the code is left out; an unknown
          `exception_type` is read as 2 (does not run), the careful side.
"""

from dataclasses import dataclass

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.tables import SPEC_BY_NAME, Feed

CODE = "unexpected_value"
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_EXTENDED_ROUTE_TYPES = range(100, 1800)


@dataclass(frozen=True, slots=True)
class _Codes:
    table: str
    column: str
    allowed: tuple[int, ...]
    effect: str = "blank"


_LISTS = (
    _Codes("stops", "location_type", (0, 1, 2, 3, 4), "drop"),
    _Codes("stops", "wheelchair_boarding", (0, 1, 2)),
    _Codes("routes", "route_type", (*range(8), 11, 12, *_EXTENDED_ROUTE_TYPES), "drop"),
    _Codes("trips", "direction_id", (0, 1)),
    _Codes("trips", "wheelchair_accessible", (0, 1, 2)),
    _Codes("trips", "bikes_allowed", (0, 1, 2)),
    _Codes("stop_times", "pickup_type", (0, 1, 2, 3), "drop"),
    _Codes("stop_times", "drop_off_type", (0, 1, 2, 3), "drop"),
    _Codes("stop_times", "timepoint", (0, 1)),
    *(_Codes("calendar", day, (0, 1), "drop") for day in _DAYS),
    _Codes("calendar_dates", "exception_type", (1, 2), "remove"),
    _Codes("frequencies", "exact_times", (0, 1)),
    _Codes("transfers", "transfer_type", (0, 1, 2, 3, 4, 5), "drop"),
    _Codes("pathways", "pathway_mode", tuple(range(1, 8)), "drop"),
    _Codes("pathways", "is_bidirectional", (0, 1), "drop"),
    _Codes("booking_rules", "booking_type", (0, 1, 2), "drop"),
    _Codes("fare_media", "fare_media_type", (0, 1, 2, 3, 4), "drop"),
    _Codes("rider_categories", "is_default_fare_category", (0, 1)),
    _Codes("fare_transfer_rules", "fare_transfer_type", (0, 1, 2), "drop"),
    _Codes("fare_transfer_rules", "duration_limit_type", (0, 1, 2, 3), "drop"),
)
_EFFECTS = {
    "blank": "It was taken for absent.",
    "drop": "The row was left out.",
    "remove": "It was read as 2, does not run.",
}
_REMOVED = 2


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    for codes in _LISTS:
        table = feed[codes.table]
        known = pl.col(codes.column).is_in(codes.allowed).fill_null(value=True)
        if table.is_empty() or table.select(known.all()).item():
            continue
        shown = table.filter(~known).select("row", pl.col(codes.column).alias("value"))
        template = "`{value}` is no code of this field; see the reference. " + _EFFECTS[codes.effect]
        file = SPEC_BY_NAME[codes.table].file
        notices.add_rows(CODE, Severity.ERROR, template, shown, file=file, field=codes.column)
        feed = feed.with_tables(**{codes.table: _repaired(table, codes, known)})
    return feed


def _repaired(table: pl.DataFrame, codes: _Codes, known: pl.Expr) -> pl.DataFrame:
    if codes.effect == "drop":
        return table.filter(known)
    other = pl.lit(_REMOVED if codes.effect == "remove" else None, dtype=pl.Int32)
    return table.with_columns(pl.when(known).then(codes.column).otherwise(other).alias(codes.column))
