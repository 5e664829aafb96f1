"""The small kernels against their twins."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.kernels.arrays import NOT_REACHED
from routing.kernels.interchange import best_interchange
from routing.kernels.rounds import first_run
from routing.timetable import Timetable
from tests.oracles.journeys import PlainCall, PlainWorld, best_interchange_cost
from tests.oracles.journeys import first_run as first_run_twin
from tests.routing.worlds import compile_world, worlds


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20), st.integers(-5, 60), st.integers(1, 3))
def test_first_run_is_the_first_of_a_plain_scan(departures: list[int], ready_s: int, stride: int) -> None:
    departures.sort()
    column = np.full(len(departures) * stride, -1, dtype=np.int32)
    column[::stride] = departures
    assert first_run(column, 0, stride, len(departures), ready_s) == first_run_twin(departures, ready_s)


def calls_of(timetable: Timetable, line: int, run: int) -> list[PlainCall]:
    """A run's calls as the oracle knows them."""
    lines = timetable.lines
    begin, end = int(lines.stop_offsets[line]), int(lines.stop_offsets[line + 1])
    times = int(lines.time_offsets[line]) + run * (end - begin)
    return [
        PlainCall(
            int(lines.stops[begin + p]),
            int(lines.arrivals[times + p]),
            int(lines.departures[times + p]),
            bool(lines.flags[begin + p] & 1),
            bool(lines.flags[begin + p] & 2),
        )
        for p in range(end - begin)
    ]


def walks_of(world: PlainWorld, timetable: Timetable) -> PlainWorld:
    """The world's walks and changes under the timetable's stop numbers."""
    index = {s: timetable.find_stop(f"f:s{s}") for s in range(world.stop_count)}
    world.walks = {
        (index[a], index[b]): v
        for (a, b), v in world.walks.items()
        if index[a] is not None and index[b] is not None
    }
    world.changes = {index[s]: v for s, v in world.changes.items() if index[s] is not None}
    return world


@settings(max_examples=80, deadline=None)
@given(worlds(), st.data())
def test_the_best_interchange_is_the_best_of_all_pairs(world: PlainWorld, data: st.DataObject) -> None:
    timetable = compile_world(world)
    world = walks_of(world, timetable)
    lines = timetable.lines
    chosen = []
    for _ in range(2):
        line = data.draw(st.integers(0, timetable.line_count - 1))
        count = int(lines.stop_offsets[line + 1] - lines.stop_offsets[line])
        runs = int(lines.time_offsets[line + 1] - lines.time_offsets[line]) // count
        chosen.append((line, data.draw(st.integers(0, runs - 1)), count))
    (line_1, run_1, count_1), (line_2, run_2, count_2) = chosen
    board = data.draw(st.integers(0, count_1 - 2))
    alight = data.draw(st.integers(1, count_2 - 1))
    # Where trips are cancelled, only a stretch of the run may be ridden.
    position_to = data.draw(st.integers(board + 1, count_1))
    position_from = data.draw(st.integers(0, alight - 1))
    walk_s_max = data.draw(st.sampled_from([int(NOT_REACHED), 0, 60, 300]))
    change = np.full(2, -1, dtype=np.int32)
    got = best_interchange(
        lines,
        timetable.walks,
        (line_1, run_1, 0, board, position_to),
        (line_2, run_2, 0, position_from, alight),
        walk_s_max,
        change,
    )
    first, second = calls_of(timetable, line_1, run_1), calls_of(timetable, line_2, run_2)
    check_in_s = int(lines.board_early_s[line_2])
    expected = best_interchange_cost(
        world,
        first[:position_to],
        second[position_from:],
        board,
        alight - position_from,
        check_in_s=check_in_s,
        walk_s_max=walk_s_max,
    )
    assert got == (NOT_REACHED if expected is None else expected)
    if expected is not None:
        before, after = first[change[0]], second[change[1]]
        assert board < change[0] < position_to
        assert position_from <= change[1] < alight
        assert before.arrives_s <= after.departs_s


@settings(max_examples=40, deadline=None)
@given(worlds())
def test_every_trip_is_found_again_in_its_runs(world: PlainWorld) -> None:
    """Whatever is laid end to end: each trip keeps its calls, and runs on its own days and no others."""
    timetable = compile_world(world)
    trips = timetable.trips
    for t, trip in enumerate(world.trips):
        index = timetable.find_trip(f"f:t{t}")
        days = set()
        for i in range(trips.run_offsets[index], trips.run_offsets[index + 1]):
            line, run, part = int(trips.run_lines[i]), int(trips.runs[i]), int(trips.run_parts[i])
            pattern = timetable.days.active[timetable.lines.patterns[line]]
            shift = (timetable.first_date.day - 1) if timetable.first_date.month == 6 else 0
            days |= {int(day) + shift for day in np.flatnonzero(pattern)}
            at = int(timetable.parts.offsets[line]) + part
            start = int(timetable.parts.starts[at])
            calls = calls_of(timetable, line, run)[start : start + len(trip.calls)]
            # What a rider sees of it: departures but at the end, arrivals but at the start.
            assert [c.departs_s for c in calls[:-1]] == [c.departs_s for c in trip.calls[:-1]]
            assert [c.arrives_s for c in calls[1:]] == [c.arrives_s for c in trip.calls[1:]]
        assert days == set(trip.days)
