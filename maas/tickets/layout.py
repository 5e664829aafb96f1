"""A ticket as bytes: at most 125 of them, so that its QR code stays at version 8 with error correction M.

Idea      A fixed head, entitlements of five bytes, and the issuer's Ed25519 signature. On a device the code
          of the moment (moving_code.py) stands before the signature, and the anchor of its chain is signed
          though it is not written: the link must come to it.

  layout 2 (written today)
  offset  bytes  what
  0       1      2
  1       2      key id
  3       8      ticket number: the first 8 bytes of the ticket's UUID, its `ticket_ref` as hex
  11      3      valid from, minutes since 2020-01-01T00:00Z (until 2051)
  14      2      how long: minutes, or whole hours with the highest bit set
  16      2      riders: four bits each for adults, children, infants, helpers; of a group: a byte of adults,
                 a byte of children
  18      1      bit 7: on a device; bit 6: a group; bits 2-0: number of entitlements; others 0
  19      1      concession (4 bits); others 0
  20      1      edition
  21      5 each operator code (2); fare index (3 bits), pass (1 bit), class (4 bits); then of a fare the
                 boarding and the alighting place, of a pass the area and its hours from first use (1 each)
  end     1      on a device: seconds of a period, 1 to 60
          14     on a device, not signed: number of the period (2), its link (12)
          64     signature over all before the unsigned 14 and, on a device, the anchor

  A device's ticket of five entitlements is 125 bytes, a static one of five 110.

  layout 1 (read only; nothing of it is issued any more)
  0       1      1
  1       2      key id
  3       8      ticket number
  11      4      order reference
  15      4      valid from, minutes
  19      2      minutes of validity
  21      2      riders: four bits each for adults, children, infants; four bits are 0
  23      1      component index of the entitlements' index 0
  24      1      number of entitlements, 0 to 7
  25      5 each operator code (2), component index above the base (4 bits) and class (4 bits), places
                 (1 each)
  end     64     signature

Not here  Judging (verify.py), keys (keys.py), pictures (drawing.py).
Invariant decode(encode(ticket)) = ticket.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from maas.prices import RiderCategory
from maas.tickets.base45 import NotBase45, decode_base45
from maas.tickets.moving_code import LINK_BYTES, LINKS_MAX, PERIOD_S_MAX, MovingCode, climb, count_links
from maas.tickets.ticket import Entitlement, Ticket, TicketForm

LAYOUT_VERSION = 2
BYTES_MAX = 125
ENTITLEMENTS_MAX = 5
EDITIONS_MAX = 256
RIDERS_MAX = 15
GROUP_MAX = 255
SIGNATURE_BYTES = 64
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
STARTS_MAX = (1 << 24) - 1
# About the year 2200, of layout 1: four bytes of minutes reach beyond the last year that a datetime can hold.
STARTS_MAX_1 = 95_000_000
MINUTES_MAX = (1 << 15) - 1
IN_HOURS = 1 << 15
NIBBLE = 0x0F
FARE_INDEX_MAX = 7
ON_DEVICE, IS_GROUP, COUNT_BITS = 0x80, 0x40, 0x07
PASS_BIT = 0x10
CONCESSIONS = (
    None,
    RiderCategory.STUDENT,
    RiderCategory.SENIOR,
    RiderCategory.DISABLED,
    RiderCategory.ISLANDER,
    RiderCategory.GROUP,
)
HEAD = struct.Struct(">BH8s3sHHBBB")
HEAD_1 = struct.Struct(">BH8s4sIHHBB")
ENTITLEMENT = struct.Struct(">HBBB")
MOMENT = struct.Struct(f">H{LINK_BYTES}s")


class TicketMalformed(ValueError):
    """The payload is no ticket of a layout known here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """A payload taken apart; nothing is trusted yet. `moment` is None on a static ticket.

    `signed` is what the signature must cover; on a device it ends with the anchor that the link came to.
    """

    ticket: Ticket
    signed: bytes
    signature: bytes
    moment: MovingCode | None = None


def encode_static(ticket: Ticket) -> bytes:
    """The bytes of a static ticket that are signed."""
    assert ticket.form is TicketForm.STATIC, "a ticket on a device needs its period"
    return _encode(ticket)


def encode_for_device(ticket: Ticket, *, period_s: int) -> bytes:
    """The bytes of a device's ticket that stand in the code; they are signed with the anchor behind them."""
    assert ticket.form is TicketForm.DEVICE, "a static ticket has no period"
    assert 1 <= period_s <= PERIOD_S_MAX, "a code changes every 1 to 60 seconds"
    assert count_links(ticket.valid_from, ticket.valid_until, period_s) <= LINKS_MAX, "a chain is bounded"
    return _encode(ticket) + bytes([period_s])


