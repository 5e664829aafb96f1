"""A journey drawn: well-formed, inside its paper, and each leg where its places are."""

import math
from typing import Any
from xml.etree import ElementTree as ET

from services.cli.plan_map import HEIGHT, WIDTH, draw_map, draw_page, frame_of
from services.platform.polyline import encode_polyline

SVG = "{http://www.w3.org/2000/svg}"


def place(name: str, lat: float, lon: float) -> dict[str, Any]:
    return {"name": name, "lat": lat, "lon": lon}


def leg(mode: str, *places: dict[str, Any]) -> dict[str, Any]:
    times = {"startTime": "2026-05-20T20:00:00+09:00", "endTime": "2026-05-20T20:10:00+09:00"}
    return {
        "mode": mode,
        "from": places[0],
        "intermediateStops": list(places[1:-1]),
        "to": places[-1],
        **times,
    }


A, B, C, D = (
    place("<A&>", 35.70, 139.70),
    place("B", 35.69, 139.72),
    place("C", 35.68, 139.74),
    place("D", 35.68, 139.745),
)
JOURNEY = {**leg("", A, D), "legs": [leg("SUBWAY", A, B, C), leg("WALK", C, D)]}
ANSWER = {"from": A, "to": D, "direct": [], "itineraries": [JOURNEY]}


def test_each_leg_is_a_line_through_its_places() -> None:
    drawing = ET.fromstring(draw_map(ANSWER, [B], [{"from": A, "to": B}]))  # noqa: S314 - our own drawing
    ride, walk = drawing.iter(f"{SVG}polyline")
    assert (len(ride.attrib["points"].split()), len(walk.attrib["points"].split())) == (3, 2)
    assert ("stroke-dasharray" in ride.attrib, "stroke-dasharray" in walk.attrib) == (False, True)
    assert "<A&>" in [text.text for text in drawing.iter(f"{SVG}text")]
    for line in (ride, walk):
        for point in line.attrib["points"].split():
            x, y = (float(number) for number in point.split(","))
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT


def test_a_walk_is_drawn_along_its_streets() -> None:
    corner = [(35.68, 139.74), (35.679, 139.74), (35.679, 139.745), (35.68, 139.745)]
    line = {"points": encode_polyline(corner), "precision": 6, "length": 4}
    walked = {**JOURNEY, "legs": [JOURNEY["legs"][0], {**leg("WALK", C, D), "legGeometry": line}]}
    drawing = ET.fromstring(draw_map({**ANSWER, "itineraries": [walked]}, [], []))  # noqa: S314 - our own drawing
    _, walk = drawing.iter(f"{SVG}polyline")
    frame = frame_of([walked])
    wanted = [f"{x:.1f},{y:.1f}" for x, y in (frame.place(*point) for point in corner)]
    assert walk.attrib["points"].split() == wanted


def test_north_is_up_and_a_metre_is_as_long_east_as_north() -> None:
    frame = frame_of([JOURNEY])
    x, y = frame.place(35.69, 139.72)
    _, north_y = frame.place(35.70, 139.72)
    # A degree of longitude is shorter by the cosine of the latitude.
    east_x, _ = frame.place(35.69, 139.72 + 0.01 / math.cos(math.radians(35.69)))
    assert north_y < y
    assert math.isclose(east_x - x, y - north_y, rel_tol=1e-3)


def test_a_page_holds_the_drawing() -> None:
    page = draw_page(draw_map(ANSWER, [], []), "<A&>")
    assert page.startswith("<!doctype html>")
    assert "<title>&lt;A&amp;&gt;</title>" in page
