"""The bytes, held against the tables of layout.py by writers of the test's own."""

import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from maas.prices import RiderCategory
from maas.tickets.base45 import decode_base45, encode_base45
from maas.tickets.drawing import build_qr
from maas.tickets.holder import CodeSecret, show
from maas.tickets.issue import sign, sign_for_device
from maas.tickets.layout import BYTES_MAX, decode_payload
from maas.tickets.ticket import Entitlement, Ticket, TicketForm
from maas.tickets.verify import Checkpoint, VerdictStatus, authenticate, verify
from tests.support.tickets import KEY, KEYS

STARTS = datetime(2026, 5, 19, 19, tzinfo=UTC)
# 2020-01-01 to 2026-05-19 are 2,330 days; 19 hours more.
STARTS_MINUTES = 2330 * 1440 + 19 * 60


def write_layout_1(*, starts: int = STARTS_MINUTES, minutes: int = 2880) -> bytes:
    """A ticket of the first layout: two fares of the second rider of an order, components 4 and 5."""
    head = bytes([1]) + (7).to_bytes(2, "big") + bytes.fromhex("00112233445566778899aabb")
    head += starts.to_bytes(4, "big") + minutes.to_bytes(2, "big") + bytes([0x01, 0x00, 4, 2])
    fares = struct.pack(">HBBB", 0x1234, 0x02, 17, 18) + struct.pack(">HBBB", 0x5678, 0x10, 0, 0)
    return head + fares


def sign_raw(body: bytes) -> str:
    return encode_base45(body + KEY.private_key.sign(body))


def test_a_ticket_of_the_first_layout_still_counts() -> None:
    ticket = Ticket(
        key_id=7,
        ticket_ref="0011223344556677",
        valid_from=STARTS,
        valid_until=STARTS + timedelta(days=2),
        adults=0,
        children=1,
        infants=0,
        entitlements=(
            Entitlement(
                operator_code=0x1234, fare_index=4, class_code=2, origin_code=17, destination_code=18
            ),
            Entitlement(operator_code=0x5678, fare_index=5, class_code=0),
        ),
    )
    payload = sign_raw(write_layout_1())
    verdict = authenticate(payload, keys=KEYS)
    assert (verdict.status, verdict.ticket) == ("accepted", ticket)
    forged = write_layout_1(minutes=2881) + decode_base45(payload)[-64:]
    assert authenticate(encode_base45(forged), keys=KEYS).status is VerdictStatus.FORGED


@pytest.mark.parametrize("starts", [0xFFFFFFFF, 95_000_001])
def test_an_instant_that_no_calendar_holds_is_malformed(starts: int) -> None:
    payload = sign_raw(write_layout_1(starts=starts))
    assert authenticate(payload, keys=KEYS).status is VerdictStatus.MALFORMED


GATE = Entitlement(operator_code=0x1234, fare_index=0, class_code=2, origin_code=17, destination_code=18)
FULL = Ticket(
    key_id=7,
    ticket_ref="0011223344556677",
    valid_from=STARTS,
    valid_until=STARTS + timedelta(days=2),
    adults=1,
    children=0,
    infants=0,
    helpers=1,
    concession=RiderCategory.DISABLED,
    edition=3,
    entitlements=(
        *(replace(GATE, fare_index=index) for index in range(4)),
        Entitlement(operator_code=0x5678, fare_index=4, class_code=0, is_pass=True, area_code=9, hours=24),
    ),
)


def write_layout_2(*, flags: int) -> bytes:
    head = bytes([2, 0, 7]) + bytes.fromhex("0011223344556677") + STARTS_MINUTES.to_bytes(3, "big")
    head += (2880).to_bytes(2, "big")
    # One adult, one helper; the disabled are number 3 of the concessions.
    head += bytes([0x10, 0x01, flags | 5, 3 << 4, 3])
    fares = b"".join(struct.pack(">HBBB", 0x1234, index << 5 | 2, 17, 18) for index in range(4))
    return head + fares + struct.pack(">HBBB", 0x5678, 4 << 5 | 0x10, 9, 24)


def test_a_static_ticket_is_written_as_the_table_says() -> None:
    raw = decode_base45(sign(FULL, KEY))
    assert raw[:-64] == write_layout_2(flags=0)
    # 21 + 5 * 5 + 64
    assert len(raw) == 110


def test_a_full_ticket_on_a_device_is_125_bytes_and_a_qr_code_of_version_8_m() -> None:
    ticket = replace(FULL, form=TicketForm.DEVICE)
    secret = CodeSecret.draw(
        ticket_ref=ticket.ticket_ref, valid_from=STARTS, valid_until=ticket.valid_until, period_s=30
    )
    part = sign_for_device(ticket, KEY, anchor=secret.anchor, period_s=30)
    payload = show(part, secret, STARTS + timedelta(minutes=10))
    raw = decode_base45(payload)
    assert raw[:46] == write_layout_2(flags=0x80)
    # Period 30 s; ten minutes are twenty periods; then 12 bytes of link and the signature.
    assert raw[46:49] == bytes([30, 0, 20])
    assert len(raw) == 46 + 1 + 2 + 12 + 64 == BYTES_MAX
    code = build_qr(payload)
    assert (code.version, code.error) == (8, "M")
    assert decode_payload(payload).ticket == ticket


@pytest.mark.parametrize(("period", "slot"), [(0, 0), (61, 0), (5, 0), (30, 5760)])
def test_a_chain_that_cannot_be_is_malformed(period: int, slot: int) -> None:
    # Two days in periods of 5 s are 34,560 links, more than 16,384; of 30 s they are the numbers 0 to 5,759.
    body = write_layout_2(flags=0x80) + bytes([period]) + slot.to_bytes(2, "big") + bytes(12)
    assert authenticate(encode_base45(body + bytes(64)), keys=KEYS).status is VerdictStatus.MALFORMED


def test_a_device_flag_cannot_be_taken_off() -> None:
    """Who photographs a moving code cannot turn it into a static ticket: the form is signed."""
    ticket = replace(FULL, form=TicketForm.DEVICE)
    secret = CodeSecret.draw(
        ticket_ref=ticket.ticket_ref, valid_from=STARTS, valid_until=ticket.valid_until, period_s=30
    )
    part = sign_for_device(ticket, KEY, anchor=secret.anchor, period_s=30)
    raw = decode_base45(show(part, secret, STARTS))
    static = bytearray(raw[:46])
    static[18] &= 0x7F
    assert authenticate(encode_base45(bytes(static) + raw[-64:]), keys=KEYS).status is VerdictStatus.FORGED
    at = Checkpoint(operator_id="x")
    assert verify(encode_base45(bytes(static) + raw[-64:]), keys=KEYS, now=STARTS, at=at).ticket is None
