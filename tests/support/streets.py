"""Maps of a few streets, written as OpenStreetMap writes them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

Point = tuple[float, float]

TOWN_POINTS: Mapping[str, Point] = {
    "Z": (35.000, 138.990),
    "A": (35.000, 139.000),
    "B": (35.000, 139.006),
    "C": (35.004, 139.006),
    "P": (35.100, 139.000),
    "Q": (35.100, 139.004),
    "R": (35.102, 139.004),
    "S": (35.100, 138.990),
}
"""Two corners, ten kilometres apart: Z - A - B - C and S - P - Q - R. Either is longer than an island is."""

TOWN_WAYS: Mapping[str, str] = {
    "Main": "AB",
    "Side": "BC",
    "West": "ZA",
    "Upper": "PQ",
    "Hill": "QR",
    "Lower": "SP",
}


def write_map(
    path: Path,
    points: Mapping[str, Point] = TOWN_POINTS,
    ways: Mapping[str, Sequence[str]] = TOWN_WAYS,
    **tags: Mapping[str, str],
) -> Path:
    """The map as .osm: residential streets by name through points; `tags` are more of them, by street."""
    numbers = {name: number for number, name in enumerate(points, start=1)}
    lines = ["<?xml version='1.0' encoding='UTF-8'?>", '<osm version="0.6">']
    for name, (lat, lon) in points.items():
        lines.append(f'<node id="{numbers[name]}" version="1" lat="{lat}" lon="{lon}"/>')
    for number, (name, through) in enumerate(ways.items(), start=101):
        lines.append(f'<way id="{number}" version="1">')
        lines += [f'<nd ref="{numbers[each]}"/>' for each in through]
        said = {"highway": "residential", "name": name, **tags.get(name, {})}
        lines += [f"<tag k={quoteattr(key)} v={quoteattr(value)}/>" for key, value in said.items()]
        lines.append("</way>")
    path.write_text("\n".join([*lines, "</osm>\n"]), encoding="utf-8")
    return path
