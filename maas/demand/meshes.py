"""Japan's standard grid square codes.

Problem   Counts by area need areas that are the same for everybody, for ever.
Idea      JIS X 0410: a first mesh of 40' by 1 degree, cut by 8 into second, by 10 into third (8 digits, about
          1 km), by 2 into half meshes (9 digits, about 500 m). Coordinates are taken as whole nanodegrees, so
          that borders written in decimals fall where they should: a point on a border belongs to the
          mesh north and east of it.
Source    JIS X 0410; Statistics Bureau of Japan, "Standard Grid Square and Grid Square Code".
"""

from dataclasses import dataclass

NANO = 10**9
# The standard's codes reach from Okinotorishima to Hokkaido; outside there is no mesh.
SOUTH, NORTH, WEST, EAST = 20, 46, 122, 154
# Half meshes in a degree: 40'/8/10/2 is 15" of latitude, 1 degree/8/10/2 is 22.5" of longitude.
ROWS_A_DEGREE, COLUMNS_A_DEGREE = 240, 160
# Half meshes in a first mesh, and in a second.
FIRST, SECOND = 160, 20

FIRST_DIGITS, SECOND_DIGITS, THIRD_DIGITS, HALF_DIGITS = 4, 6, 8, 9
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Bounds:
    """The borders of a mesh in degrees."""

    south: float
    west: float
    north: float
    east: float


def find_half_mesh(lat: float, lon: float) -> str | None:
    """The 9-digit code of the half mesh (500 m) of a point; None outside the standard's area."""
    if not (SOUTH <= lat < NORTH and WEST <= lon < EAST):
        return None
    # One nanodegree (0.1 mm) is added, so that a border rounded down in binary still counts as reached.
    row = (round(lat * NANO) + 1) * ROWS_A_DEGREE // NANO
    column = (round((lon - 100) * NANO) + 1) * COLUMNS_A_DEGREE // NANO
    first_row, row = divmod(row, FIRST)
    first_column, column = divmod(column, FIRST)
    second_row, row = divmod(row, SECOND)
    second_column, column = divmod(column, SECOND)
    quarter = 2 * (row % 2) + column % 2 + 1
    return f"{first_row:02d}{first_column:02d}{second_row}{second_column}{row // 2}{column // 2}{quarter}"


def find_third_mesh(lat: float, lon: float) -> str | None:
    """The 8-digit code of the third mesh (1 km) of a point; None outside the standard's area."""
    half = find_half_mesh(lat, lon)
    return None if half is None else half[:THIRD_DIGITS]


def is_mesh_code(code: str) -> bool:
    """Whether a text is a code of 4, 6, 8 or 9 digits that the standard can form."""
    if not (code.isascii() and code.isdigit()) or len(code) not in {
        FIRST_DIGITS,
        SECOND_DIGITS,
        THIRD_DIGITS,
        HALF_DIGITS,
    }:
        return False
    first_row, first_column = int(code[:2]), int(code[2:4])
    return (
        SOUTH * 3 <= first_row * 2 < NORTH * 3
        and WEST <= first_column + 100 < EAST
        and all(digit <= "7" for digit in code[4:6])
        and (len(code) < HALF_DIGITS or "1" <= code[8] <= "4")
    )


def measure_bounds(code: str) -> Bounds:
    """The borders of a mesh. The code must be one (`is_mesh_code`)."""
    assert is_mesh_code(code), "borders are asked for codes of the standard only"
    row, column = int(code[:2]) * FIRST, int(code[2:4]) * FIRST
    size = FIRST
    if len(code) >= SECOND_DIGITS:
        row, column, size = row + int(code[4]) * SECOND, column + int(code[5]) * SECOND, SECOND
    if len(code) >= THIRD_DIGITS:
        row, column, size = row + int(code[6]) * 2, column + int(code[7]) * 2, 2
    if len(code) == HALF_DIGITS:
        quarter = int(code[8]) - 1
        row, column, size = row + quarter // 2, column + quarter % 2, 1
    return Bounds(
        south=row / ROWS_A_DEGREE,
        west=100 + column / COLUMNS_A_DEGREE,
        north=(row + size) / ROWS_A_DEGREE,
        east=100 + (column + size) / COLUMNS_A_DEGREE,
    )
