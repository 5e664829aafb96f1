"""Where to change from one vehicle to the next, when both are known.

Problem   A search stops at the first way it finds to catch a run; it may ride past a station and back
          (都庁前 to 中井 to 都庁前) only to board the very train that passes where it started.
Idea      Both vehicles are fixed, so try every pair of stops where one can change between them in time, and
          take the pair with the fewest seconds ridden plus twice the seconds walked. The times at both ends
          of the pair stay as they are, so the journey as a whole is no slower.
Twin      tests/oracles/journeys.py
"""

# ruff: noqa: PLR0917 - compiled functions are called by position

import numba

from routing.kernels.arrays import MAY_ALIGHT, MAY_BOARD, NOT_REACHED, Int32, Lines, Walks


@numba.njit(nogil=True, cache=True)
def best_interchange(
    lines: Lines,
    walks: Walks,
    first: tuple[int, int, int, int, int],
    second: tuple[int, int, int, int, int],
    walk_s_max: int,
    change: Int32,
) -> int:
    """Choose where to alight from the first run and board the second.

    lines, walks  see arrays.py
    first   (line, run, shift_s, position boarded at, the position after the last it may be ridden to)
    second  (line, run, shift_s, the first position it may be boarded at, position alighted at)
    walk_s_max  footpaths that take longer are not taken; NOT_REACHED: any is
    change  int32[2]  written: the position to alight at on the first, to board at on the second
    Returns the cost in seconds; NOT_REACHED (and `change` untouched) if no change is possible
    """
    line_1, run_1, shift_1, board, position_to = first
    line_2, run_2, shift_2, position_from, alight = second
    stops_1 = lines.stop_offsets[line_1]
    stops_2 = lines.stop_offsets[line_2]
    count_1 = lines.stop_offsets[line_1 + 1] - stops_1
    count_2 = lines.stop_offsets[line_2 + 1] - stops_2
    times_1 = lines.time_offsets[line_1] + run_1 * count_1
    times_2 = lines.time_offsets[line_2] + run_2 * count_2
    boarded_s = lines.departures[times_1 + board] + shift_1
    alighted_s = lines.arrivals[times_2 + alight] + shift_2
    best = NOT_REACHED
    for p in range(board + 1, position_to):
        if not lines.flags[stops_1 + p] & MAY_ALIGHT:
            continue
        stop = lines.stops[stops_1 + p]
        arrives_s = lines.arrivals[times_1 + p] + shift_1
        if arrives_s > alighted_s:
            break
        # Entry -1 is the change at the stop itself, the others are its footpaths.
        for w in range(walks.offsets[stop] - 1, walks.offsets[stop + 1]):
            is_same = w == walks.offsets[stop] - 1
            target = stop if is_same else walks.targets[w]
            walk_s = walks.change_s[stop] if is_same else walks.walk_s[w]
            if walk_s == NOT_REACHED or (not is_same and walk_s > walk_s_max):
                continue
            for q in range(position_from, alight):
                if lines.stops[stops_2 + q] != target or not lines.flags[stops_2 + q] & MAY_BOARD:
                    continue
                departs_s = lines.departures[times_2 + q] + shift_2
                if departs_s - lines.board_early_s[line_2] < arrives_s + walk_s:
                    continue
                cost = arrives_s - boarded_s + alighted_s - departs_s + (0 if is_same else 2 * walk_s)
                if cost < best:
                    best = cost
                    change[0] = p
                    change[1] = q
    return int(best)
