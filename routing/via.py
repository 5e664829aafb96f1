"""Searches that must pass a stop on the way, or stay at it.

Problem   A traveller wants to go over a place, and perhaps stay there for some minutes. Two searches put end
          to end are not exact: who may stay seated through that place need not be early for a change there.
Idea      The network is laid out in layers, one more than there are places: who is in layer i has been at the
          first i of them. Rides and footpaths stay in their layer. From one layer to the next lead
          interchanges at the place, as long as the stay; and, where no stay is asked, lines that call there:
          such a line is laid out again, with the stops before the place in the one layer and those from it on
          in the next. Times are shared by all layers. The kernels search this as they search any network.
Exact     Every way through the layers is a journey that has been at the places in order, and the other way
          round. Bounds of the network bound it too: in no layer is anything faster.
Rules     A call counts where one may board or alight. Boarding and alighting there count as being there. A
          stay needs an interchange: where a journey begins and ends nobody stays. Where both stops of an
          interchange are of the place, the walk between them is part of the stay.
Source    Layers for constraints of sequence: Barrett, Jacob, Marathe, "Formal-Language-Constrained Path
          Problems", 2000.
Twin      tests/oracles/via.py
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.found import read_journeys, tidy
from routing.journey import FoundJourney, find_walk_s
from routing.kernels.arrays import (
    ACCESS,
    EGRESS_STOP,
    INSTANCE,
    LINE,
    MAY_ALIGHT,
    MAY_BOARD,
    NEXT_STOP,
    NOT_REACHED,
    POSITION,
    STOP_BEGIN,
    Found,
    Instances,
    Int32,
    Lines,
    Times,
    Walks,
)
from routing.raptor import Ends, Query, Router, Side, ends_of
from routing.timetable import Timetable
from routing.windows import Window
from routing.workspaces import Workspaces

VIAS_MAX = 2
STAY_S_MAX = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Via:
    """A place to be at on the way: any of its stops, for stay_s seconds at least."""

    stops: frozenset[int]
    stay_s: int = 0


@dataclass(frozen=True, slots=True)
class _Crossing:
    """A line of which the stops from some positions on are in later layers.

    `begin` is where its stops begin among all, `first` the position up to which it may be boarded to cross,
    `last` that from which on one has crossed.
    """

    line: int
    begin: int
    first: int
    last: int


class ViaRouter(Router):
    """Searches a router's timetable for journeys that are at these places, in this order."""

    windows_kept = 4

    def __init__(self, router: Router, vias: Sequence[Via]) -> None:
        assert 0 < len(vias) <= VIAS_MAX, "so many layers as there are places, and one"
        super().__init__(
            router.timetable,
            bounds=router.bounds,
            gain_s=router.gain_s,
        )
        self.cancellations = router.cancellations
        self._router = router
        self.vias = tuple(vias)
        self._layered = tuple(
            _Layers(router.timetable, side, lines, tuple(vias_in_order))
            for side, lines, vias_in_order in (
                (router.sides[0], router.timetable.lines, self.vias),
                (router.sides[1], router.timetable.mirror, self.vias[::-1]),
            )
        )
        self.sides = (self._layered[0].side, self._layered[1].side)
        self.workspaces = Workspaces(router.timetable.stop_count * (len(vias) + 1))

    def _lay_out(self, window: Window) -> Instances:
        return self._layered[window.is_mirrored].lay_out(self._router.get_instances(window))

    def kernel_ends(self, query: Query, *, is_mirrored: bool) -> tuple[Ends, Ends]:
        """See Router: the access in the first layer, the egress in the last, or past places at the ends."""
        layers = self._layered[is_mirrored]
        access, egress = ends_of(query, is_mirrored=is_mirrored)
        return layers.begin(access)[0], layers.end(egress)

    def read(self, query: Query, window: Window, found: Found, count: int) -> list[FoundJourney]:
        """See Router: the journeys, with the stops that layers stand for."""
        layers = self._layered[window.is_mirrored]
        access, _ = ends_of(query, is_mirrored=window.is_mirrored)
        journeys = found.journeys[:count]
        journeys[:, EGRESS_STOP] %= self.timetable.stop_count
        journeys[:, ACCESS] = layers.begin(access)[1][journeys[:, ACCESS]]
        return read_journeys(self.timetable, window, query, found, count)

    def tidy(self, path: FoundJourney) -> FoundJourney:
        """See Router; interchanges stay where they are if the journey would miss a place otherwise."""
        tidied = tidy(self.timetable, self.cancellations, path)
        return tidied if is_via(self.timetable, tidied, self.vias) else path


