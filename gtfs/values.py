"""Columns of text -> columns of numbers, dates and times, each failure with its line.

Not here  Which columns there are (tables.py); what the values mean together (rules/).
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.service_time import TIME_PATTERN
from gtfs.tables import DTYPES, Column, TableSpec

# Years beyond these are typing errors; the year 0 is no date in Python at all.
_DATE_PATTERN = r"^(19|20|21)[0-9]{6}$"
_CURES = {
    "int": ("invalid_integer", "a whole number without spaces or separators"),
    "float": ("invalid_number", "a decimal number such as 35.6895"),
    "date": ("invalid_date", "a date as YYYYMMDD"),
    "time": ("invalid_time", "a time as HH:MM:SS, beyond 24:00:00 for the night after"),
    "colour": ("invalid_colour", "six hexadecimal digits such as 00A0E9"),
}
_KEPT = "_kept"


def convert_columns(texts: pl.DataFrame, spec: TableSpec, notices: Notices) -> pl.DataFrame:
    """The table with every column of `spec`, typed; unreadable values null, or their rows left out."""
    frame = texts.with_columns(pl.lit(value=True).alias(_KEPT))
    for column in spec.columns:
        if column.name not in texts.columns:
            frame = frame.with_columns(pl.lit(None, dtype=DTYPES[column.kind]).alias(column.name))
            continue
        if column.kind == "text":
            continue
        values = _convert(frame[column.name], column.kind)
        bad = values.is_null() & frame[column.name].is_not_null()
        if bad.any():
            _note_bad(frame.filter(bad), column, spec, notices)
            if _falls_with(column):
                frame = frame.with_columns((pl.col(_KEPT) & ~bad).alias(_KEPT))
        frame = frame.with_columns(values)
    if not frame[_KEPT].all():
        frame = frame.filter(_KEPT)
    frame = _without_missing(frame, spec, notices)
    return frame.select("row", *(column.name for column in spec.columns))


def _falls_with(column: Column) -> bool:
    """Whether the row goes with the value: a time that is unreadable must not be invented."""
    return column.required or column.kind == "time"


def _without_missing(frame: pl.DataFrame, spec: TableSpec, notices: Notices) -> pl.DataFrame:
    """Without the rows that lack a required value."""
    for column in spec.columns:
        if not column.required or not frame[column.name].null_count():
            continue
        template = f"`{column.name}` has no value, and must have one. The row was left out."
        missing = frame.filter(pl.col(column.name).is_null()).select("row")
        notices.add_rows(
            "missing_value", Severity.ERROR, template, missing, file=spec.file, field=column.name
        )
        frame = frame.filter(pl.col(column.name).is_not_null())
    return frame


def _note_bad(rows: pl.DataFrame, column: Column, spec: TableSpec, notices: Notices) -> None:
    code, cure = _CURES[column.kind]
    effect = "The row was left out." if _falls_with(column) else "The value was left out."
    severity = Severity.WARNING if column.kind == "colour" else Severity.ERROR
    template = "`{value}` is not " + cure + ". " + effect
    shown = rows.select("row", pl.col(column.name).alias("value"))
    notices.add_rows(code, severity, template, shown, file=spec.file, field=column.name)


def _convert(texts: pl.Series, kind: str) -> pl.Series:
    """Text to the kind's type; null where it cannot be read."""
    if kind == "time":
        return _convert_times(texts)
    text = pl.col(texts.name)
    expression = {
        "int": text.cast(pl.Int32, strict=False),
        "float": _finite(text.cast(pl.Float64, strict=False)),
        "date": pl.when(text.str.contains(_DATE_PATTERN)).then(text).str.to_date("%Y%m%d", strict=False),
        "colour": pl.when(text.str.contains(r"^[0-9A-Fa-f]{6}$")).then(text.str.to_uppercase()),
    }[kind]
    return texts.to_frame().select(expression.alias(texts.name)).to_series()


def _finite(number: pl.Expr) -> pl.Expr:
    return pl.when(number.is_finite()).then(number)


def _convert_times(texts: pl.Series) -> pl.Series:
    """Seconds. A day has few distinct times, so each is read once."""
    distinct = texts.unique().drop_nulls().alias("text").to_frame()
    groups = pl.col("text").str.extract_groups(TIME_PATTERN)
    parts = [groups.struct.field(str(part)).cast(pl.Int32, strict=False) for part in (1, 2, 3)]
    known = distinct.with_columns((parts[0] * 3600 + parts[1] * 60 + parts[2]).alias("seconds"))
    joined = texts.alias("text").to_frame().join(known, on="text", how="left", maintain_order="left")
    return joined["seconds"].alias(texts.name)
