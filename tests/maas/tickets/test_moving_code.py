"""The code that changes with time: what a chain promises, and what a gate makes of it."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maas.tickets.base45 import decode_base45, encode_base45
from maas.tickets.holder import CodeSecret, show
from maas.tickets.issue import sign_for_device
from maas.tickets.keys import KeyList
from maas.tickets.moving_code import anchor_of, climb, link_at, slot_at
from maas.tickets.revocations import Revocations
from maas.tickets.ticket import TicketForm
from maas.tickets.verify import Checkpoint, verify
from tests.support.tickets import KEY, KEYS, SHIP, TOKAI, issue, night_trip, tokyo_time

REF = "00112233445566ff"
PIER = Checkpoint(operator_id=TOKAI, stop_id="demo:[05]東京・竹芝")
EVENING = tokyo_time(20, "21:40")
TICKET = replace(issue(night_trip())[0].ticket, form=TicketForm.DEVICE, edition=1)
PERIOD_S = 12
SECRET = CodeSecret.draw(
    ticket_ref=TICKET.ticket_ref,
    valid_from=TICKET.valid_from,
    valid_until=TICKET.valid_until,
    period_s=PERIOD_S,
)
PART = sign_for_device(TICKET, KEY, anchor=SECRET.anchor, period_s=PERIOD_S)


def hash_once(link: bytes) -> bytes:
    return hashlib.sha256(bytes.fromhex(REF) + link).digest()[:12]


@settings(max_examples=50, deadline=None)
@given(secret=st.binary(min_size=12, max_size=12), count=st.integers(1, 60), data=st.data())
def test_every_link_comes_to_the_anchor_and_leads_down_only(
    secret: bytes, count: int, data: st.DataObject
) -> None:
    # The twin: the whole chain as a list, from the secret down.
    chain = [secret]
    for _ in range(count):
        chain.append(hash_once(chain[-1]))
    *links, anchor = chain
    links.reverse()
    slot = data.draw(st.integers(0, count - 1))
    link = link_at(secret, slot, link_count=count, ticket_ref=REF)
    assert link == links[slot]
    assert anchor_of(secret, link_count=count, ticket_ref=REF) == anchor
    assert climb(link, slot, ticket_ref=REF) == anchor
    # For another period, or another ticket, it is worth nothing.
    for other in {slot - 1, slot + 1} - {-1}:
        assert climb(link, other, ticket_ref=REF) != anchor
    assert climb(link, slot, ticket_ref="0" * 16) != anchor


def test_the_periods_of_a_validity() -> None:
    starts = tokyo_time(20, "04:00")

    def slot(clock: str) -> int:
        return slot_at(tokyo_time(20, clock), valid_from=starts, link_count=120, period_s=60)

    # A telephone whose clock lies outside shows the nearest period that there is.
    assert [slot(clock) for clock in ("03:59", "04:00", "04:01", "05:59", "06:00")] == [0, 0, 1, 119, 119]


@pytest.mark.parametrize(
    ("shown", "judged", "status"),
    [
        ("21:40:00", "21:40:00", "accepted"),
        # The period of 21:40:00 lasts twelve seconds, and clocks may differ by two minutes.
        ("21:40:00", "21:42:11", "accepted"),
        ("21:40:00", "21:42:12", "stale_code"),  # a screenshot, or a slow telephone
        ("21:40:00", "21:38:00", "accepted"),
        ("21:40:00", "21:37:59", "early_code"),  # a fast telephone
        ("21:40:00", "23:00:00", "stale_code"),
    ],
)
def test_a_code_counts_at_its_time_by_clocks_two_minutes_apart(shown: str, judged: str, status: str) -> None:
    def at(clock: str) -> timedelta:
        hours, minutes, seconds = (int(part) for part in clock.split(":"))
        return timedelta(hours=hours, minutes=minutes, seconds=seconds)

    midnight = tokyo_time(20, "00:00")
    payload = show(PART, SECRET, midnight + at(shown))
    assert verify(payload, keys=KEYS, now=midnight + at(judged), at=PIER).status == status


def test_a_screenshot_cannot_be_given_a_later_time() -> None:
    raw = bytearray(decode_base45(show(PART, SECRET, EVENING)))
    slot_place = len(raw) - 64 - 14
    slot = int.from_bytes(raw[slot_place : slot_place + 2], "big")
    raw[slot_place : slot_place + 2] = (slot + 30).to_bytes(2, "big")
    later = EVENING + timedelta(seconds=30 * PERIOD_S)
    verdict = verify(encode_base45(bytes(raw)), keys=KEYS, now=later, at=PIER)
    assert (verdict.status, verdict.ticket) == ("forged", None)


def test_a_link_of_another_device_is_forged() -> None:
    stranger = replace(SECRET, secret=bytes(12))
    assert verify(show(PART, stranger, EVENING), keys=KEYS, now=EVENING, at=PIER).status == "forged"


@settings(max_examples=60, deadline=None)
@given(position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_one_changed_byte_of_a_moving_code_is_never_accepted(position: int, flip: int) -> None:
    raw = bytearray(decode_base45(show(PART, SECRET, EVENING)))
    raw[position % len(raw)] ^= flip
    assert verify(encode_base45(bytes(raw)), keys=KEYS, now=EVENING, at=PIER).ticket is None


def test_what_is_revoked_is_refused_in_its_precedence() -> None:
    payload = show(PART, SECRET, EVENING)

    def judge(revocations: Revocations, keys: KeyList = KEYS) -> str:
        return verify(payload, keys=keys, now=EVENING, at=PIER, revocations=revocations).status

    ref = TICKET.ticket_ref
    assert judge(Revocations(first_editions={ref: 1})) == "accepted"
    assert judge(Revocations(first_editions={ref: 2})) == "superseded"
    assert judge(Revocations(revoked=frozenset({(ref, SHIP)}))) == "revoked"
    assert judge(Revocations(keys=frozenset({7}), first_editions={ref: 2})) == "revoked_key"
    leaked = KeyList.of(replace(KEY.public, revoked_at=EVENING))
    assert judge(Revocations(), leaked) == "revoked_key"


def test_a_place_may_refuse_what_does_not_move() -> None:
    strict = replace(PIER, accepts_static=False)
    static = issue(night_trip())[0].payload
    assert verify(static, keys=KEYS, now=EVENING, at=strict).status == "static_refused"
    assert verify(show(PART, SECRET, EVENING), keys=KEYS, now=EVENING, at=strict).is_accepted


def test_who_is_inside_when_the_ticket_ends_may_leave() -> None:
    gate = Checkpoint(operator_id="Toei", stop_id="demo:Toei.Oedo.Shiodome", is_exit=True)
    late = TICKET.valid_until + timedelta(hours=2)
    payload = show(PART, SECRET, late)
    assert verify(payload, keys=KEYS, now=late, at=gate).is_accepted
    later = TICKET.valid_until + timedelta(hours=3)
    assert verify(payload, keys=KEYS, now=later, at=gate).status == "expired"
    entry = replace(gate, stop_id="demo:Toei.Oedo.Tochomae", is_exit=False)
    assert verify(payload, keys=KEYS, now=late, at=entry).status == "expired"
