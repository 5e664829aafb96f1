"""Itineraries drawn on the network, as one SVG that any browser shows.

Idea      A flat map around the itineraries' places, north up, equally long in all directions.
          Grey are the network's stops and what moves between them; each itinerary has a colour, rides are
          thick, walks dashed, along the streets where these are known. Where itineraries share a way they lie
          side by side.
Not here  Tracks: rides run straight from stop to stop.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from typing import Any, NamedTuple

from services.platform.polyline import decode_polyline

WIDTH, HEIGHT, KEY_WIDTH = 900.0, 700.0, 480.0
_MARGIN = 50.0
_COLOURS = ("#d7263d", "#1b5e9e", "#2e933c", "#f46036", "#7b3fa0", "#00838f")
SHOWN_MAX = len(_COLOURS)

Point = tuple[float, float]


class Frame(NamedTuple):
    """What part of the world is drawn: degrees, and pixels per degree of latitude."""

    south: float
    west: float
    north: float
    east: float
    scale: float

    def place(self, lat: float, lon: float) -> Point:
        """Where a point lies on the paper."""
        shrink = math.cos(math.radians((self.south + self.north) / 2))
        return _MARGIN + (lon - self.west) * shrink * self.scale, _MARGIN + (self.north - lat) * self.scale


def frame_of(itineraries: Sequence[dict[str, Any]]) -> Frame:
    """The frame that holds all places of the itineraries in its middle, as wide and tall as the paper."""
    points = [point for itinerary in itineraries for leg in itinerary["legs"] for point in _points_of(leg)]
    south, north = min(lat for lat, _ in points), max(lat for lat, _ in points)
    west, east = min(lon for _, lon in points), max(lon for _, lon in points)
    shrink = math.cos(math.radians((south + north) / 2))
    tall, wide = max(north - south, 0.002), max((east - west) * shrink, 0.002)
    scale = min((HEIGHT - 2 * _MARGIN) / tall, (WIDTH - 2 * _MARGIN) / wide)
    lat, lon = (south + north) / 2, (west + east) / 2
    half_tall = (HEIGHT / 2 - _MARGIN) / scale
    half_wide = (WIDTH / 2 - _MARGIN) / scale / shrink
    return Frame(lat - half_tall, lon - half_wide, lat + half_tall, lon + half_wide, scale)


def list_shown(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The itineraries that are drawn: the first few."""
    return [*answer["direct"], *answer["itineraries"]][:SHOWN_MAX]


def draw_map(answer: dict[str, Any], stops: Iterable[dict[str, Any]], hops: Iterable[dict[str, Any]]) -> str:
    """The SVG. `stops` and `hops` are the answers of /api/v6/map/stops and /api/v6/map/trips."""
    shown = list_shown(answer)
    assert shown, "somebody looks at a journey"
    frame = frame_of(shown)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + KEY_WIDTH:.0f} {HEIGHT:.0f}">',
        '<g font-family="sans-serif" font-size="12">',
        f'<clipPath id="map"><rect width="{WIDTH:.0f}" height="{HEIGHT:.0f}"/></clipPath>',
        f'<rect width="{WIDTH + KEY_WIDTH:.0f}" height="{HEIGHT:.0f}" fill="#fff"/>',
        '<g clip-path="url(#map)">',
        *_network(frame, stops, hops),
        *(line for i, each in enumerate(shown) for line in _journey(frame, each, i, len(shown))),
        *_labels(frame, shown),
        "</g>",
        *_key(answer, shown),
        "</g></svg>",
    ]
    return "\n".join(parts)


def draw_page(svg: str, title: str) -> str:
    """The SVG as a page of its own."""
    return (
        f'<!doctype html>\n<html lang="ja"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>body{{margin:0}}svg{{width:100%;max-height:100vh}}</style>\n{svg}\n</html>\n"
    )


def _points_of(leg: dict[str, Any]) -> list[Point]:
    """The leg's own geometry; where it has none, a line through its stops."""
    drawn = decode_polyline(leg.get("legGeometry", {"points": ""})["points"])
    stops = [leg["from"], *leg.get("intermediateStops", []), leg["to"]]
    return drawn or [(stop["lat"], stop["lon"]) for stop in stops]


def _network(frame: Frame, stops: Iterable[dict[str, Any]], hops: Iterable[dict[str, Any]]) -> Iterable[str]:
    ways = {
        tuple(sorted(frame.place(hop[end]["lat"], hop[end]["lon"]) for end in ("from", "to"))) for hop in hops
    }
    for (x_1, y_1), (x_2, y_2) in sorted(ways):
        yield f'<path d="M{x_1:.1f} {y_1:.1f}L{x_2:.1f} {y_2:.1f}" stroke="#ddd" stroke-width="1.5"/>'
    for x, y in sorted({frame.place(stop["lat"], stop["lon"]) for stop in stops}):
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.8" fill="#bbb"/>'


def _journey(frame: Frame, itinerary: dict[str, Any], number: int, count: int) -> Iterable[str]:
    aside = (number - (count - 1) / 2) * 4.0
    for leg in itinerary["legs"]:
        points = [frame.place(*point) for point in _points_of(leg)]
        path = " ".join(f"{x + aside:.1f},{y + aside:.1f}" for x, y in points)
        style = 'stroke-width="2" stroke-dasharray="2 4"' if leg["mode"] == "WALK" else 'stroke-width="3.5"'
        yield (
            f'<polyline points="{path}" fill="none" stroke="{_COLOURS[number]}" stroke-linejoin="round" '
            f'stroke-linecap="round" {style}><title>{escape(_leg_text(leg))}</title></polyline>'
        )


def _labels(frame: Frame, shown: Sequence[dict[str, Any]]) -> Iterable[str]:
    """The places where one boards, alights, begins or ends; one label where several lie together."""
    taken: list[Point] = []
    for itinerary in shown:
        for leg in itinerary["legs"]:
            for place in (leg["from"], leg["to"]):
                x, y = frame.place(place["lat"], place["lon"])
                if any(abs(x - other_x) < 70 and abs(y - other_y) < 14 for other_x, other_y in taken):  # noqa: PLR2004 - a label's room
                    continue
                taken.append((x, y))
                yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#fff" stroke="#222"/>'
                yield (
                    f'<text x="{x + 7:.1f}" y="{y - 6:.1f}" stroke="#fff" stroke-width="3" '
                    f'paint-order="stroke">{escape(place["name"])}</text>'
                )


def _key(answer: dict[str, Any], shown: Sequence[dict[str, Any]]) -> Iterable[str]:
    x, y = WIDTH + 12, 28
    title = f"{answer['from']['name']} → {answer['to']['name']}"
    yield f'<text x="{x:.0f}" y="{y}" font-size="15" font-weight="bold">{escape(title)}</text>'
    for number, itinerary in enumerate(shown):
        y += 30
        times = f"{_clock(itinerary['startTime'])} → {_clock(itinerary['endTime'])}"
        yield f'<text x="{x:.0f}" y="{y}" fill="{_COLOURS[number]}" font-weight="bold">{times}</text>'
        for leg in itinerary["legs"]:
            y += 16
            yield f'<text x="{x + 10:.0f}" y="{y}" font-size="11">{escape(_leg_text(leg))}</text>'


def _leg_text(leg: dict[str, Any]) -> str:
    what = "徒歩 walk" if leg["mode"] == "WALK" else leg.get("displayName") or leg["mode"]
    return f"{_clock(leg['startTime'])} {what}: {leg['from']['name']} → {leg['to']['name']}"


def _clock(text: str) -> str:
    return f"{datetime.fromisoformat(text):%H:%M}"