def encode_moment(device_part: bytes, moment: MovingCode) -> bytes:
    """What a device shows: its ticket's bytes and signature (`device_part`) with the code of the moment."""
    body, signature = device_part[:-SIGNATURE_BYTES], device_part[-SIGNATURE_BYTES:]
    return body + MOMENT.pack(moment.slot, moment.link) + signature


def decode_payload(payload: str) -> Payload:
    """Take a payload apart. Raises TicketMalformed."""
    try:
        raw = decode_base45(payload)
    except NotBase45 as error:
        raise TicketMalformed(str(error)) from None
    if len(raw) > BYTES_MAX or len(raw) < SIGNATURE_BYTES + HEAD.size:
        raise TicketMalformed(f"{len(raw)} bytes")
    body, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
    if body[0] == 1:
        return Payload(ticket=_decode_1(body), signed=body, signature=signature)
    if body[0] != LAYOUT_VERSION:
        raise TicketMalformed(f"layout {body[0]}")
    if not body[18] & ON_DEVICE:
        return Payload(ticket=_decode(body), signed=body, signature=signature)
    signed, moment_bytes = body[: -MOMENT.size], body[-MOMENT.size :]
    ticket, moment = decode_device_body(signed), moment_bytes
    slot, link = MOMENT.unpack(moment)
    period_s = signed[-1]
    if slot >= count_links(ticket.valid_from, ticket.valid_until, period_s):
        raise TicketMalformed(f"period {slot} is beyond the ticket's validity")
    return Payload(
        ticket=ticket,
        signed=signed + climb(link, slot, ticket_ref=ticket.ticket_ref),
        signature=signature,
        moment=MovingCode(period_s=period_s, slot=slot, link=link),
    )


def read_claimed_ref(payload: str) -> str | None:
    """The ticket that a payload says it is of, without the hashing; nothing is believed. None: no ticket."""
    try:
        raw = decode_base45(payload)
    except NotBase45:
        return None
    is_ticket = HEAD.size <= len(raw) <= BYTES_MAX and raw[0] in {1, LAYOUT_VERSION}
    return raw[3:11].hex() if is_ticket else None


def decode_device_body(body: bytes) -> Ticket:
    """The ticket of the bytes that `encode_for_device` made. Raises TicketMalformed."""
    if len(body) <= HEAD.size:
        raise TicketMalformed(f"{len(body)} bytes of a device's ticket")
    ticket, period_s = _decode(body[:-1]), body[-1]
    if not 1 <= period_s <= PERIOD_S_MAX:
        raise TicketMalformed(f"a code that changes every {period_s} s")
    if count_links(ticket.valid_from, ticket.valid_until, period_s) > LINKS_MAX:
        raise TicketMalformed("more periods than a chain has")
    return ticket


