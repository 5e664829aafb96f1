"""What is counted, and how an event becomes a count.

Problem   Events carry coordinates, instants and orders; a read model may keep none that leads to a person.
Idea      Each event is turned into cells at once: a mesh of 500 m, a local hour, a kind of day, a category.
          No person, order, ride or traveller is kept, and origin and destination are counted apart, so no
          pair of places is kept either.
          Searches are those that were answered; unmet are those that were not: no event is in both, since
          their difference would be a third count that nobody has checked.
Invariant An event counts once for each metric and end.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from maas.demand.day_types import DayType, find_day_type
from maas.demand.meshes import UNKNOWN, find_half_mesh
from maas.events import JourneysPlanned, NothingFound, OrderConfirmed, RideRated, RideUnrated
from maas.journeys import Journey, Mode

CITY = ZoneInfo("Asia/Tokyo")
ANY = "any"
OTHER = "other"
# A search about a day long gone is no demand; one about the far future is counted when its day comes.
DAYS_BACK_MAX, DAYS_AHEAD_MAX = 31, 400

_WORD = re.compile(r"[a-z][a-z_]{0,39}")


class Metric(StrEnum):
    """What is counted. The category of each: none (`any`), the reason, the mode, the main mode."""

    SEARCHES = "searches"
    UNMET = "unmet"
    RIDES = "rides"
    ORDERS = "orders"


class End(StrEnum):
    """Which end of the way the mesh is of."""

    ORIGIN = "origin"
    DESTINATION = "destination"


Countable = JourneysPlanned | NothingFound | RideRated | RideUnrated | OrderConfirmed
"""The events that demand hears."""

Place = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """One event's contribution: of what, on which local day, at which hour, and the mesh of each end."""

    metric: Metric
    day: date
    hour: int
    category: str
    meshes: tuple[tuple[End, str], ...]

    @property
    def day_type(self) -> DayType:
        """The kind of day."""
        return find_day_type(self.day)


def find_count(event: Countable, *, today: date) -> Count | None:
    """What an event contributes; None where its day is too far from `today` to be demand."""
    match event:
        case JourneysPlanned():
            return _count(Metric.SEARCHES, event.asked_for, ANY, _ends(event), today)
        case NothingFound():
            return _count(Metric.UNMET, event.asked_for, _word(event.reason), _ends(event), today)
        case RideRated() | RideUnrated():
            return _count(Metric.RIDES, event.ridden_at, _mode(event.mode), _ends(event), today)
        case OrderConfirmed():
            journey = event.journey
            first, last = journey.legs[0].origin, journey.legs[-1].destination
            ends = ((first.lat, first.lon), (last.lat, last.lon))
            return _count(Metric.ORDERS, journey.departs_at, _main_mode(journey), ends, today)


def _count(
    metric: Metric, when: datetime, category: str, ends: tuple[Place, Place], today: date
) -> Count | None:
    # Compared before it is brought to local time: the first and last days of the calendar have none.
    days_ahead = when.date().toordinal() - today.toordinal()
    if not -DAYS_BACK_MAX <= days_ahead <= DAYS_AHEAD_MAX:
        return None
    local = when.astimezone(CITY)
    meshes = tuple((end, _mesh(place)) for end, place in zip(End, ends, strict=True))
    return Count(metric=metric, day=local.date(), hour=local.hour, category=category, meshes=meshes)


def _ends(event: JourneysPlanned | NothingFound | RideRated | RideUnrated) -> tuple[Place, Place]:
    return (event.origin_lat, event.origin_lon), (event.destination_lat, event.destination_lon)


def _mesh(place: Place) -> str:
    lat, lon = place
    if lat is None or lon is None:
        return UNKNOWN
    return find_half_mesh(lat, lon) or UNKNOWN


def _word(reason: str) -> str:
    return reason if _WORD.fullmatch(reason) else OTHER


def _mode(mode: str) -> str:
    return mode if mode in set(Mode) else OTHER


def _main_mode(journey: Journey) -> str:
    """The mode of the leg that takes longest; a walk only where all is walked."""
    return max(
        journey.legs, key=lambda leg: (leg.mode is not Mode.WALK, leg.arrives_at - leg.departs_at)
    ).mode.value
