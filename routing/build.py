"""From feeds to a compiled network. The only module here that knows GTFS.

Problem   Feeds speak in strings, calendars and exceptions; searches want sorted numbers; and a city's
          million stop times must be turned into them in seconds.
Idea      Each feed is reduced to plain columns (`FeedColumns`): stops, trips with their days as bits, calls.
          From there on nobody knows GTFS: assembly.py puts them together.
Choices   - A station groups platforms; only stops that some trip calls at are kept.
          - A trip is left out (and counted) if it has fewer than two calls, calls without times, times that
            fall, or no day. Calls in on-demand zones (no stop) are not for this timetable.
          - Each departure of frequencies.txt is a trip of its own, `trip_id@HH:MM:SS`.
          - Trips are one vehicle if transfers.txt says so (type 4), or if they follow one another in a block
            on the same service days at one stop or station, unless transfers.txt says type 5. A link back
            in time is left out.
          - Interchange times for single routes or trips (transfers.txt types 0 to 3 with a route or trip) are
            not used; the pair's general time is.
          - Feeds of several time zones are refused.
"""

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gtfs.tables import Feed
from routing.assembly import BuildOptions, FeedColumns, assemble
from routing.errors import MixedTimeZones, NothingToRoute
from routing.footpaths import StopTransfer
from routing.kernels.arrays import MAY_ALIGHT, MAY_BOARD, NONE, Int32
from routing.lines import CHECKS_IN, gather_slices
from routing.pathways import reduce_stations
from routing.streets.ways import Ways
from routing.timetable import Timetable

DAY_COUNT_MAX = 7_305
"""Days beyond this (twenty years) after the network's first are left out: some calendars end in 2099."""

IN_SEAT, MUST_REBOARD = 4, 5
"""The transfer types of GTFS that speak about trips of one vehicle."""

FERRY_TYPES = [4, *range(1000, 1100), *range(1200, 1300)]
"""Route types of ships, basic and extended."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What a network holds, and what of the feeds was left out and why (counts)."""

    version: str
    built_at: datetime
    feed_ids: tuple[str, ...]
    first_date: date
    last_date: date
    stop_count: int
    station_count: int
    trip_count: int
    call_count: int
    line_count: int
    run_count: int
    footpath_count: int
    in_seat_link_count: int
    trips_left_out: int
    links_left_out: int
    days_left_out: int
    took_s: float
    memory_peak_mb: int


def build_network(
    feeds: Sequence[Feed],
    target: Path,
    *,
    version: str,
    now: datetime,
    options: BuildOptions | None = None,
    ways: Ways | None = None,
) -> BuildReport:
    """Compile the feeds into the folder `target`. Raises MixedTimeZones, NothingToRoute.

    ways: footpaths that no feed times are measured by these (StreetWays: exact where streets are).
    """
    started_s = time.perf_counter()
    timetable, report = compile_timetable(
        feeds, version=version, options=options or BuildOptions(), ways=ways
    )
    timetable.check()
    timetable.save(target)
    return BuildReport(
        version=version,
        built_at=now,
        took_s=round(time.perf_counter() - started_s, 3),
        memory_peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        **report,
    )


def compile_timetable(
    feeds: Sequence[Feed], *, version: str, options: BuildOptions, ways: Ways | None = None
) -> tuple[Timetable, dict[str, Any]]:
    """The timetable in memory, and the report's counts. Raises MixedTimeZones, NothingToRoute."""
    first_date, masks, days_left_out = _service_days(feeds)
    parts = [_reduce_feed(feed, masks[i]) for i, feed in enumerate(feeds)]
    parts = [part for part in parts if len(part.trips)]
    if not parts:
        raise NothingToRoute("none of the feeds has a trip with two stops and a day")
    zones = sorted({part.zone_name for part in parts})
    if len(zones) > 1:
        raise MixedTimeZones(f"the feeds name the time zones {', '.join(zones)}")
    return assemble(
        parts,
        first_date=first_date,
        version=version,
        options=options,
        zone_name=zones[0],
        days_left_out=days_left_out,
        ways=ways,
    )


