"""A ticket as bytes: at most 125 of them, so that its QR code stays at version 8 with error correction M.

Problem   A gate or an inspector must judge a ticket in a fraction of a second, without a network, from a code
          that an old telephone can show and a cheap camera can read.
Idea      A fixed head, up to seven entitlements of five bytes, and an Ed25519 signature over both.

  offset  bytes  what
  0       1      version of this layout (1)
  1       2      key id
  3       8      ticket number: the first 8 bytes of the ticket's UUID, its `ticket_ref` as hex
  11      4      order reference: the first 4 bytes of the order's UUID
  15      4      valid from, minutes since 2020-01-01T00:00Z
  19      2      minutes of validity
  21      2      riders: four bits each for adults, children, infants; four bits are 0
  23      1      component index of the entitlements' index 0
  24      1      number of entitlements, 0 to 7
  25      5 each operator code (2), component index above the base (4 bits) and class (4 bits), boarding place
  (1),
                 alighting place (1); a place of 0 means any
  end     64     signature

          Operators and places are short hashes, so a checking device needs no table of names. Two operators
          may share a code (1 in 65,536) and two places of one operator theirs (1 in 255): then a genuine
          ticket is accepted where it should not be, never the other way round; a forged one is not accepted
          anywhere.
Not here  Judging (verify.py), keys and revocations (keys.py), pictures (drawing.py).
Invariant decode(encode(ticket)) = ticket.
"""

import hashlib
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from maas.prices import RiderCategory
from maas.tickets.base45 import NotBase45, decode_base45

LAYOUT_VERSION = 1
BYTES_MAX = 125
ENTITLEMENTS_MAX = 7
SIGNATURE_BYTES = 64
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
# About the year 2200. Four bytes of minutes reach beyond the last year that a datetime can hold.
STARTS_MAX = 95_000_000
ANY_PLACE = 0
NIBBLE = 0x0F
CLASSES = ("", "2nd", "2nd_berth", "special_2nd", "special_2nd_berth", "1st", "special_1st", "special", "jet")
OTHER_CLASS = 15
HEAD = struct.Struct(">BH8s4sIHHBB")
ENTITLEMENT = struct.Struct(">HBBB")


class TicketMalformed(ValueError):
    """The payload is no ticket of a layout known here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """The right to one fare at one operator. Places are codes; see `place_code`."""

    operator_code: int
    component_index: int
    class_code: int
    origin_code: int = ANY_PLACE
    destination_code: int = ANY_PLACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What the issuer promises. `ticket_ref` and `order_ref` are hex; instants are whole minutes, aware."""

    key_id: int
    ticket_ref: str
    order_ref: str
    valid_from: datetime
    valid_until: datetime
    adults: int
    children: int
    infants: int
    entitlements: tuple[Entitlement, ...]

    @property
    def riders(self) -> dict[RiderCategory, int]:
        """How many of whom."""
        return {
            RiderCategory.ADULT: self.adults,
            RiderCategory.CHILD: self.children,
            RiderCategory.INFANT: self.infants,
        }


def operator_code(operator_id: str) -> int:
    """Sixteen bits of an operator's id."""
    return int.from_bytes(hashlib.sha256(operator_id.encode()).digest()[:2], "big")


def place_code(operator_id: str, stop_id: str) -> int:
    """1 to 255 for a station of an operator; all platforms of a station share it (see `station_key`)."""
    digest = hashlib.sha256(f"{operator_id}/{station_key(stop_id)}".encode()).digest()
    return digest[0] % 255 + 1


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


def encode_unsigned(ticket: Ticket) -> bytes:
    """The bytes that are signed."""
    assert len(ticket.entitlements) <= ENTITLEMENTS_MAX, "a rider with more fares gets a second ticket"
    minutes = int((ticket.valid_until - ticket.valid_from).total_seconds()) // 60
    base = min((each.component_index for each in ticket.entitlements), default=0)
    riders = ticket.adults << 12 | ticket.children << 8 | ticket.infants << 4
    head = HEAD.pack(
        LAYOUT_VERSION,
        ticket.key_id,
        bytes.fromhex(ticket.ticket_ref),
        bytes.fromhex(ticket.order_ref),
        int((ticket.valid_from - EPOCH).total_seconds()) // 60,
        minutes,
        riders,
        base,
        len(ticket.entitlements),
    )
    body = b"".join(_encode_entitlement(each, base) for each in ticket.entitlements)
    assert len(head) + len(body) + SIGNATURE_BYTES <= BYTES_MAX, "a ticket fits a QR code of version 8"
    return head + body


def decode_payload(payload: str) -> tuple[Ticket, bytes, bytes]:
    """The ticket, the signed bytes and the signature; nothing is trusted yet. Raises TicketMalformed."""
    try:
        raw = decode_base45(payload)
    except NotBase45 as error:
        raise TicketMalformed(str(error)) from None
    signed, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
    if not HEAD.size <= len(signed) <= BYTES_MAX - SIGNATURE_BYTES or signed[0] != LAYOUT_VERSION:
        raise TicketMalformed(f"{len(raw)} bytes of layout {raw[0] if raw else None}")
    head = HEAD.unpack_from(signed)
    _, key_id, ticket_number, order_number, starts, minutes, riders, base, count = head
    if len(signed) != HEAD.size + count * ENTITLEMENT.size or riders & NIBBLE or starts > STARTS_MAX:
        raise TicketMalformed(f"{count} entitlements in {len(signed)} bytes")
    valid_from = EPOCH + timedelta(minutes=starts)
    ticket = Ticket(
        key_id=key_id,
        ticket_ref=ticket_number.hex(),
        order_ref=order_number.hex(),
        valid_from=valid_from,
        valid_until=valid_from + timedelta(minutes=minutes),
        adults=riders >> 12 & NIBBLE,
        children=riders >> 8 & NIBBLE,
        infants=riders >> 4 & NIBBLE,
        entitlements=tuple(
            _decode_entitlement(each, base) for each in ENTITLEMENT.iter_unpack(signed[HEAD.size :])
        ),
    )
    return ticket, signed, signature


def _encode_entitlement(each: Entitlement, base: int) -> bytes:
    above = each.component_index - base
    assert 0 <= above <= NIBBLE, "the fares of one ticket lie within sixteen of each other"
    packed = above << 4 | each.class_code
    return ENTITLEMENT.pack(each.operator_code, packed, each.origin_code, each.destination_code)


def _decode_entitlement(values: tuple[int, ...], base: int) -> Entitlement:
    code, packed, origin, destination = values
    return Entitlement(
        operator_code=code,
        component_index=base + (packed >> 4),
        class_code=packed & NIBBLE,
        origin_code=origin,
        destination_code=destination,
    )
