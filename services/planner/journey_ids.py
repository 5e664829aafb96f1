"""Journey ids: a journey in a few hundred letters, without anybody keeping it.

Idea      Both ends; for each trip ridden its id, its day and the calls boarded and alighted at; the stations
          of bikes; packed and URL-safe. Format 1 has no bikes, format 2 has, format 3 has what is not usual
          besides, by name: `manners`, how somebody goes; `kinds` of the bikes, and whether each stands by
          itself; `between`, the bikes between rides.
Invariant decode(encode(code)) = code. Whatever `encode` cannot have made is refused.
"""

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, overload

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
_MANNERS, _KINDS, _BETWEEN = "manners", "kinds", "between"
_LATEST_S = datetime(2100, 1, 1, tzinfo=UTC).timestamp()

End = list[Any]
"""A stop's public id, or a name, a latitude and a longitude."""


@dataclass(frozen=True, slots=True)
class RentalCode:
    """Where a bike is taken and left, and what it is: see routing.journey.Rental."""

    pickup: str
    dropoff: str
    kind: str = ""
    is_vehicle: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether format 2 can say it."""
        return not self.kind and not self.is_vehicle and bool(self.dropoff)


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyCode:
    """What an id says. `rides` are [trip id, day, call boarded at, call alighted at, 1 if in seat] each.

    `departs_s` is POSIX seconds for a journey without a ride, else 0. `rentals` are the bikes to the first
    stop (all the way, without a ride) and from the last; `between` those that come before rides, by number.
    """

    origin: End
    destination: End
    rides: list[list[Any]]
    departs_s: int
    rentals: tuple[RentalCode | None, RentalCode | None] = (None, None)
    between: Mapping[int, RentalCode] = field(default_factory=dict)
    manners: Manners = USUAL


def end_code(place: Place) -> End:
    """An end as ids name it."""
    return [place.stop_id] if place.stop_id else [place.name, place.lat, place.lon]


def code_of(rental: Rental | None) -> RentalCode | None:
    """A way by bike as ids name it."""
    if rental is None:
        return None
    return RentalCode(rental.pickup, rental.dropoff, rental.kind, rental.is_vehicle)


def encode(code: JourneyCode) -> str:
    """The id."""
    parts = [code.origin, code.destination, code.rides, code.departs_s]
    rentals = [each and (each.pickup, each.dropoff) for each in code.rentals]
    unusual = _name_unusual(code)
    if unusual:
        plain = orjson.dumps([_UNUSUAL, *parts, rentals, unusual])
    elif code.rentals != (None, None):
        plain = orjson.dumps([_WITH_BIKES, *parts, rentals])
    else:
        plain = orjson.dumps([_WITHOUT_BIKES, *parts])
    return base64.urlsafe_b64encode(zlib.compress(plain, 9, wbits=-15)).decode().rstrip("=")


def _name_unusual(code: JourneyCode) -> dict[str, Any]:
    """What is not usual, by name."""
    named: dict[str, Any] = {}
    if code.manners != USUAL:
        named[_MANNERS] = _manners_code(code.manners)
    if any(each is not None and not each.is_plain for each in code.rentals):
        named[_KINDS] = [each and (each.kind, int(each.is_vehicle)) for each in code.rentals]
    if code.between:
        named[_BETWEEN] = [
            [ride, each.pickup, each.dropoff, each.kind, int(each.is_vehicle)]
            for ride, each in sorted(code.between.items())
        ]
    return named


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
            and (format_ != _WITH_BIKES or all(each is None or each[1] for each in more[0]))
            and (format_ != _UNUSUAL or _is_unusual(more[1], more[0], len(rides)))
        )
    except (ValueError, TypeError, zlib.error) as error:
        raise JourneyNotFound("The journey id is not one of ours. Search again.") from error
    if not is_ours:
        raise JourneyNotFound("The journey id is not one of ours. Search again.")
    rentals = (more or [(None, None)])[0]
    named = more[1] if format_ == _UNUSUAL else {}
    kinds = named.get(_KINDS, [None, None])
    access, egress = (_read_rental(each, kind) for each, kind in zip(rentals, kinds, strict=True))
    return JourneyCode(
        origin=origin,
        destination=destination,
        rides=rides,
        departs_s=departs_s,
        rentals=(access, egress),
        between={row[0]: _read_rental(row[1:3], row[3:]) for row in named.get(_BETWEEN, [])},
        manners=_read_manners(named[_MANNERS]) if _MANNERS in named else USUAL,
    )


@overload
def _read_rental(stations: list[str], kind: list[Any] | None) -> RentalCode: ...


@overload
def _read_rental(stations: None, kind: list[Any] | None) -> None: ...


def _read_rental(stations: list[str] | None, kind: list[Any] | None) -> RentalCode | None:
    if stations is None:
        return None
    type_id, is_vehicle = kind or ("", 0)
    return RentalCode(stations[0], stations[1], type_id, bool(is_vehicle))


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


def _is_unusual(named: Any, rentals: list[Any], ride_count: int) -> bool:
    if not isinstance(named, dict) or not named or not named.keys() <= {_MANNERS, _KINDS, _BETWEEN}:
        return False
    return (
        (_MANNERS not in named or _are_manners(named[_MANNERS]))
        and (_KINDS not in named or _are_kinds(named[_KINDS], rentals))
        and (_KINDS in named or all(each is None or each[1] for each in rentals))
        and (_BETWEEN not in named or _are_between(named[_BETWEEN], ride_count))
    )


def _are_manners(code: Any) -> bool:
    return (
        isinstance(code, list)
        and len(code) == 3  # noqa: PLR2004
        and code[0] in (Profile.WALK, Profile.WHEELCHAIR, Profile.PRAM)
        and all(each is None or (isinstance(each, float) and 0 < each <= _SPEED_M_S_MAX) for each in code[1:])
        # What is usual has no such code.
        and _read_manners(code) != USUAL
        and _manners_code(_read_manners(code)) == code
    )


def _are_kinds(kinds: Any, rentals: list[Any]) -> bool:
    """Whether they are of these bikes, and one of them is not plain."""
    if not isinstance(kinds, list) or len(kinds) != len(rentals):
        return False
    if any((kind is None) != (rental is None) for kind, rental in zip(kinds, rentals, strict=True)):
        return False
    if not all(kind is None or _is_kind(kind) for kind in kinds):
        return False
    codes = [_read_rental(*each) for each in zip(rentals, kinds, strict=True)]
    return any(each is not None and not each.is_plain for each in codes)


def _is_kind(kind: Any) -> bool:
    if not isinstance(kind, list) or len(kind) != 2:  # noqa: PLR2004
        return False
    return isinstance(kind[0], str) and type(kind[1]) is int and kind[1] in (0, 1)


def _are_between(rows: Any, ride_count: int) -> bool:
    if not isinstance(rows, list) or not rows:
        return False
    if not all(isinstance(row, list) and len(row) == 5 and _is_kind(row[3:]) for row in rows):  # noqa: PLR2004
        return False
    if not all(isinstance(key, str) for row in rows for key in row[1:3]):
        return False
    numbers = [row[0] for row in rows]
    if not all(type(number) is int and 0 < number < ride_count for number in numbers):
        return False
    return numbers == sorted(set(numbers))


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
