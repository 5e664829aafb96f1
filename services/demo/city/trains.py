"""Trips of lines that run by headway.

Problem   The facts give first and last departures and the headway of four periods, not each train.
Idea      Walk from the first departure to the last in steps of the headway at that hour; the hours between
          two known periods take their mean. Nothing is random, so the same tables give the same trains. Late
          trains end at a turning station instead of running all night; a loop's train goes on around, as an
          in-seat link to the train that leaves next.
Not here  Trips with written times (calls.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from services.demo.city.tables import CityRoute, Headway, LineStop, list_headways, list_line_stops

NIGHT_ENDS_MIN = 25 * 60
"""No train is under way after 25:00, unless its next turning station lies behind that."""

_LOOP_WAIT_MIN_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainTrip:
    """A trip by headway: its stops and the minute of each departure."""

    trip_id: str
    route: CityRoute
    service: str
    direction: int
    headsign: str
    stops: tuple[LineStop, ...]
    minutes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InSeatLink:
    """A train of the loop goes on as another trip; riders stay seated."""

    from_trip_id: str
    to_trip_id: str
    stop_id: str


def list_departures(headway: Headway) -> list[int]:
    """Departure minutes from the first to the last, both included."""
    departures: list[int] = []
    at = float(headway.first_min)
    while round(at) < headway.last_min:
        departures.append(round(at))
        at += _step(headway, at)
    return [*departures, headway.last_min]


def _step(headway: Headway, at_min: float) -> float:
    """The headway at that minute of the day, interpolated between the periods that are known."""
    known = (
        (7, headway.day_min),
        (9, headway.morning_min),
        (10, (headway.morning_min + headway.day_min) / 2),
        (16, headway.day_min),
        (17, (headway.day_min + headway.evening_min) / 2),
        (19, headway.evening_min),
        (21, (headway.evening_min + headway.night_min) / 2),
    )
    return next((step for until_hour, step in known if at_min < until_hour * 60), headway.night_min)


def build_trips(route: CityRoute) -> list[TrainTrip]:
    """All trips of a route that runs by headway, in order of service, direction and departure."""
    headways = [row for row in list_headways() if row.route_id == route.route_id]
    return [trip for headway in headways for trip in _trips_of(route, headway)]


def _trips_of(route: CityRoute, headway: Headway) -> Iterator[TrainTrip]:
    stops, offsets = _run(list_line_stops(route.route_id), headway.direction)
    turns = {route.stop_prefix + turn for turn in headway.turns}
    for departs in list_departures(headway):
        minutes = tuple(departs + offset for offset in offsets)
        count = _stops_served(stops, minutes, turns)
        yield TrainTrip(
            trip_id=f"{route.route_id}.{headway.service}.{headway.direction}.{_hhmm(departs)}",
            route=route,
            service=headway.service,
            direction=headway.direction,
            headsign=_headsign(route, stops[count - 1], headway.direction),
            stops=stops[:count],
            minutes=minutes[:count],
        )


def _hhmm(minute: int) -> str:
    return f"{minute // 60:02}{minute % 60:02}"


def _run(stops: tuple[LineStop, ...], direction: int) -> tuple[tuple[LineStop, ...], tuple[int, ...]]:
    """Stops in the order of travel, and minutes after departure. The table's last minutes are empty."""
    hops = [stop.back_min if direction else stop.forward_min for stop in stops[:-1]]
    ordered = tuple(reversed(stops)) if direction else stops
    offsets = [0]
    for hop in reversed(hops) if direction else hops:
        offsets.append(offsets[-1] + hop)
    return ordered, tuple(offsets)


def _stops_served(stops: tuple[LineStop, ...], minutes: tuple[int, ...], turns: set[str]) -> int:
    """How many stops a train serves: all of them, or in the night up to a turning station."""
    if minutes[-1] <= NIGHT_ENDS_MIN:
        return len(stops)
    in_time = [
        index + 1
        for index, stop in enumerate(stops)
        if stop.stop_id in turns and index > 0 and minutes[index] <= NIGHT_ENDS_MIN
    ]
    late = [index + 1 for index, stop in enumerate(stops) if stop.stop_id in turns and index > 0]
    return in_time[-1] if in_time else [*late, len(stops)][0]


def _headsign(route: CityRoute, last: LineStop, direction: int) -> str:
    if route.shape == "loop" and last.stop_id == list_line_stops(route.route_id)[0].stop_id:
        return "山手線 内回り" if direction else "山手線 外回り"
    return last.names.ja


def link_loop(trips: list[TrainTrip]) -> list[InSeatLink]:
    """Each train that comes round goes on as the next free departure of its direction and kind of day."""
    links: list[InSeatLink] = []
    for service, direction in sorted({(trip.service, trip.direction) for trip in trips}):
        ours = [trip for trip in trips if (trip.service, trip.direction) == (service, direction)]
        taken: set[str] = set()
        for trip in ours:
            following = _following(trip, ours, taken)
            if following is not None:
                taken.add(following.trip_id)
                links.append(
                    InSeatLink(
                        from_trip_id=trip.trip_id,
                        to_trip_id=following.trip_id,
                        stop_id=trip.stops[-1].stop_id,
                    )
                )
    return links


def _following(trip: TrainTrip, ours: list[TrainTrip], taken: set[str]) -> TrainTrip | None:
    if trip.stops[-1].stop_id != trip.stops[0].stop_id:
        return None
    arrives = trip.minutes[-1]
    return next(
        (
            other
            for other in ours
            if arrives <= other.minutes[0] <= arrives + _LOOP_WAIT_MIN_MAX and other.trip_id not in taken
        ),
        None,
    )
