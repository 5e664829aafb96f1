"""Feeds as plain columns, put together into one timetable.

Problem   Ten feeds have ten sets of stops, trips and days, each counted from 0.
Idea      The columns of all feeds are laid behind one another and their indices shifted; linked trips become
          runs (runs.py), runs become lines (lines.py), neighbours become footpaths (footpaths.py). All of
          it by whole columns.
Not here  Where the columns come from: build.py knows GTFS, this does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from routing.footpaths import StopTransfer, WalkOptions, build_walks
from routing.kernels.arrays import MAY_ALIGHT, MAY_BOARD, NONE, Int32, Lines
from routing.lines import PART_START, Calls, build_lines, gather_slices
from routing.pathways import StationColumns, join_stations, measure_stations
from routing.runs import chain_trips
from routing.streets.footpaths import measure_footpaths
from routing.streets.ways import Ways
from routing.strings import build_strings
from routing.timetable import (
    NO,
    UNKNOWN,
    YES,
    Names,
    Parts,
    Routes,
    Stations,
    Stops,
    Timetable,
    Trips,
    Walked,
    mirror_lines,
    mirror_walks,
)
from routing.walked import find_walked


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """What may be chosen when a network is built.

    `check_in_s` is how long before a ship's departure one must be at the pier. Feeds cannot say it; ten
    minutes is between the island ships' half hour and the water bus's two minutes, and nobody misses a boat.
    """

    walks: WalkOptions = field(default_factory=WalkOptions)
    check_in_s: int = 600


@dataclass(slots=True, kw_only=True)
class FeedColumns:
    """One feed as plain columns, indices local to it.

    `trips` has a column `days` (bits, first day lowest), and its calls are those of call_offsets, in order.
    `links` are pairs of trips that one vehicle runs; `names` are (owner, language, text).
    """

    feed_id: str
    zone_name: str
    stops: pl.DataFrame
    stations: pl.DataFrame
    routes: pl.DataFrame
    agencies: pl.DataFrame
    trips: pl.DataFrame
    call_offsets: npt.NDArray[np.int64]
    call_stops: Int32
    arrivals: Int32
    departures: Int32
    flags: npt.NDArray[np.uint8]
    call_sequences: Int32
    links: list[tuple[int, int]]
    links_left_out: int
    trips_left_out: int
    transfers: list[StopTransfer]
    names: list[tuple[int, str, str]]
    inner: StationColumns


def assemble(
    parts: Sequence[FeedColumns],
    *,
    first_date: date,
    version: str,
    options: BuildOptions,
    zone_name: str,
    days_left_out: int,
    ways: Ways | None = None,
) -> tuple[Timetable, dict[str, Any]]:
    """The timetable of these feeds, and what BuildReport tells about it. Requires a trip with a day.

    ways: footpaths that no feed times are measured by these; None: by beeline.
    """
    stop_base = _bases([len(part.stops) for part in parts])
    station_base = _bases([len(part.stations) for part in parts])
    trip_base = _bases([len(part.trips) for part in parts])
    stops, stations = _join_stops(parts, stop_base, station_base)
    days = [bits for part in parts for bits in part.trips["days"].to_list()]
    links = [
        (a + base, b + base) for part, base in zip(parts, trip_base, strict=False) for a, b in part.links
    ]
    calls, patterns, dropped = _runs_of(parts, stop_base, days, links)
    lines, line_parts, hours, line_of = build_lines(
        calls, stop_count=len(stops.lat), check_in_s=options.check_in_s
    )
    transfers = [
        StopTransfer(row.source + base, row.target + base, row.kind, row.seconds)
        for part, base in zip(parts, stop_base, strict=False)
        for row in part.transfers
    ]
    active = _unpack_days(patterns)
    routes, trips, texts = _join_trips(parts, line_parts, line_of)
    nodes, pathways = join_stations(
        [(part.inner, base) for part, base in zip(parts, stop_base, strict=False)]
    )
    within = measure_stations(nodes, pathways, stop_count=len(stops.lat))
    walks = build_walks(
        within=(within.pairs, within.pair_s),
        lat=stops.lat,
        lon=stops.lon,
        stations=stops.stations,
        operators=_operators_of(lines, line_parts, trips, routes, stop_count=len(stops.lat)),
        transfers=transfers,
        options=options.walks,
        nearby=None if ways is None else measure_footpaths(stops.lat, stops.lon, options.walks, ways=ways),
    )
    names, languages, name_texts = _join_names(parts, stop_base, station_base)
    timetable = Timetable(
        version=version,
        zone_name=zone_name,
        first_date=first_date,
        feed_ids=tuple(part.feed_id for part in parts),
        languages=languages,
        lines=lines,
        mirror=mirror_lines(lines, stop_count=len(stops.lat)),
        walks=walks,
        mirror_walks=mirror_walks(walks),
        walked=Walked(
            find_walked(
                walks,
                lat=stops.lat,
                lon=stops.lon,
                stations=stops.stations,
                transfers=transfers,
                options=options.walks,
            )
        ),
        parts=line_parts,
        days=hours._replace(active=active),
        stops=stops,
        stations=stations,
        names=names,
        nodes=nodes,
        pathways=pathways,
        routes=routes,
        trips=trips,
        stop_ids=build_strings(_ids(parts, "stops", "stop_id")),
        stop_names=build_strings(_texts(parts, "stops", "stop_name")),
        station_ids=build_strings(_ids(parts, "stations", "stop_id")),
        station_names=build_strings(_texts(parts, "stations", "stop_name")),
        name_texts=build_strings(name_texts),
        node_ids=build_strings([f"{part.feed_id}:{each}" for part in parts for each in part.inner.node_ids]),
        pathway_ids=build_strings(
            [f"{part.feed_id}:{each}" for part in parts for each in part.inner.pathway_ids]
        ),
        **{name: build_strings(values) for name, values in texts.items()},
    )
    report = {
        "feed_ids": timetable.feed_ids,
        "first_date": timetable.first_date,
        "last_date": timetable.last_date,
        "stop_count": timetable.stop_count,
        "station_count": len(stations.lat),
        "trip_count": len(trips.routes),
        "call_count": sum(len(part.call_stops) for part in parts),
        "line_count": timetable.line_count,
        "run_count": len(calls.patterns),
        "footpath_count": len(walks.targets),
        "in_seat_link_count": len(links) - dropped,
        "trips_left_out": sum(part.trips_left_out for part in parts),
        "links_left_out": dropped + sum(part.links_left_out for part in parts),
        "days_left_out": days_left_out,
    }
    return timetable, report


def _bases(counts: Sequence[int]) -> list[int]:
    return [0, *np.cumsum(counts).tolist()]


def _ids(parts: Sequence[FeedColumns], table: str, column: str) -> list[str]:
    return [f"{part.feed_id}:{value}" for part in parts for value in getattr(part, table)[column]]


def _texts(parts: Sequence[FeedColumns], table: str, column: str) -> list[str]:
    return [value or "" for part in parts for value in getattr(part, table)[column]]


def _join_stops(
    parts: Sequence[FeedColumns], stop_base: Sequence[int], station_base: Sequence[int]
) -> tuple[Stops, Stations]:
    local = [part.stops["station_idx"].to_numpy() for part in parts]
    of_stop = [np.where(idx >= 0, idx + base, NONE) for idx, base in zip(local, station_base, strict=False)]
    joined = np.concatenate(of_stop).astype(np.int32)
    members = np.flatnonzero(joined >= 0)
    members = members[np.argsort(joined[members], kind="stable")]
    stations = Stations(
        lat=_floats(parts, "stations", "stop_lat"),
        lon=_floats(parts, "stations", "stop_lon"),
        feeds=_feed_of(parts, "stations"),
        offsets=np.searchsorted(joined[members], np.arange(station_base[-1] + 1)).astype(np.int32),
        stops=members.astype(np.int32),
    )
    stops = Stops(
        lat=_floats(parts, "stops", "stop_lat"),
        lon=_floats(parts, "stops", "stop_lon"),
        stations=joined,
        feeds=_feed_of(parts, "stops"),
        wheelchairs=np.concatenate([part.stops["wheelchair_boarding"].to_numpy() for part in parts]).astype(
            np.uint8
        ),
    )
    assert len(stops.lat) == stop_base[-1], "every stop is joined"
    return stops, stations


def _floats(parts: Sequence[FeedColumns], table: str, column: str) -> npt.NDArray[np.float64]:
    return np.concatenate([getattr(part, table)[column].cast(pl.Float64).to_numpy() for part in parts])


def _feed_of(parts: Sequence[FeedColumns], table: str) -> Int32:
    return np.repeat(np.arange(len(parts)), [len(getattr(part, table)) for part in parts]).astype(np.int32)


def _runs_of(
    parts: Sequence[FeedColumns],
    stop_base: Sequence[int],
    days: Sequence[int],
    links: Sequence[tuple[int, int]],
) -> tuple[Calls, list[int], int]:
    """The calls of all runs, the distinct day patterns (bits), and the links dropped as tangles."""
    chained, dropped = chain_trips(days=days, links=links)
    linked = {trip for link in links for trip in link}
    alone = np.array([trip for trip in range(len(days)) if trip not in linked], dtype=np.int64)
    pattern_of: dict[int, int] = {}
    patterns = [pattern_of.setdefault(days[trip], len(pattern_of)) for trip in alone]
    patterns += [pattern_of.setdefault(run.days, len(pattern_of)) for run in chained]
    flat = np.concatenate([alone, *(np.array(run.trips, dtype=np.int64) for run in chained)])
    sizes = np.concatenate((np.ones(len(alone), dtype=np.int64), [len(run.trips) for run in chained]))
    trip_offsets = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)

    lengths = np.concatenate([np.diff(part.call_offsets) for part in parts])
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    index, slices = gather_slices(offsets, flat)
    flags = np.concatenate([part.flags for part in parts])[index]
    arrivals = np.concatenate([part.arrivals for part in parts])[index]
    departures = np.concatenate([part.departures for part in parts])[index]
    # Where a run goes on as its next trip, nobody boards the first trip or leaves the second. So the first
    # may be said to end with its arrival, the second to begin with its departure, and time goes on.
    goes_on = np.ones(len(flat), dtype=np.bool_)
    goes_on[trip_offsets[1:] - 1] = False
    begins = slices[1:][goes_on]
    flags[begins - 1] &= ~MAY_BOARD
    flags[begins] &= ~MAY_ALIGHT
    flags[begins] |= PART_START
    departures[begins - 1] = arrivals[begins - 1]
    arrivals[begins] = departures[begins]
    stops = np.concatenate([part.call_stops + base for part, base in zip(parts, stop_base, strict=False)])
    calls = Calls(
        offsets=slices[trip_offsets],
        stops=stops[index].astype(np.int32),
        arrivals=arrivals,
        departures=departures,
        flags=flags,
        patterns=np.array(patterns, dtype=np.int32),
        trip_offsets=trip_offsets,
        trips=flat.astype(np.int32),
    )
    return calls, list(pattern_of), dropped


def _unpack_days(patterns: Sequence[int]) -> npt.NDArray[np.uint8]:
    day_count = max(bits.bit_length() for bits in patterns)
    width = (day_count + 7) // 8
    packed = np.frombuffer(b"".join(bits.to_bytes(width, "little") for bits in patterns), dtype=np.uint8)
    return np.unpackbits(packed.reshape(-1, width), axis=1, bitorder="little")[:, :day_count].copy()


def _join_trips(
    parts: Sequence[FeedColumns], line_parts: Parts, line_of: npt.NDArray[np.int64]
) -> tuple[Routes, Trips, dict[str, list[str]]]:
    agency_of: dict[str, int] = {}
    routes: list[tuple[int, int]] = []
    texts: dict[str, list[str]] = {
        name: []
        for name in (
            "route_ids",
            "route_names",
            "route_long_names",
            "route_colors",
            "agency_ids",
            "agency_names",
        )
    }
    trip_routes: list[int] = []
    for part in parts:
        agency_of = _add_agencies(part, texts)
        route_of: dict[str, int] = {}
        for row in part.routes.iter_rows(named=True):
            route_of.setdefault(row["route_id"], len(routes))
            agency = agency_of.get(row["agency_id"] or "", next(iter(agency_of.values())))
            routes.append((row["route_type"], agency))
            texts["route_ids"].append(f"{part.feed_id}:{row['route_id']}")
            texts["route_names"].append(row["route_short_name"] or row["route_long_name"] or "")
            texts["route_long_names"].append(row["route_long_name"] or "")
            texts["route_colors"].append(row["route_color"] or "")
        trip_routes += [route_of[route_id] for route_id in part.trips["route_id"]]
    texts["trip_ids"] = _ids(parts, "trips", "trip_id")
    headsigns, texts["headsigns"] = _number(parts, "trip_headsign")
    trip_names, texts["trip_names"] = _number(parts, "trip_short_name")
    trips = _index_trips(line_parts, line_of, len(trip_routes))._replace(
        routes=np.array(trip_routes, dtype=np.int32),
        headsigns=headsigns,
        names=trip_names,
        feeds=_feed_of(parts, "trips"),
        bikes=_known(parts, "bikes_allowed"),
        wheelchairs=_known(parts, "wheelchair_accessible"),
        **_join_sequences(parts),
    )
    kinds, agencies = (np.array(column, dtype=np.int32) for column in zip(*routes, strict=True))
    return Routes(types=kinds, agencies=agencies), trips, texts


def _number(parts: Sequence[FeedColumns], column: str) -> tuple[Int32, list[str]]:
    """A column of all trips as numbers of distinct texts, and these; nothing is text 0, the empty one."""
    numbers = {"": 0}
    of_trips = [numbers.setdefault(text or "", len(numbers)) for part in parts for text in part.trips[column]]
    return np.array(of_trips, dtype=np.int32), list(numbers)


def _known(parts: Sequence[FeedColumns], column: str) -> npt.NDArray[np.uint8]:
    """What trips say of bikes or wheelchairs; a value that GTFS does not know says nothing."""
    told = np.concatenate([part.trips[column].fill_null(UNKNOWN).to_numpy() for part in parts])
    return np.where((told == YES) | (told == NO), told, UNKNOWN).astype(np.uint8)


def _join_sequences(parts: Sequence[FeedColumns]) -> dict[str, Int32]:
    """The stop_sequences of trips that do not count 1, 2, 3 ... as most feeds do."""
    counts, kept = [], []
    for part in parts:
        begins, lengths = part.call_offsets[:-1], np.diff(part.call_offsets)
        counted = np.arange(len(part.call_sequences)) - np.repeat(begins, lengths) + 1
        is_own = ~np.logical_and.reduceat(part.call_sequences == counted, begins)
        counts.append(np.where(is_own, lengths, 0))
        kept.append(part.call_sequences[np.repeat(is_own, lengths)])
    offsets = np.concatenate(([0], np.cumsum(np.concatenate(counts)))).astype(np.int32)
    return {"sequence_offsets": offsets, "sequences": np.concatenate(kept).astype(np.int32)}


def _operators_of(lines: Lines, line_parts: Parts, trips: Trips, routes: Routes, *, stop_count: int) -> Int32:
    """An operator whose vehicles call at each stop. Where several do, any: one changes there at one stop."""
    part_counts = np.diff(line_parts.offsets)
    starts = lines.stop_offsets[:-1].repeat(part_counts) + line_parts.starts
    lengths = np.diff(np.append(starts, len(lines.stops)))
    # The trips of a line's first run, a part each, stand for all its runs.
    within = np.arange(len(starts)) - np.repeat(line_parts.offsets[:-1], part_counts)
    first = np.repeat(line_parts.trip_offsets[:-1], part_counts) + within
    agencies = routes.agencies[trips.routes[line_parts.trips[first]]]
    operators = np.full(stop_count, NONE, dtype=np.int32)
    operators[lines.stops] = np.repeat(agencies, lengths)
    return operators


def _add_agencies(part: FeedColumns, texts: dict[str, list[str]]) -> dict[str, int]:
    agency_of: dict[str, int] = {}
    for row in part.agencies.iter_rows(named=True):
        agency_of[row["agency_id"] or ""] = len(texts["agency_ids"])
        texts["agency_ids"].append(row["agency_id"] or "")
        texts["agency_names"].append(row["agency_name"] or "")
    if not agency_of:
        agency_of[""] = len(texts["agency_ids"])
        texts["agency_ids"].append("")
        texts["agency_names"].append("")
    return agency_of


def _index_trips(line_parts: Parts, line_of: npt.NDArray[np.int64], trip_count: int) -> Trips:
    """Where each trip is found among the runs; its own columns are still empty."""
    part_counts = np.diff(line_parts.offsets)
    line = np.repeat(np.arange(len(part_counts)), np.diff(line_parts.trip_offsets))
    at = np.arange(len(line_parts.trips)) - line_parts.trip_offsets[line]
    run, part = at // part_counts[line], at % part_counts[line]
    assert len(np.unique(line_of)) == len(part_counts), "every line has a run"
    order = np.argsort(line_parts.trips, kind="stable")
    offsets = np.searchsorted(line_parts.trips[order], np.arange(trip_count + 1))
    empty = np.zeros(0, dtype=np.int32)
    return Trips(
        routes=empty,
        headsigns=empty,
        names=empty,
        feeds=empty,
        bikes=empty.astype(np.uint8),
        wheelchairs=empty.astype(np.uint8),
        sequence_offsets=empty,
        sequences=empty,
        run_offsets=offsets.astype(np.int32),
        run_lines=line[order].astype(np.int32),
        runs=run[order].astype(np.int32),
        run_parts=part[order].astype(np.int32),
    )


def _join_names(
    parts: Sequence[FeedColumns], stop_base: Sequence[int], station_base: Sequence[int]
) -> tuple[Names, tuple[str, ...], list[str]]:
    languages = {"": 0}
    owners, spoken, texts = [], [], []
    for part, stop, station in zip(parts, stop_base, station_base, strict=False):
        for owner, language, text in part.names:
            owners.append(owner + stop if owner >= 0 else owner - station)
            spoken.append(languages.setdefault(language, len(languages)))
            texts.append(text)
    names = Names(owners=np.array(owners, dtype=np.int32), languages=np.array(spoken, dtype=np.int32))
    return names, tuple(languages), texts
