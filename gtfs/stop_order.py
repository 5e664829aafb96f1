"""Stop times in the order they happen, with no time missing.

Problem   Rows of a trip may stand anywhere in the file, and a stop between two timepoints may have no time.
Idea      Sort by trip and `stop_sequence` only where the file is not already in order. A stop without a
          time gets one between its neighbours that have one, spaced evenly by the number of stops: the feed
          has no better truth that we may rely on (distances are optional and often absent).
Invariant Afterwards the rows of a trip stand together in rising `stop_sequence`, and arrival_time and
          departure_time are null only on rows that have a pick-up window instead of times.
"""

import polars as pl

from gtfs.notices import Notices, Severity

_FILE = "stop_times.txt"


def order_stop_times(stop_times: pl.DataFrame) -> pl.DataFrame:
    """The rows of each trip together, in rising stop_sequence."""
    if stop_times.height <= 1 or _is_ordered(stop_times):
        return stop_times
    return stop_times.sort("trip_id", "stop_sequence", maintain_order=True)


def _is_ordered(stop_times: pl.DataFrame) -> bool:
    trip, sequence = pl.col("trip_id"), pl.col("stop_sequence")
    starts = trip != trip.shift(1)
    falls = (~starts & (sequence < sequence.shift(1))).any()
    found = stop_times.select(
        falls=falls, starts=starts.fill_null(value=True).sum(), trips=trip.n_unique()
    ).row(0, named=True)
    return not found["falls"] and found["starts"] == found["trips"]


def fill_times(stop_times: pl.DataFrame, notices: Notices) -> pl.DataFrame:
    """Every row without a window has both times; trips that cannot be timed are left out with a notice."""
    times = stop_times.with_columns(
        pl.coalesce("arrival_time", "departure_time").alias("arrival_time"),
        pl.coalesce("departure_time", "arrival_time").alias("departure_time"),
    )
    untimed = pl.col("arrival_time").is_null() & pl.col("start_pickup_drop_off_window").is_null()
    if not times.select(untimed.any()).item():
        return times
    fixed = times.filter(pl.col("start_pickup_drop_off_window").is_null())
    filled = _interpolate(fixed)
    lost = filled.filter(pl.col("arrival_time").is_null())
    first_lost = lost.unique("trip_id", keep="first", maintain_order=True)
    notices.add_rows(
        "missing_end_time",
        Severity.ERROR,
        "Trip `{trip_id}` has no time at its first or last stop; write both. The trip was left out.",
        first_lost.select("row", "trip_id"),
        file=_FILE,
        field="arrival_time",
    )
    count = filled.height - lost.height - fixed["arrival_time"].drop_nulls().len()
    if count:
        message = f"{count} stop times had no time and got one between their neighbours' times."
        notices.add("times_interpolated", Severity.INFO, message, file=_FILE)
    known = filled.select("row", filled_arrival="arrival_time", filled_departure="departure_time")
    times = times.join(known, on="row", how="left", maintain_order="left").with_columns(
        pl.coalesce("filled_arrival", "arrival_time").alias("arrival_time"),
        pl.coalesce("filled_departure", "departure_time").alias("departure_time"),
    )
    times = times.drop("filled_arrival", "filled_departure")
    return times.join(first_lost.select("trip_id"), on="trip_id", how="anti", maintain_order="left")


def _interpolate(fixed: pl.DataFrame) -> pl.DataFrame:
    """Times between neighbours that have one: earlier + (later - earlier) * stops passed / stops between."""
    place = pl.int_range(pl.len(), dtype=pl.Int64)
    is_known = pl.col("arrival_time").is_not_null()
    placed = fixed.with_columns(place.alias("_place"))
    neighbours = placed.with_columns(
        pl.col("departure_time").forward_fill().over("trip_id").cast(pl.Int64).alias("_before"),
        pl.col("arrival_time").backward_fill().over("trip_id").cast(pl.Int64).alias("_after"),
        pl.when(is_known).then("_place").forward_fill().over("trip_id").alias("_place_before"),
        pl.when(is_known).then("_place").backward_fill().over("trip_id").alias("_place_after"),
    )
    passed = pl.col("_place") - pl.col("_place_before")
    between = pl.col("_place_after") - pl.col("_place_before")
    time = pl.col("_before") + (pl.col("_after") - pl.col("_before")) * passed // between
    return neighbours.with_columns(
        pl.when(is_known).then("arrival_time").otherwise(time).cast(pl.Int32).alias("arrival_time"),
        pl.when(is_known).then("departure_time").otherwise(time).cast(pl.Int32).alias("departure_time"),
    ).drop("_place", "_before", "_after", "_place_before", "_place_after")
