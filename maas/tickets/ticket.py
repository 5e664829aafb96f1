"""What a ticket says: who may ride, when, and what for. How it is written as bytes is layout.py's matter.

Problem   A gate or an inspector must judge a ticket without a network and without tables of names.
Idea      Operators, stations and areas are short hashes: a checking device computes those of its own place
          and compares. Two operators may share a code (1 in 65,536) and two places of one operator theirs (1
          in 255): then a genuine ticket is accepted where it should not be, never the other way round; a
          forged one is not accepted anywhere.
Not here  Bytes (layout.py), judging (verify.py), keys (keys.py), pictures (drawing.py).
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from maas.prices import RiderCategory

ANY_PLACE = 0
ANY_AREA = 0
CLASSES = ("", "2nd", "2nd_berth", "special_2nd", "special_2nd_berth", "1st", "special_1st", "special", "jet")
OTHER_CLASS = 15


class TicketForm(StrEnum):
    """What the code is shown on.

    STATIC   paper, a picture, a wallet's pass: never changes, each fare is used once
    DEVICE   the holder's telephone: changes every few seconds, by a secret that never leaves it
    """

    STATIC = "static"
    DEVICE = "device"


@dataclass(frozen=True, slots=True, kw_only=True)
class PassArea:
    """Where a pass is good: a network (an area of the tariff) of an operator; None is all of them."""

    operator_id: str
    network_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """A right at one operator: to one fare, or (a pass) to every ride of an area.

    `fare_index` numbers the fares of a ticket; two entitlements of one joint fare share it (layout 1: the
    component's index in the order). Places and areas are codes, 0 is any. Of a pass only: `area_code`, and
    `hours`, the hours that it lasts from its first use (0: as long as the ticket).
    """

    operator_code: int
    fare_index: int
    class_code: int
    origin_code: int = ANY_PLACE
    destination_code: int = ANY_PLACE
    is_pass: bool = False
    area_code: int = ANY_AREA
    hours: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What the issuer promises. `ticket_ref` is hex; instants are whole minutes, aware.

    `edition` counts the codes issued for a ticket: a new telephone or a reprint gets the next, and the
    earlier ones count no more. `concession` is what the adults must be able to show, None for nothing.
    """

    key_id: int
    ticket_ref: str
    valid_from: datetime
    valid_until: datetime
    adults: int
    children: int
    infants: int
    entitlements: tuple[Entitlement, ...]
    helpers: int = 0
    concession: RiderCategory | None = None
    edition: int = 0
    form: TicketForm = TicketForm.STATIC

    @property
    def riders(self) -> dict[RiderCategory, int]:
        """How many of whom may pass on this code; adults with their concession stand under its name."""
        counts = {
            RiderCategory.ADULT: self.adults,
            RiderCategory.CHILD: self.children,
            RiderCategory.INFANT: self.infants,
        }
        if self.concession is not None:
            counts[self.concession] = counts.pop(RiderCategory.ADULT)
        if self.helpers:
            counts[RiderCategory.HELPER] = self.helpers
        return counts

    @property
    def rider_count(self) -> int:
        """How many people pass on one check of this code."""
        return self.adults + self.children + self.infants + self.helpers


def operator_code(operator_id: str) -> int:
    """Sixteen bits of an operator's id."""
    return int.from_bytes(hashlib.sha256(operator_id.encode()).digest()[:2], "big")


def place_code(operator_id: str, stop_id: str) -> int:
    """1 to 255 for a station of an operator; all platforms of a station share it (see `station_key`)."""
    return _code(f"{operator_id}/{station_key(stop_id)}")


def area_code(operator_id: str, area_id: str) -> int:
    """1 to 255 for an area (a fare zone, a network) of an operator."""
    return _code(f"{operator_id}/area/{area_id}")


def _code(text: str) -> int:
    return hashlib.sha256(text.encode()).digest()[0] % 255 + 1


def station_key(stop_id: str) -> str:
    """The station of a public stop id: without feed, line and platform.

    `demo:Toei.Oedo.Tochomae.1` -> `Tochomae`, `demo:[12]大島.1` -> `[12]大島`.
    """
    plain = stop_id.split(":", 1)[-1]
    whole, _, platform = plain.rpartition(".")
    station = whole if whole and platform.isdigit() else plain
    parts = station.split(".")
    return parts[2] if len(parts) == 3 else station  # noqa: PLR2004  # Operator.Line.Station


def class_code(fare_class: str | None) -> int:
    """Four bits for a ship's class; 0 where there is none, 15 for a class without a code."""
    return CLASSES.index(fare_class or "") if (fare_class or "") in CLASSES else OTHER_CLASS