def round_up_validity(duration: timedelta) -> timedelta:
    """The shortest validity that can be written and is not shorter: whole minutes, beyond 22 days hours."""
    minutes = -(-duration // timedelta(minutes=1))
    return timedelta(minutes=minutes) if minutes <= MINUTES_MAX else timedelta(hours=-(-minutes // 60))


def can_be_written(ticket: Ticket) -> bool:
    """Whether this layout holds the ticket: one of layout 1 may have more fares, or higher numbers."""
    return len(ticket.entitlements) <= ENTITLEMENTS_MAX and all(
        each.fare_index <= FARE_INDEX_MAX for each in ticket.entitlements
    )


def fits_riders(*, adults: int, children: int, infants: int, helpers: int, is_group: bool) -> bool:
    """Whether one code can carry these riders."""
    if is_group:
        return max(adults, children) <= GROUP_MAX and not infants and not helpers
    return max(adults, children, infants, helpers) <= RIDERS_MAX


def _encode(ticket: Ticket) -> bytes:
    count = len(ticket.entitlements)
    assert count <= ENTITLEMENTS_MAX, "a rider with more fares gets a second ticket"
    is_group = ticket.concession is RiderCategory.GROUP
    starts = int((ticket.valid_from - EPOCH).total_seconds()) // 60
    assert 0 <= starts <= STARTS_MAX, "the layout reaches until 2051"
    flags = (ON_DEVICE if ticket.form is TicketForm.DEVICE else 0) | (IS_GROUP if is_group else 0) | count
    head = HEAD.pack(
        LAYOUT_VERSION,
        ticket.key_id,
        bytes.fromhex(ticket.ticket_ref),
        starts.to_bytes(3, "big"),
        _encode_duration(ticket.valid_until - ticket.valid_from),
        _encode_riders(ticket, is_group=is_group),
        flags,
        CONCESSIONS.index(ticket.concession) << 4,
        ticket.edition,
    )
    return head + b"".join(_encode_entitlement(each) for each in ticket.entitlements)


def _encode_duration(duration: timedelta) -> int:
    minutes = int(duration.total_seconds()) // 60
    if minutes <= MINUTES_MAX:
        return minutes
    hours, rest = divmod(minutes, 60)
    assert not rest, "a validity of more than 22 days is counted in whole hours"
    assert hours <= MINUTES_MAX, "a validity is at most 3.7 years"
    return IN_HOURS | hours


def _encode_riders(ticket: Ticket, *, is_group: bool) -> int:
    counts = (ticket.adults, ticket.children, ticket.infants, ticket.helpers)
    adults, children, infants, helpers = counts
    assert fits_riders(
        adults=adults, children=children, infants=infants, helpers=helpers, is_group=is_group
    ), "more riders get a further code"
    if is_group:
        return adults << 8 | children
    return adults << 12 | children << 8 | infants << 4 | helpers


def _encode_entitlement(each: Entitlement) -> bytes:
    assert 0 <= each.fare_index <= FARE_INDEX_MAX, "the fares of a ticket are numbered from 0"
    packed = each.fare_index << 5 | (PASS_BIT if each.is_pass else 0) | each.class_code
    first, second = (
        (each.area_code, each.hours) if each.is_pass else (each.origin_code, each.destination_code)
    )
    return ENTITLEMENT.pack(each.operator_code, packed, first, second)


def _decode(body: bytes) -> Ticket:
    _, key_id, number, starts, duration, riders, flags, concession, edition = HEAD.unpack_from(body)
    count, is_group = flags & COUNT_BITS, bool(flags & IS_GROUP)
    if len(body) != HEAD.size + count * ENTITLEMENT.size:
        raise TicketMalformed(f"{count} entitlements in {len(body)} bytes")
    if flags & ~(ON_DEVICE | IS_GROUP | COUNT_BITS) or concession & NIBBLE:
        raise TicketMalformed("bits that mean nothing are set")
    if concession >> 4 >= len(CONCESSIONS):
        raise TicketMalformed(f"concession {concession >> 4}")
    category = CONCESSIONS[concession >> 4]
    if is_group is not (category is RiderCategory.GROUP):
        raise TicketMalformed("a group without its concession, or the other way round")
    valid_from = EPOCH + timedelta(minutes=int.from_bytes(starts, "big"))
    adults, children, infants, helpers = _decode_riders(riders, is_group=is_group)
    return Ticket(
        key_id=key_id,
        ticket_ref=number.hex(),
        valid_from=valid_from,
        valid_until=valid_from + _decode_duration(duration),
        adults=adults,
        children=children,
        infants=infants,
        helpers=helpers,
        concession=category,
        edition=edition,
        form=TicketForm.DEVICE if flags & ON_DEVICE else TicketForm.STATIC,
        entitlements=tuple(_decode_entitlement(each) for each in ENTITLEMENT.iter_unpack(body[HEAD.size :])),
    )


def _decode_duration(packed: int) -> timedelta:
    amount = packed & MINUTES_MAX
    return timedelta(hours=amount) if packed & IN_HOURS else timedelta(minutes=amount)


def _decode_riders(packed: int, *, is_group: bool) -> tuple[int, int, int, int]:
    if is_group:
        return packed >> 8, packed & 0xFF, 0, 0
    return packed >> 12, packed >> 8 & NIBBLE, packed >> 4 & NIBBLE, packed & NIBBLE


def _decode_entitlement(values: Sequence[int]) -> Entitlement:
    code, packed, first, second = values
    is_pass = bool(packed & PASS_BIT)
    return Entitlement(
        operator_code=code,
        fare_index=packed >> 5,
        class_code=packed & NIBBLE,
        is_pass=is_pass,
        origin_code=0 if is_pass else first,
        destination_code=0 if is_pass else second,
        area_code=first if is_pass else 0,
        hours=second if is_pass else 0,
    )


def _decode_1(body: bytes) -> Ticket:
    if len(body) < HEAD_1.size:
        raise TicketMalformed(f"{len(body)} bytes of layout 1")
    _, key_id, number, _order, starts, minutes, riders, base, count = HEAD_1.unpack_from(body)
    if len(body) != HEAD_1.size + count * ENTITLEMENT.size or riders & NIBBLE or starts > STARTS_MAX_1:
        raise TicketMalformed(f"{count} entitlements in {len(body)} bytes")
    valid_from = EPOCH + timedelta(minutes=starts)
    return Ticket(
        key_id=key_id,
        ticket_ref=number.hex(),
        valid_from=valid_from,
        valid_until=valid_from + timedelta(minutes=minutes),
        adults=riders >> 12 & NIBBLE,
        children=riders >> 8 & NIBBLE,
        infants=riders >> 4 & NIBBLE,
        entitlements=tuple(
            Entitlement(
                operator_code=code,
                fare_index=base + (packed >> 4),
                class_code=packed & NIBBLE,
                origin_code=origin,
                destination_code=destination,
            )
            for code, packed, origin, destination in ENTITLEMENT.iter_unpack(body[HEAD_1.size :])
        ),
    )
