"""Journey ids: a journey in a few hundred letters, without anybody keeping it.

Idea      Both ends; for each trip ridden its id, its day and the calls boarded and alighted at; the stations
          of bikes; packed and URL-safe. Format 1 has no bikes, format 2 has, format 3 has what is not usual
          besides, by name: `manners`, how somebody goes.
Invariant decode(encode(code)) = code. Whatever `encode` cannot have made is refused.
"""

import base64
import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import orjson

from maas.errors import JourneyNotFound
from maas.journeys import Place
from routing.journey import Rental
from routing.streets.ways import Profile
from services.planner.outside import USUAL, Manners, choose_manners

ID_LENGTH_MAX = 2_000
EPOCH = date(2020, 1, 1)
"""Days are counted from here."""

_PLAIN_BYTES_MAX = 20_000
_LEGS_MAX = 60
_NUMBER_END = 100_000
_WITHOUT_BIKES, _WITH_BIKES, _UNUSUAL = 1, 2, 3
_SPEED_M_S_MAX = 100.0
_MANNERS = "manners"
_LATEST_S = datetime(2100, 1, 1, tzinfo=UTC).timestamp()

End = list[Any]
"""A stop's public id, or a name, a latitude and a longitude."""
Stations = tuple[str, str]
"""Where a bike is taken and where it is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyCode:
    """What an id says. `rides` are [trip id, day, call boarded at, call alighted at, 1 if in seat] each.

    `departs_s` is POSIX seconds for a journey without a ride, else 0. `rentals` are the bikes to the first
    stop (all the way, without a ride) and from the last.
    """

    origin: End
    destination: End
    rides: list[list[Any]]
    departs_s: int
    rentals: tuple[Stations | None, Stations | None] = (None, None)
    manners: Manners = USUAL


def end_code(place: Place) -> End:
    """An end as ids name it."""
    return [place.stop_id] if place.stop_id else [place.name, place.lat, place.lon]


def stations_of(rental: Rental | None) -> Stations | None:
    """The stations of a way by bike."""
    return None if rental is None else (rental.pickup, rental.dropoff)


def encode(code: JourneyCode) -> str:
    """The id."""
    parts = [code.origin, code.destination, code.rides, code.departs_s]
    if code.manners != USUAL:
        plain = orjson.dumps([_UNUSUAL, *parts, code.rentals, {_MANNERS: _manners_code(code.manners)}])
    elif code.rentals != (None, None):
        plain = orjson.dumps([_WITH_BIKES, *parts, code.rentals])
    else:
        plain = orjson.dumps([_WITHOUT_BIKES, *parts])
    return base64.urlsafe_b64encode(zlib.compress(plain, 9, wbits=-15)).decode().rstrip("=")


def decode(journey_id: str) -> JourneyCode:
    """What the id says. Raises JourneyNotFound for anything that `encode` cannot have made."""
    try:
        packed = base64.b64decode(journey_id + "=" * (-len(journey_id) % 4), altchars=b"-_", validate=True)
        plain = zlib.decompressobj(wbits=-15).decompress(packed, _PLAIN_BYTES_MAX)
        format_, origin, destination, rides, departs_s, *more = orjson.loads(plain)
        is_ours = (
            len(journey_id) <= ID_LENGTH_MAX
            and format_ in (_WITHOUT_BIKES, _WITH_BIKES, _UNUSUAL)
            and len(more) == format_ - 1
            and _is_end(origin)
            and _is_end(destination)
            and isinstance(rides, list)
            and len(rides) <= _LEGS_MAX
            and all(_is_ride(ride) for ride in rides)
            and isinstance(departs_s, int)
            and 0 <= departs_s < _LATEST_S
            and (not more or _are_rentals(more[0], may_be_none=format_ == _UNUSUAL))
            and (format_ != _UNUSUAL or _is_unusual(more[1]))
        )
    except (ValueError, TypeError, zlib.error) as error:
        raise JourneyNotFound("The journey id is not one of ours. Search again.") from error
    if not is_ours:
        raise JourneyNotFound("The journey id is not one of ours. Search again.")
    access, egress = (None if each is None else (each[0], each[1]) for each in (more or [(None, None)])[0])
    return JourneyCode(
        origin=origin,
        destination=destination,
        rides=rides,
        departs_s=departs_s,
        rentals=(access, egress),
        manners=_read_manners(more[1][_MANNERS]) if format_ == _UNUSUAL else USUAL,
    )


def _is_end(code: Any) -> bool:
    if not isinstance(code, list) or not code or not isinstance(code[0], str):
        return False
    if len(code) == 1:
        return True
    is_point = len(code) == 3 and all(isinstance(each, int | float) for each in code[1:])  # noqa: PLR2004
    return is_point and abs(code[1]) <= 90 and abs(code[2]) <= 180  # noqa: PLR2004 - degrees


def _is_ride(ride: Any) -> bool:
    if not isinstance(ride, list) or len(ride) != 5 or not isinstance(ride[0], str):  # noqa: PLR2004
        return False
    day, *others = ride[1:]
    # Feeds may be older than the days are counted from.
    is_day = type(day) is int and -_NUMBER_END < day < _NUMBER_END
    return is_day and all(type(each) is int and 0 <= each < _NUMBER_END for each in others)


def _manners_code(manners: Manners) -> list[Any]:
    """The profile on foot, and the speeds where they are not its own, or the bike's."""
    return [manners.on_foot.profile, manners.on_foot.speed_m_s, manners.by_bike.speed_m_s]


def _read_manners(code: list[Any]) -> Manners:
    return choose_manners(profile=Profile(code[0]), walking_m_s=code[1], cycling_m_s=code[2])


def _is_unusual(named: Any) -> bool:
    if not isinstance(named, dict) or named.keys() != {_MANNERS}:
        return False
    code = named[_MANNERS]
    return (
        isinstance(code, list)
        and len(code) == 3  # noqa: PLR2004
        and code[0] in (Profile.WALK, Profile.WHEELCHAIR)
        and all(each is None or (isinstance(each, float) and 0 < each <= _SPEED_M_S_MAX) for each in code[1:])
        # What is usual has no such code.
        and _read_manners(code) != USUAL
        and _manners_code(_read_manners(code)) == code
    )


def _are_rentals(rentals: Any, *, may_be_none: bool) -> bool:
    if not isinstance(rentals, list) or len(rentals) != 2:  # noqa: PLR2004
        return False
    if rentals == [None, None]:
        return may_be_none
    return all(
        each is None
        or (isinstance(each, list) and len(each) == 2 and all(isinstance(key, str) for key in each))  # noqa: PLR2004
        for each in rentals
    )