# Days ------------------------------------------------------------------------------------------------------


def _service_days(feeds: Sequence[Feed]) -> tuple[date, list[dict[str, int]], int]:
    """The network's first day, each feed's services as bits of days after it, and the days cut off."""
    spans = [
        day
        for feed in feeds
        for table, column in (
            ("calendar", "start_date"),
            ("calendar", "end_date"),
            ("calendar_dates", "date"),
        )
        for day in (feed[table][column].min(), feed[table][column].max())
        if isinstance(day, date)
    ]
    if not spans:
        raise NothingToRoute("no feed has a calendar")
    first = min(spans)
    day_count = min((max(spans) - first).days + 1, DAY_COUNT_MAX)
    masks = [_services_of(feed, first, day_count) for feed in feeds]
    used = 0
    for mask in masks:
        for bits in mask.values():
            used |= bits
    if not used:
        raise NothingToRoute("no service of any feed runs on any day")
    # Days on which nothing runs at all are cut off at both ends.
    shift = (used & -used).bit_length() - 1
    cut = max(0, (max(spans) - first).days + 1 - DAY_COUNT_MAX)
    shifted = [{service: bits >> shift for service, bits in mask.items()} for mask in masks]
    return first + timedelta(days=shift), shifted, cut


def _services_of(feed: Feed, first: date, day_count: int) -> dict[str, int]:
    everything = (1 << day_count) - 1
    masks: dict[str, int] = {}
    for row in feed["calendar"].iter_rows(named=True):
        begin = max(0, (row["start_date"] - first).days)
        end = min(day_count, (row["end_date"] - first).days + 1)
        if end <= begin:
            masks.setdefault(row["service_id"], 0)
            continue
        span = ((1 << end) - 1) & ~((1 << begin) - 1)
        week = 0
        for weekday, name in enumerate(WEEKDAYS):
            if row[name] == 1:
                offset = (weekday - first.weekday()) % 7
                week |= sum(1 << day for day in range(offset, day_count, 7))
        masks[row["service_id"]] = masks.get(row["service_id"], 0) | (week & span)
    for row in feed["calendar_dates"].iter_rows(named=True):
        day = (row["date"] - first).days
        if 0 <= day < day_count:
            before = masks.get(row["service_id"], 0)
            added = row["exception_type"] == 1
            masks[row["service_id"]] = before | 1 << day if added else before & everything & ~(1 << day)
    return masks


# One feed --------------------------------------------------------------------------------------------------


def _reduce_feed(feed: Feed, masks: dict[str, int]) -> FeedColumns:
    trips, calls, left_out = _trips_and_calls(feed, masks)
    trips, calls = _expand_frequencies(feed, trips, calls)
    stops, stations, stop_index = _stops_of(feed, calls)
    ships = feed["routes"].filter(pl.col("route_type").is_in(FERRY_TYPES))["route_id"]
    local = calls.join(stop_index, on="stop_id", how="left", maintain_order="left")
    lengths = trips["call_count"].to_numpy().astype(np.int64)
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    flags = (
        (local["pickup_type"].fill_null(0) != 1).cast(pl.UInt8) * int(MAY_BOARD)
        + (local["drop_off_type"].fill_null(0) != 1).cast(pl.UInt8) * int(MAY_ALIGHT)
    ).to_numpy()
    is_ship = np.repeat(trips["route_id"].is_in(ships.implode()).to_numpy(), lengths)
    part = FeedColumns(
        feed_id=feed.feed_id,
        zone_name=str(feed["agency"]["agency_timezone"][0]) if len(feed["agency"]) else "UTC",
        stops=stops,
        stations=stations,
        routes=feed["routes"],
        agencies=feed["agency"],
        trips=trips,
        call_offsets=offsets,
        call_stops=local["stop_idx"].to_numpy().astype(np.int32),
        arrivals=local["arrival_time"].to_numpy().astype(np.int32),
        departures=local["departure_time"].to_numpy().astype(np.int32),
        flags=np.where(is_ship, flags | CHECKS_IN, flags).astype(np.uint8),
        call_sequences=local["stop_sequence"].to_numpy().astype(np.int32),
        links=[],
        links_left_out=0,
        trips_left_out=left_out,
        transfers=[],
        names=_names_of(feed, stops, stations),
        inner=reduce_stations(
            stops=feed["stops"],
            levels=feed["levels"],
            pathways=feed["pathways"],
            stop_index=stop_index,
        ),
    )
    part.transfers = _transfers_of(feed, part)
    part.links, part.links_left_out = _links_of(feed, part)
    return part


