"""The quickest ways by a rented vehicle from each stop, by trying all: twin of routing/kernels/rentals.py."""

from collections.abc import Mapping

Way = tuple[int, int, int, int, int]


def list_rental_walks(
    footpaths: Mapping[tuple[int, int], int],
    out_of: Mapping[tuple[int, int], int],
    rides: Mapping[tuple[int, int], int],
    into: Mapping[tuple[int, int], int],
    *,
    limit_s: int,
    count_max: int,
) -> list[Way]:
    """Stop, stop, seconds, vehicle, place: see the kernel. All mappings are seconds by pair."""
    ways: dict[tuple[int, int], tuple[int, int, int]] = {}
    for (stop, vehicle), walk_s in out_of.items():
        for (ridden, place), ride_s in rides.items():
            for (left, target), from_s in into.items():
                total = walk_s + ride_s + from_s
                if ridden != vehicle or left != place or target == stop or total > limit_s:
                    continue
                way = (total, vehicle, place)
                ways[stop, target] = min(ways.get((stop, target), way), way)
    found: list[Way] = []
    for stop in {stop for stop, _ in ways}:
        quick = sorted(
            (way[0], target, way)
            for (source, target), way in ways.items()
            if source == stop and way[0] < footpaths.get((stop, target), limit_s + 1)
        )
        found += [(stop, target, *way) for _, target, way in quick[:count_max]]
    return sorted(found)
