"""The twin of maas/fares/kilometres.py: every simple path, measured; the shortest wins."""

from collections.abc import Iterator


def list_simple_paths(edges: list[tuple[str, str, int]], origin: str, destination: str) -> Iterator[int]:
    """Lengths of all paths that visit no station twice."""

    def walk(station: str, seen: frozenset[str], length: int) -> Iterator[int]:
        if station == destination:
            yield length
            return
        for one, other, tenths in edges:
            for here, there in ((one, other), (other, one)):
                if here == station and there not in seen:
                    yield from walk(there, seen | {there}, length + tenths)

    yield from walk(origin, frozenset({origin}), 0)


def find_shortest(edges: list[tuple[str, str, int]], origin: str, destination: str) -> int | None:
    """The length of the shortest simple path; None without one."""
    return min(list_simple_paths(edges, origin, destination), default=None)