def _trips_and_calls(feed: Feed, masks: dict[str, int]) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Trips that can be ridden, in the order of their calls, and the calls."""
    kinds = feed["stops"].select("stop_id", pl.col("location_type").fill_null(0))
    boarded = kinds.filter(pl.col("location_type") == 0)["stop_id"]
    calls = feed["stop_times"].select(
        "trip_id",
        "stop_id",
        pl.coalesce("arrival_time", "departure_time").alias("arrival_time"),
        pl.coalesce("departure_time", "arrival_time").alias("departure_time"),
        "stop_sequence",
        "pickup_type",
        "drop_off_type",
    )
    calls = calls.filter(pl.col("stop_id").is_not_null())
    services = pl.DataFrame(
        {"service_id": [service for service, bits in masks.items() if bits]}, schema={"service_id": pl.String}
    )
    trips = (
        feed["trips"]
        .unique("trip_id", keep="first", maintain_order=True)
        .join(services, on="service_id", how="semi", maintain_order="left")
        .join(feed["routes"], on="route_id", how="semi", maintain_order="left")
        .with_row_index("trip_idx")
    )
    calls = calls.join(trips.select("trip_id", "trip_idx"), on="trip_id", how="inner", maintain_order="left")
    calls = calls.drop("trip_id").sort("trip_idx", "stop_sequence", maintain_order=True)
    same = pl.col("trip_idx") == pl.col("trip_idx").shift(1)
    is_bad = (
        pl.col("departure_time").is_null()
        | (pl.col("arrival_time") > pl.col("departure_time"))
        | (same & (pl.col("arrival_time") < pl.col("departure_time").shift(1))).fill_null(value=False)
        | ~pl.col("stop_id").is_in(boarded.implode())
    )
    sound = (
        calls.with_columns(is_bad.alias("is_bad"))
        .group_by("trip_idx", maintain_order=True)
        .agg(pl.len().alias("call_count"), pl.col("is_bad").any())
        .filter(~pl.col("is_bad") & (pl.col("call_count") > 1))
        .select("trip_idx", "call_count")
    )
    kept = trips.join(sound, on="trip_idx", how="inner", maintain_order="left")
    if len(kept) < len(trips):
        calls = calls.join(sound, on="trip_idx", how="semi", maintain_order="left")
    kept = kept.with_columns(
        pl.Series("days", [masks[service] for service in kept["service_id"]], dtype=pl.Object)
    )
    return kept, calls, len(feed["trips"]) - len(kept)


def _expand_frequencies(
    feed: Feed, trips: pl.DataFrame, calls: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows = feed["frequencies"].filter(pl.col("headway_secs") > 0)
    rows = rows.filter(pl.col("trip_id").is_in(trips["trip_id"].implode()))
    if not len(rows):
        return trips, calls
    starts: dict[str, set[int]] = {}
    for row in rows.iter_rows(named=True):
        departures = range(row["start_time"], row["end_time"], row["headway_secs"])
        starts.setdefault(row["trip_id"], set()).update(departures)
    lengths = trips["call_count"].to_numpy()
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    first = calls["departure_time"].to_numpy()[offsets[:-1]]
    source, shift, ids = [], [], []
    for trip, trip_id in enumerate(trips["trip_id"]):
        departures_s = sorted(starts.get(trip_id, ()))
        source += [trip] * (len(departures_s) or 1)
        shift += [start - int(first[trip]) for start in departures_s] or [0]
        ids += [f"{trip_id}@{_clock(start)}" for start in departures_s] or [trip_id]
    chosen = np.array(source, dtype=np.int64)
    index, _ = gather_slices(offsets, chosen)
    by = np.repeat(np.array(shift, dtype=np.int32), lengths[chosen])
    expanded = calls[index].with_columns(
        arrival_time=pl.col("arrival_time") + by, departure_time=pl.col("departure_time") + by
    )
    days = trips["days"].to_list()
    copies = trips.drop("days")[chosen].with_columns(pl.Series("trip_id", ids))
    return copies.with_columns(pl.Series("days", [days[i] for i in source], dtype=pl.Object)), expanded


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _stops_of(feed: Feed, calls: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Served stops (with the index of their station), their stations, and stop_id -> stop_idx."""
    served = calls.select("stop_id").unique()
    table = feed["stops"].unique("stop_id", keep="first", maintain_order=True)
    stops = table.join(served, on="stop_id", how="semi", maintain_order="left")
    stations = (
        table.filter(pl.col("location_type") == 1)
        .join(stops.select(stop_id="parent_station"), on="stop_id", how="semi", maintain_order="left")
        .with_row_index("station_idx")
    )
    parents = stations.select(
        parent_station="stop_id",
        station_idx="station_idx",
        parent_lat="stop_lat",
        parent_lon="stop_lon",
        parent_wheelchairs="wheelchair_boarding",
    )
    stops = stops.join(parents, on="parent_station", how="left", maintain_order="left").with_columns(
        pl.coalesce("stop_lat", "parent_lat", pl.lit(0.0)).fill_nan(0.0).alias("stop_lat"),
        pl.coalesce("stop_lon", "parent_lon", pl.lit(0.0)).fill_nan(0.0).alias("stop_lon"),
        pl.col("station_idx").cast(pl.Int32).fill_null(int(NONE)),
        # Where a platform does not say it, its station speaks.
        pl.when(pl.col("wheelchair_boarding").fill_null(0) == 0)
        .then("parent_wheelchairs")
        .otherwise("wheelchair_boarding")
        .fill_null(0)
        .alias("wheelchair_boarding"),
    )
    centres = stops.group_by("station_idx").agg(
        pl.col("stop_lat").mean().alias("mean_lat"), pl.col("stop_lon").mean().alias("mean_lon")
    )
    stations = stations.with_columns(pl.col("station_idx").cast(pl.Int32)).join(
        centres, on="station_idx", how="left", maintain_order="left"
    )
    stations = stations.with_columns(
        pl.coalesce("stop_lat", "mean_lat").alias("stop_lat"),
        pl.coalesce("stop_lon", "mean_lon").alias("stop_lon"),
    )
    index = stops.select("stop_id").with_row_index("stop_idx")
    return stops, stations, index


