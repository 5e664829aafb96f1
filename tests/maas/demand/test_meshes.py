"""Grid codes against published ones, and against their own borders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas.demand.meshes import find_half_mesh, find_third_mesh, is_mesh_code, measure_bounds


@pytest.mark.parametrize(
    ("lat", "lon", "code"),
    [
        (35.6812, 139.7671, "53394611"),  # Tokyo station, in the introductions to JIS X 0410
        (35.658581, 139.745433, "53393599"),  # Tokyo tower, the example of the jismesh package
        (35.70078, 139.71475, "53394547"),  # the example of the japanmesh package
    ],
)
def test_third_meshes_that_others_have_published(lat: float, lon: float, code: str) -> None:
    assert find_third_mesh(lat, lon) == code


def test_borders_that_others_have_published() -> None:
    # japanmesh's example: 53394547 reaches from 35.7, 139.7125 to 35.70833, 139.725.
    bounds = measure_bounds("53394547")
    assert (bounds.south, bounds.west) == pytest.approx((35.7, 139.7125))
    assert (bounds.north, bounds.east) == pytest.approx((35.7083333, 139.725))
    # The first mesh 5236 has its southern border at 34 degrees 40' and its northern one at 35 degrees 20'.
    assert measure_bounds("5236").south == pytest.approx(34 + 40 / 60)
    assert measure_bounds("5236").north == pytest.approx(35 + 20 / 60)


@given(lat=st.floats(20, 45.999999), lon=st.floats(122, 153.999999))
def test_a_point_lies_within_its_meshes(lat: float, lon: float) -> None:
    half = find_half_mesh(lat, lon)
    assert half is not None
    nano = 2e-9  # a point this near below a border counts as on it
    for digits in (4, 6, 8, 9):
        assert is_mesh_code(half[:digits])
        bounds = measure_bounds(half[:digits])
        assert bounds.south - nano <= lat < bounds.north
        assert bounds.west - nano <= lon < bounds.east


@given(row=st.integers(20 * 240, 46 * 240 - 1), column=st.integers(22 * 160, 54 * 160 - 1))
def test_every_half_mesh_has_its_own_code_and_contains_its_south_west_corner(row: int, column: int) -> None:
    south, west = row / 240, 100 + column / 160
    code = find_half_mesh(south, west)
    assert code is not None
    bounds = measure_bounds(code)
    assert (round(bounds.south * 240), round((bounds.west - 100) * 160)) == (row, column)
    assert find_half_mesh((bounds.south + bounds.north) / 2, (bounds.west + bounds.east) / 2) == code


@pytest.mark.parametrize(
    ("lat", "lon"), [(19.9, 139), (46, 139), (35, 121.9), (35, 154), (float("nan"), 139)]
)
def test_there_is_no_mesh_outside_japan(lat: float, lon: float) -> None:
    assert find_half_mesh(lat, lon) is None


@pytest.mark.parametrize(
    "code", ["", "533", "53398011", "533946115", "533946110", "2939", "6900", "5354", "５３３９"]
)
def test_what_is_no_code(code: str) -> None:
    assert not is_mesh_code(code)
