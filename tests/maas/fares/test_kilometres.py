from hypothesis import given, settings
from hypothesis import strategies as st

from maas.fares.kilometres import KmGraph
from tests.oracles.fare_paths import find_shortest

STATIONS = "ABCDEFG"
EDGES = st.lists(
    st.tuples(st.sampled_from(STATIONS), st.sampled_from(STATIONS), st.integers(0, 40)), max_size=11
)


@settings(max_examples=150, deadline=None)
@given(edges=EDGES, origin=st.sampled_from(STATIONS), destination=st.sampled_from(STATIONS))
def test_the_shortest_of_all_simple_paths(
    edges: list[tuple[str, str, int]], origin: str, destination: str
) -> None:
    graph = KmGraph(edges)
    known = {station for edge in edges for station in edge[:2]}
    expected = find_shortest(edges, origin, destination) if origin in known else None
    assert graph.distances(origin).get(destination) == expected
    if expected is not None:
        # Whole kilometres, rounded up: the least n with n * 10 >= tenths.
        km = graph.find_km(origin, destination)
        assert km is not None
        assert (km - 1) * 10 < expected <= km * 10


@settings(max_examples=60, deadline=None)
@given(edges=EDGES)
def test_there_costs_as_much_as_back_and_no_detour_is_shorter(edges: list[tuple[str, str, int]]) -> None:
    graph = KmGraph(edges)
    for origin in STATIONS:
        for via, first in graph.distances(origin).items():
            assert graph.distances(via)[origin] == first
            for end, second in graph.distances(via).items():
                assert graph.distances(origin)[end] <= first + second