class _Layers:
    """One side of a timetable, in layers. S stops, Q positions; layer i's stop s is s + i * S."""

    def __init__(self, timetable: Timetable, side: Side, lines: Lines, vias: tuple[Via, ...]) -> None:
        self._stop_count, self._vias, self._lines = timetable.stop_count, vias, lines
        self._count = len(vias) + 1
        self._crossings, crossed, flags = self._cross()
        layers = [side.times.stops + np.int32(i * self._stop_count) for i in range(self._count)]
        times = Times(
            stops=np.concatenate([*layers, *crossed]).astype(np.int32),
            flags=np.concatenate([side.times.flags] * self._count + flags),
            arrivals=side.times.arrivals,
            departures=side.times.departures,
        )
        bounds = side.bounds
        if len(bounds.groups):
            bounds = bounds._replace(groups=np.tile(bounds.groups, self._count))
        self.side = Side(times, self._join_walks(side.walks), bounds, side.layout)

    # Rides -------------------------------------------------------------------------------------------------

    def _cross(self) -> tuple[list[_Crossing], list[Int32], list[npt.NDArray[np.uint8]]]:
        """The lines that call at places without a stay, their stops and their flags."""
        crossings: list[_Crossing] = []
        stops: list[Int32] = []
        flags: list[npt.NDArray[np.uint8]] = []
        begin = self._count * len(self._lines.stops)
        for line, layer, positions in self._list_passes():
            own = slice(int(self._lines.stop_offsets[line]), int(self._lines.stop_offsets[line + 1]))
            at = np.full(own.stop - own.start, layer * self._stop_count, dtype=np.int32)
            for position in positions:
                at[position:] += self._stop_count
            stops.append(self._lines.stops[own] + at)
            flags.append(self._lines.flags[own])
            crossings.append(_Crossing(line, begin, positions[0], positions[-1]))
            begin += len(at)
        return crossings, stops, flags

    def _list_passes(self) -> Iterator[tuple[int, int, list[int]]]:
        """(line, the layer it comes from, the position of each place passed one after another)."""
        calls = [self._list_calls(via) for via in self._vias]
        for layer in range(len(self._vias)):
            for line, positions in calls[layer].items():
                for position in positions:
                    passed = [position]
                    yield line, layer, list(passed)
                    for following in range(layer + 1, len(self._vias)):
                        later = [p for p in calls[following].get(line, ()) if p >= passed[-1]]
                        if not later:
                            break
                        passed.append(later[0])
                        yield line, layer, list(passed)

    def _list_calls(self, via: Via) -> dict[int, list[int]]:
        """Line -> the positions where it calls there, its first left out; none where a stay is asked."""
        if via.stay_s:
            return {}
        lines = self._lines
        calls = np.isin(lines.stops, list(via.stops)) & (lines.flags & (MAY_BOARD | MAY_ALIGHT) != 0)
        found: dict[int, list[int]] = {}
        for at in np.flatnonzero(calls).tolist():
            line = int(np.searchsorted(lines.stop_offsets, at, side="right")) - 1
            if position := at - int(lines.stop_offsets[line]):
                found.setdefault(line, []).append(position)
        return found

    def lay_out(self, plain: Instances) -> Instances:
        """The instances of every layer, and those that cross."""
        row_count, position_count = len(plain.rows), len(self._lines.stops)
        rows, entries, alights = [], [], []
        entry_stops = _owners(plain.entry_offsets)
        alight_stops = _owners(plain.alight_offsets)
        for layer in range(self._count):
            moved = plain.rows.copy()
            moved[:, STOP_BEGIN] += layer * position_count
            rows.append(moved)
            shift = np.array([layer * row_count, 0, layer * self._stop_count, 0], dtype=np.int32)
            entries.append((entry_stops + layer * self._stop_count, plain.entries + shift))
            alights.append((alight_stops + layer * self._stop_count, plain.alights + shift[:2]))
        crossing_rows = self._cross_rows(plain, row_count * self._count)
        rows.append(crossing_rows[0])
        entries.append(self._cross_entries(plain.entries, crossing_rows))
        alights.append(self._cross_alights(plain.alights, crossing_rows))
        entry_offsets, all_entries = self._by_stop(entries)
        alight_offsets, all_alights = self._by_stop(alights)
        return Instances(
            rows=np.concatenate(rows),
            shifts_s=plain.shifts_s,
            entry_offsets=entry_offsets,
            entries=all_entries,
            alight_offsets=alight_offsets,
            alights=all_alights,
        )

    def _cross_rows(self, plain: Instances, first: int) -> tuple[Int32, Int32, Int32, Int32]:
        """The rows that cross; of each its crossing, the row it is a copy of, and its number."""
        order = np.argsort(plain.rows[:, LINE], kind="stable")
        lines = np.array([crossing.line for crossing in self._crossings], dtype=np.int64)
        begins = np.searchsorted(plain.rows[order, LINE], lines)
        counts = np.searchsorted(plain.rows[order, LINE], lines, side="right") - begins
        which = np.repeat(np.arange(len(lines)), counts)
        within = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        copied = order[np.repeat(begins, counts) + within]
        rows = plain.rows[copied].copy()
        stops_begin = np.array([crossing.begin for crossing in self._crossings], dtype=np.int64)
        rows[:, STOP_BEGIN] = stops_begin[which]
        numbers = first + np.arange(len(which))
        return rows, which.astype(np.int32), copied.astype(np.int32), numbers.astype(np.int32)

    def _cross_entries(
        self, entries: Int32, crossing_rows: tuple[Int32, Int32, Int32, Int32]
    ) -> tuple[Int32, Int32]:
        """(stop, entry) of those that board before the first place."""
        which, taken, numbers = self._pair(entries, crossing_rows)
        first = np.array([crossing.first for crossing in self._crossings], dtype=np.int64)
        kept = taken[:, POSITION] < first[which]
        which, taken, numbers = which[kept], taken[kept].copy(), numbers[kept]
        at = self._begins[which] + taken[:, POSITION]
        taken[:, INSTANCE] = numbers
        taken[:, NEXT_STOP] = self.side.times.stops[at + 1]
        return self.side.times.stops[at], taken

    def _cross_alights(
        self, alights: Int32, crossing_rows: tuple[Int32, Int32, Int32, Int32]
    ) -> tuple[Int32, Int32]:
        """(stop, alight) of those that alight at the last place or after it."""
        which, taken, numbers = self._pair(alights, crossing_rows)
        last = np.array([crossing.last for crossing in self._crossings], dtype=np.int64)
        kept = taken[:, POSITION] >= last[which]
        which, taken, numbers = which[kept], taken[kept].copy(), numbers[kept]
        at = self._begins[which] + taken[:, POSITION]
        taken[:, INSTANCE] = numbers
        return self.side.times.stops[at], taken

    @property
    def _begins(self) -> npt.NDArray[np.int64]:
        return np.array([crossing.begin for crossing in self._crossings], dtype=np.int64)

    @staticmethod
    def _pair(columns: Int32, crossing_rows: tuple[Int32, Int32, Int32, Int32]) -> tuple[Int32, Int32, Int32]:
        """For each row that crosses what the row it copies has: crossing, columns, the row's number."""
        _, which, copied, numbers = crossing_rows
        order = np.argsort(columns[:, INSTANCE], kind="stable")
        begins = np.searchsorted(columns[order, INSTANCE], copied)
        counts = np.searchsorted(columns[order, INSTANCE], copied, side="right") - begins
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        taken = columns[order[np.repeat(begins, counts) + within]]
        return np.repeat(which, counts), taken, np.repeat(numbers, counts)

    def _by_stop(self, parts: Sequence[tuple[Int32, Int32]]) -> tuple[Int32, Int32]:
        stops = np.concatenate([stops for stops, _ in parts])
        columns = np.concatenate([columns for _, columns in parts])
        order = np.argsort(stops, kind="stable")
        offsets = np.searchsorted(stops[order], np.arange(self._count * self._stop_count + 1))
        return offsets.astype(np.int32), np.ascontiguousarray(columns[order])

    # Interchanges ------------------------------------------------------------------------------------------

    def _join_walks(self, walks: Walks) -> Walks:
        """The footpaths of every layer, and those that lead to later ones."""
        stop_count = self._stop_count
        sources = _owners(walks.offsets)
        parts = [
            (sources + layer * stop_count, walks.targets + layer * stop_count, walks.walk_s)
            for layer in range(self._count)
        ]
        at_any = np.isin(np.arange(stop_count), [stop for via in self._vias for stop in via.stops])
        chosen = np.flatnonzero(at_any[sources] | at_any[walks.targets])
        pairs = list(
            zip(
                sources[chosen].tolist(),
                walks.targets[chosen].tolist(),
                walks.walk_s[chosen].tolist(),
                strict=True,
            )
        )
        pairs += [
            (stop, stop, int(walks.change_s[stop]))
            for stop in np.flatnonzero(at_any).tolist()
            if walks.change_s[stop] != NOT_REACHED
        ]
        jumps = [
            (source + layer * stop_count, target + later * stop_count, seconds)
            for source, target, walk_s in pairs
            for layer in range(len(self._vias))
            for later in range(layer + 1, self._count)
            if (seconds := stay_s(self._vias[layer:later], source, target, walk_s)) is not None
        ]
        if jumps:
            columns = np.array(jumps, dtype=np.int32).T
            parts.append((columns[0], columns[1], columns[2]))
        origins, targets, taken_s = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(origins, kind="stable")
        return Walks(
            offsets=np.searchsorted(origins[order], np.arange(self._count * stop_count + 1)).astype(np.int32),
            targets=targets[order].astype(np.int32),
            walk_s=taken_s[order].astype(np.int32),
            change_s=np.tile(walks.change_s, self._count),
        )

    # Ends --------------------------------------------------------------------------------------------------

    def begin(self, access: Ends) -> tuple[Ends, Int32]:
        """Where a search begins, and of each way which of `access` it is."""
        stops, walk_s, index = [], [], []
        for i, (stop, seconds) in enumerate(zip(*(column.tolist() for column in access), strict=True)):
            for layer in range(self._count):
                if layer and not self._is_passed(layer - 1, stop):
                    break
                stops.append(stop + layer * self._stop_count)
                walk_s.append(seconds)
                index.append(i)
        return _ends(stops, walk_s), np.array(index, dtype=np.int32)

    def end(self, egress: Ends) -> Ends:
        """Where it ends."""
        stops, walk_s = [], []
        for stop, seconds in zip(*(column.tolist() for column in egress), strict=True):
            for layer in range(self._count - 1, -1, -1):
                if layer < self._count - 1 and not self._is_passed(layer, stop):
                    break
                stops.append(stop + layer * self._stop_count)
                walk_s.append(seconds)
        return _ends(stops, walk_s)

    def _is_passed(self, via: int, stop: int) -> bool:
        """Whether one who boards or alights there has been at the place."""
        return not self._vias[via].stay_s and stop in self._vias[via].stops