def _names_of(feed: Feed, stops: pl.DataFrame, stations: pl.DataFrame) -> list[tuple[int, str, str]]:
    """(owner, language, text): a stop's index, or -1 - station; "" is the feed's own language."""
    owners: dict[str, int] = {}
    by_name: dict[str, list[int]] = {}
    names: list[tuple[int, str, str]] = []
    for table, is_station in ((stops, False), (stations, True)):
        for i, (stop_id, name) in enumerate(table.select("stop_id", "stop_name").iter_rows()):
            owners[stop_id] = owner = -1 - i if is_station else i
            if name:
                names.append((owner, "", name))
                by_name.setdefault(name, []).append(owner)
    wanted = (pl.col("table_name") == "stops") & (pl.col("field_name") == "stop_name")
    rows = feed["translations"].filter(wanted & pl.col("translation").is_not_null())
    for row in rows.select("record_id", "field_value", "language", "translation").iter_rows():
        record_id, value, language, text = row
        found = [owners[record_id]] if record_id in owners else by_name.get(value or "", [])
        names += [(owner, language or "", text) for owner in found]
    return names


def _transfers_of(feed: Feed, part: FeedColumns) -> list[StopTransfer]:
    """The feed's interchanges between stops; a station stands for its platforms."""
    stations = part.stops["station_idx"].to_list()
    stops_by_id = {stop_id: [i] for i, stop_id in enumerate(part.stops["stop_id"])}
    station_ids = part.stations["stop_id"].to_list()
    for i, station in enumerate(stations):
        if station >= 0:
            stops_by_id.setdefault(station_ids[station], []).append(i)
    general = pl.all_horizontal(
        pl.col("from_trip_id", "to_trip_id", "from_route_id", "to_route_id").fill_null("") == ""
    )
    rows = feed["transfers"].filter(general & (pl.col("transfer_type").fill_null(0) < IN_SEAT))
    columns = ("from_stop_id", "to_stop_id", "transfer_type", "min_transfer_time")
    return [
        StopTransfer(source=source, target=target, kind=kind or 0, seconds=seconds)
        for origin, goal, kind, seconds in rows.select(columns).iter_rows()
        for source in stops_by_id.get(origin, ())
        for target in stops_by_id.get(goal, ())
    ]


