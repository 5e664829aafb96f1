"""`duplicate_key`: two rows with one key, such as a trip_id used twice.

Effect    Equal copies: the first is kept. Copies that differ: the first is kept, except that a trip is left
out
          altogether (its stop times would be a mixture of two), so is a calendar row, and a date that
          is both added and removed is removed.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.rules.removal import without_trips
from gtfs.tables import TABLES, Feed, TableSpec

CODE = "duplicate_key"


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    for spec in TABLES:
        table = feed[spec.name]
        if table.height > 1 and spec.key:
            later = _find_later(table, spec)
            if later.any():
                feed = _resolve(feed, spec, later, notices)
    return feed


def _find_later(table: pl.DataFrame, spec: TableSpec) -> pl.Series:
    """True on each row whose key stood before."""
    if spec.name == "stop_times":
        # The rows of a trip are together and in order, so an equal key is a neighbour.
        same = [pl.col(name) == pl.col(name).shift(1) for name in spec.key]
        return table.select(pl.all_horizontal(same).fill_null(value=False)).to_series()
    if len(spec.key) == 1 and table[spec.key[0]].n_unique() == table.height:
        return pl.repeat(value=False, n=table.height, eager=True)
    has_key = pl.any_horizontal(pl.col(spec.key).is_not_null())
    first = pl.struct(spec.key).is_first_distinct()
    return table.select(has_key & ~first).to_series()


def _resolve(feed: Feed, spec: TableSpec, later: pl.Series, notices: Notices) -> Feed:
    table = feed[spec.name]
    parts = [pl.col(name).cast(pl.String) for name in spec.key]
    key = pl.concat_str(parts, separator=", ", ignore_nulls=True)
    template = "The key `{key}` stood before; give each row its own."
    copies = table.filter(later).select("row", key.alias("key"))
    notices.add_rows(CODE, Severity.ERROR, template, copies, file=spec.file, field=", ".join(spec.key))
    values = [column.name for column in spec.columns]
    differing = table.filter(later).join(table.filter(~later), on=values, how="anti", nulls_equal=True)
    feed = feed.with_tables(**{spec.name: table.filter(~later)})
    if spec.name in {"trips", "stop_times"}:
        return without_trips(feed, differing["trip_id"])
    if spec.name == "calendar":
        kept = feed["calendar"].filter(~pl.col("service_id").is_in(differing["service_id"].implode()))
        return feed.with_tables(calendar=kept)
    if spec.name == "calendar_dates":
        return feed.with_tables(calendar_dates=_removed_wins(table))
    return feed


def _removed_wins(dates: pl.DataFrame) -> pl.DataFrame:
    return dates.sort("exception_type", descending=True, maintain_order=True).unique(
        ("service_id", "date"), keep="first", maintain_order=True
    )