def stay_s(vias: Sequence[Via], source: int, target: int, walk_s: int) -> int | None:
    """Seconds from alighting to boarding of an interchange at all these places; None if it is not at them.

    walk_s: what the interchange takes anyway. A place of which both stops are is stayed at on the way.
    """
    before_or_after_s = within_s = 0
    is_after = False
    for via in vias:
        if source in via.stops and target in via.stops:
            within_s += via.stay_s
        elif target in via.stops:
            is_after = True
            before_or_after_s += via.stay_s
        elif source in via.stops and not is_after:
            before_or_after_s += via.stay_s
        else:
            return None
    return before_or_after_s + max(walk_s, within_s)


def is_via(timetable: Timetable, path: FoundJourney, vias: Sequence[Via]) -> bool:
    """Whether the journey is at these places, in this order, for as long as is asked."""
    lines = timetable.lines
    layers = {0}
    for i, ride in enumerate(path.rides):
        begin = int(lines.stop_offsets[ride.line])
        stops = lines.stops[begin + ride.board : begin + ride.alight + 1].tolist()
        flags = lines.flags[begin + ride.board : begin + ride.alight + 1].tolist()
        if i:
            before = path.rides[i - 1]
            source = int(lines.stops[int(lines.stop_offsets[before.line]) + before.alight])
            change_s = find_walk_s(timetable, source, stops[0])
            assert change_s is not None, "an interchange is a footpath"
            free_s = ride.departs_s - int(lines.board_early_s[ride.line]) - before.arrives_s
            layers |= {
                later
                for layer in layers
                for later in range(layer + 1, len(vias) + 1)
                if (needed := stay_s(vias[layer:later], source, stops[0], change_s)) is not None
                and needed <= free_s
            }
        for stop, flag in zip(stops, flags, strict=True):
            if flag & (MAY_BOARD | MAY_ALIGHT):
                _pass(layers, vias, stop)
    return len(vias) in layers


def _pass(layers: set[int], vias: Sequence[Via], stop: int) -> None:
    """Add to the numbers of places been at those that a call at the stop makes of them."""
    for layer, via in enumerate(vias):
        if layer in layers and not via.stay_s and stop in via.stops:
            layers.add(layer + 1)


def _owners(offsets: Int32) -> Int32:
    """Of each thing that somebody owns, who does."""
    return np.repeat(np.arange(len(offsets) - 1, dtype=np.int32), np.diff(offsets))


def _ends(stops: list[int], walk_s: list[int]) -> Ends:
    return np.array(stops, dtype=np.int32), np.array(walk_s, dtype=np.int32)