def _links_of(feed: Feed, part: FeedColumns) -> tuple[list[tuple[int, int]], int]:
    """Pairs of trips that one vehicle runs, and how many were left out for going back in time."""
    index = {trip_id: i for i, trip_id in enumerate(part.trips["trip_id"])}
    rows = feed["transfers"].filter(pl.col("transfer_type").is_in([IN_SEAT, MUST_REBOARD]))
    said: dict[int, list[tuple[int, int]]] = {IN_SEAT: [], MUST_REBOARD: []}
    for first, second, kind in rows.select("from_trip_id", "to_trip_id", "transfer_type").iter_rows():
        if first in index and second in index:
            said[kind].append((index[first], index[second]))
    begins = part.departures[part.call_offsets[:-1]]
    ends = part.arrivals[part.call_offsets[1:] - 1]

    def order(trip: int) -> tuple[int, int, int]:
        return int(begins[trip]), int(ends[trip]), trip

    forward = [
        (first, second)
        for first, second in said[IN_SEAT]
        if begins[second] >= ends[first] and order(second) > order(first)
    ]
    forbidden = set(said[MUST_REBOARD])
    blocks = [pair for pair in _block_links(part, begins, ends) if pair not in forbidden]
    # What transfers.txt says about a trip replaces what its block would say.
    told_first, told_second = {pair[0] for pair in forward}, {pair[1] for pair in forward}
    blocks = [pair for pair in blocks if pair[0] not in told_first and pair[1] not in told_second]
    return list(dict.fromkeys(forward + blocks)), len(said[IN_SEAT]) - len(forward)


def _block_links(part: FeedColumns, begins: Int32, ends: Int32) -> list[tuple[int, int]]:
    blocks: dict[tuple[str, str], list[int]] = {}
    for i, (block, service) in enumerate(part.trips.select("block_id", "service_id").iter_rows()):
        if block:
            blocks.setdefault((block, service), []).append(i)
    stations = part.stops["station_idx"].to_numpy()
    first_stop = part.call_stops[part.call_offsets[:-1]]
    last_stop = part.call_stops[part.call_offsets[1:] - 1]
    links = []
    for trips in blocks.values():
        ordered = sorted(trips, key=lambda trip: (int(begins[trip]), int(ends[trip]), trip))
        for first, second in pairwise(ordered):
            here, there = last_stop[first], first_stop[second]
            together = here == there or (stations[here] >= 0 and stations[here] == stations[there])
            if together and begins[second] >= ends[first]:
                links.append((first, second))
    return links
