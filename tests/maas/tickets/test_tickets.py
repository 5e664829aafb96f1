import csv
import io
import re
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maas.prices import RiderCategory
from maas.tickets.base45 import NotBase45, decode_base45, encode_base45
from maas.tickets.drawing import QUIET_MODULES, build_qr, draw_as_svg, draw_for_terminal
from maas.tickets.issue import sign
from maas.tickets.keys import KeyList, KeyListUnreadable, SigningKey, encode_key
from maas.tickets.layout import (
    BYTES_MAX,
    CONCESSIONS,
    EPOCH,
    STARTS_MAX,
    TicketMalformed,
    decode_payload,
)
from maas.tickets.messages import LANGUAGES, message_for
from maas.tickets.revocations import Revocations
from maas.tickets.ticket import (
    CLASSES,
    Entitlement,
    Ticket,
    operator_code,
    place_code,
    station_key,
)
from maas.tickets.verify import Checkpoint, VerdictStatus, authenticate, verify
from tests.support.fares import ADULT, CHILD, INFANT, TARIFFS, journey, ride
from tests.support.tickets import BUS, KEY, KEYS, SHIP, TOKAI, issue, night_trip, tokyo_time

TICKET = issue(night_trip())[0]
PIER = Checkpoint(operator_id=TOKAI, stop_id="demo:[05]東京・竹芝")
EVENING = tokyo_time(20, "21:40")

# Up to 22 days in minutes, beyond in hours.
DURATIONS = st.one_of(
    st.integers(0, 2**15 - 1).map(lambda minutes: timedelta(minutes=minutes)),
    st.integers(547, 2**15 - 1).map(lambda hours: timedelta(hours=hours)),
)
FARES = st.builds(
    Entitlement,
    operator_code=st.integers(0, 2**16 - 1),
    fare_index=st.integers(0, 7),
    class_code=st.integers(0, 15),
    origin_code=st.integers(0, 255),
    destination_code=st.integers(0, 255),
)
PASSES = st.builds(
    Entitlement,
    operator_code=st.integers(0, 2**16 - 1),
    fare_index=st.integers(0, 7),
    class_code=st.integers(0, 15),
    is_pass=st.just(value=True),
    area_code=st.integers(0, 255),
    hours=st.integers(0, 255),
)
TICKETS = st.builds(
    Ticket,
    key_id=st.just(7),
    ticket_ref=st.binary(min_size=8, max_size=8).map(bytes.hex),
    valid_from=st.integers(0, STARTS_MAX).map(lambda minutes: EPOCH + timedelta(minutes=minutes)),
    valid_until=st.none(),
    adults=st.integers(0, 15),
    children=st.integers(0, 15),
    infants=st.integers(0, 15),
    helpers=st.integers(0, 15),
    concession=st.sampled_from([each for each in CONCESSIONS if each is not RiderCategory.GROUP]),
    edition=st.integers(0, 255),
    entitlements=st.lists(st.one_of(FARES, PASSES), max_size=5).map(tuple),
)


@pytest.mark.parametrize(
    ("raw", "text"),
    [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"ietf!", "QED8WEX0")],
)
def test_the_vectors_of_rfc_9285(raw: bytes, text: str) -> None:
    assert encode_base45(raw) == text
    assert decode_base45(text) == raw


@pytest.mark.parametrize("text", ["GGW", "::", "A", "AAAA", "a00", "00\n"])
def test_what_is_not_base45(text: str) -> None:
    # GGW is 65,536, one more than two bytes hold (RFC 9285 section 6); :: is 2,024, more than one byte.
    with pytest.raises(NotBase45):
        decode_base45(text)


@given(raw=st.binary(max_size=200))
def test_base45_there_and_back(raw: bytes) -> None:
    assert decode_base45(encode_base45(raw)) == raw


@settings(max_examples=150, deadline=None)
@given(ticket=TICKETS, duration=DURATIONS, group=st.none() | st.integers(0, 255))
def test_every_ticket_survives_its_payload_and_fits_version_8(
    ticket: Ticket, duration: timedelta, group: int | None
) -> None:
    ticket = replace(ticket, valid_until=ticket.valid_from + duration)
    if group is not None:
        ticket = replace(ticket, adults=group, infants=0, helpers=0, concession=RiderCategory.GROUP)
    payload = sign(ticket, KEY)
    assert len(decode_base45(payload)) <= BYTES_MAX
    assert decode_payload(payload).ticket == ticket
    assert authenticate(payload, keys=KEYS).ticket == ticket or (
        authenticate(payload, keys=KEYS).status is VerdictStatus.EXPIRED_KEY
    )


@settings(max_examples=200, deadline=None)
@given(position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_one_changed_byte_anywhere_and_the_ticket_is_never_accepted(position: int, flip: int) -> None:
    raw = bytearray(decode_base45(TICKET.payload))
    raw[position % len(raw)] ^= flip
    verdict = authenticate(encode_base45(bytes(raw)), keys=KEYS)
    assert not verdict.is_accepted
    assert verdict.ticket is None


@settings(max_examples=200, deadline=None)
@given(payload=st.one_of(st.text(max_size=300), st.binary(max_size=140).map(encode_base45)))
def test_no_text_breaks_the_checker(payload: str) -> None:
    status = verify(payload, keys=KEYS, now=EVENING, at=PIER).status
    assert status in {VerdictStatus.MALFORMED, VerdictStatus.UNKNOWN_KEY, VerdictStatus.FORGED}


STRANGER = SigningKey.generate(key_id=7, valid_from=KEY.public.valid_from, valid_until=KEY.public.valid_until)
OTHER_NUMBER = SigningKey.generate(
    key_id=8, valid_from=KEY.public.valid_from, valid_until=KEY.public.valid_until
)
OLD = SigningKey.generate(
    key_id=9, valid_from=datetime(2025, 1, 1, tzinfo=UTC), valid_until=datetime(2026, 1, 1, tzinfo=UTC)
)
FARE = (TICKET.ticket.ticket_ref, SHIP)


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        ("accepted", {}),
        ("malformed", {"payload": "HELLO"}),
        ("unknown_key", {"payload": issue(night_trip(), key=OTHER_NUMBER)[0].payload}),
        ("forged", {"payload": issue(night_trip(), key=STRANGER)[0].payload}),
        (
            "expired_key",
            {"payload": issue(night_trip(), key=OLD)[0].payload, "keys": KeyList.of(OLD.public)},
        ),
        # The service day of a 20:34 departure begins at 04:00; that of a 06:37 arrival ends at 04:00.
        # The gate's clock may be two minutes off.
        ("not_yet_valid", {"now": tokyo_time(20, "03:57")}),
        ("accepted", {"now": tokyo_time(20, "03:58")}),
        ("accepted", {"now": tokyo_time(22, "04:01")}),
        ("expired", {"now": tokyo_time(22, "04:02")}),
        ("wrong_operator", {"at": Checkpoint(operator_id="Keio", stop_id="demo:Keio.Keio.Shinjuku")}),
        ("revoked", {"revocations": Revocations(revoked=frozenset({FARE}))}),
        ("wrong_place", {"at": Checkpoint(operator_id=TOKAI, stop_id="demo:[12]大島")}),
        ("wrong_class", {"at": Checkpoint(operator_id=TOKAI, stop_id=PIER.stop_id, fare_class="1st")}),
        ("accepted", {"at": Checkpoint(operator_id=TOKAI, stop_id=PIER.stop_id, fare_class="2nd")}),
        ("already_used", {"used": {FARE}}),
        # Precedence: of several things wrong the earlier in the list is said.
        ("revoked", {"revocations": Revocations(revoked=frozenset({FARE})), "used": {FARE}}),
        ("expired", {"now": tokyo_time(25, "12:00"), "at": Checkpoint(operator_id="Keio")}),
        # Another fare of the ticket is revoked or used: this one counts.
        (
            "accepted",
            {"revocations": Revocations(revoked=frozenset({(FARE[0], BUS)})), "used": {(FARE[0], 0)}},
        ),
    ],
)
def test_each_status(status: str, changes: dict[str, object]) -> None:
    asked = {"payload": TICKET.payload, "keys": KEYS, "now": EVENING, "at": PIER} | changes
    payload = asked.pop("payload")
    assert verify(payload, **asked).status == status  # type: ignore[arg-type]


def test_platforms_of_a_station_and_lines_of_an_operator_are_one_place() -> None:
    gate = Checkpoint(operator_id="Toei", stop_id="real:Toei.Oedo.Tochomae.1")
    assert verify(TICKET.payload, keys=KEYS, now=EVENING, at=gate).is_accepted
    leaving = Checkpoint(operator_id="Toei", stop_id="demo:Toei.Oedo.Shiodome", is_exit=True)
    assert verify(TICKET.payload, keys=KEYS, now=EVENING, at=leaving).is_accepted
    assert station_key("demo:[12]大島.1") == "[12]大島"
    assert station_key("demo:Toei.Asakusa.Daimon") == station_key("x:Toei.Oedo.Daimon") == "Daimon"


def test_a_bus_is_boarded_anywhere() -> None:
    bus = Checkpoint(operator_id="1010001131230", stop_id="demo:121_01")
    verdict = verify(TICKET.payload, keys=KEYS, now=tokyo_time(21, "06:20"), at=bus)
    assert verdict.is_accepted
    assert verdict.entitlement is not None
    assert verdict.entitlement.fare_index == BUS


def test_one_ticket_a_rider_and_its_fares_are_components_of_the_order() -> None:
    tickets = issue(night_trip(), ADULT, CHILD, INFANT)
    assert [(each.rider_index, each.part) for each in tickets] == [(0, 0), (1, 0), (2, 0)]
    assert [[e.fare_index for e in each.ticket.entitlements] for each in tickets] == [[0, 1, 2, 3]] * 3
    assert [each.fares for each in tickets] == [
        ((0,), (1,), (2,), (3,)),
        ((4,), (5,), (6,), (7,)),
        ((8,), (9,), (10,), (11,)),
    ]
    assert [each.ticket.riders for each in tickets][1] == {ADULT: 0, CHILD: 1, INFANT: 0}
    assert len({each.ticket.ticket_ref for each in tickets}) == 3
    # The same order gives the same tickets again.
    assert [each.ticket for each in issue(night_trip(), ADULT, CHILD, INFANT)] == [t.ticket for t in tickets]


def test_a_long_journey_is_parted_so_that_each_code_still_fits() -> None:
    buses = journey(*(ride("ToeiBus.Shuku74", "a", "b", at=f"{hour}:00") for hour in range(6, 16)))
    parts = issue(buses)
    assert [len(each.ticket.entitlements) for each in parts] == [5, 5]
    assert [each.part for each in parts] == [0, 1]
    # Fares are numbered within a ticket, components over the order.
    assert [e.fare_index for e in parts[1].ticket.entitlements] == [0, 1, 2, 3, 4]
    assert parts[1].fares == ((5,), (6,), (7,), (8,), (9,))


def test_a_joint_fare_is_ridden_at_both_operators() -> None:
    trip = journey(
        ride("TokyoMetro.Marunouchi", "Shinjuku", "ShinjukuSanchome"),
        ride("Toei.Shinjuku", "ShinjukuSanchome", "Jimbocho"),
    )
    entitlements = issue(trip)[0].ticket.entitlements
    assert [(e.fare_index, e.operator_code) for e in entitlements] == [
        (0, operator_code("TokyoMetro")),
        (0, operator_code("Toei")),
    ]


def test_no_two_operators_of_the_city_share_a_code() -> None:
    with (TARIFFS / "networks.csv").open(encoding="utf-8") as file:
        operators = {row["operator_id"] for row in csv.DictReader(file)}
    assert len({operator_code(operator_id) for operator_id in operators}) == len(operators)


@pytest.mark.real
def test_no_two_operators_of_greater_tokyo_share_a_code(real_data: Path) -> None:
    operators = set()
    for path in sorted((real_data / "tokyo").glob("*.zip")):
        with zipfile.ZipFile(path) as feed:
            text = feed.read("agency.txt").decode("utf-8-sig")
        operators |= {row["agency_id"] for row in csv.DictReader(io.StringIO(text))}
    assert len(operators) > 46
    assert len({operator_code(operator_id) for operator_id in operators}) == len(operators)


def test_the_terminal_drawing_is_the_code() -> None:
    rows = [
        [bool(dark) for dark in row] for row in build_qr(TICKET.payload).matrix_iter(border=QUIET_MODULES)
    ]
    light = {"█": (True, True), "▀": (True, False), "▄": (False, True), " ": (False, False)}
    seen: list[list[bool]] = []
    for line in draw_for_terminal(TICKET.payload).split("\n"):
        seen += [[not light[letter][half] for letter in line] for half in (0, 1)]
    # A code has an odd number of rows; the drawing's last half line is light.
    assert seen[: len(rows)] == rows
    assert not any(seen[-1])


def test_the_svg_is_well_formed_and_as_large_as_the_code() -> None:
    root = ET.fromstring(draw_as_svg(TICKET.payload))  # noqa: S314  # our own output
    modules = build_qr(TICKET.payload).symbol_size(border=QUIET_MODULES)[0]
    assert int(root.attrib["width"]) == modules * 4
    assert root.tag.endswith("svg")


def test_every_status_speaks_every_language() -> None:
    for status in VerdictStatus:
        messages = message_for(status)
        assert list(messages) == list(LANGUAGES)
        assert len(set(messages.values())) == len(LANGUAGES)


def test_every_refusal_says_what_to_do_about_it() -> None:
    """What is wrong, and then the cure: at least two clauses in every language."""
    for status in set(VerdictStatus) - {VerdictStatus.ACCEPTED}:
        for language, text in message_for(status).items():
            assert len([each for each in re.split("[。.:：，,、] ?", text) if each]) >= 2, (status, language)
    # A code of the past may be a slow clock's, one of the future is a fast clock's: both can be set.
    clock = {"ja": "時計", "ja-easy": "時計", "en": "time", "zh-Hans": "时间", "ko": "시계"}
    for status in (VerdictStatus.STALE_CODE, VerdictStatus.EARLY_CODE):
        assert all(clock[language] in text for language, text in message_for(status).items())


def test_a_published_key_list_is_read_back_and_nonsense_is_refused() -> None:
    published = (
        f'{{"keys": [{{"key_id": 7, "public_key": "{encode_key(KEY.public.public_key)}",'
        f' "valid_from": "{KEY.public.valid_from.isoformat()}",'
        f' "valid_until": "{KEY.public.valid_until.isoformat()}"}}]}}'
    )
    assert KeyList.from_json(published) == KEYS
    for nonsense in (
        "",
        "[]",
        '{"keys": 1}',
        published.replace("+00:00", ""),
        published.replace('key": "', 'key": "AA'),
    ):
        with pytest.raises(KeyListUnreadable):
            KeyList.from_json(nonsense)


def test_a_malformed_layout_is_told_from_a_forged_one() -> None:
    raw = bytearray(decode_base45(TICKET.payload))
    raw[0] = 3
    with pytest.raises(TicketMalformed):
        decode_payload(encode_base45(bytes(raw)))
    assert place_code("Toei", "demo:x") in range(1, 256)
    assert len(CLASSES) < 15


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (16, 0x10),  # a group of 16 adults without the group's concession
        (18, 0x05),  # five entitlements said, four there
        (18, 0x0C),  # a bit that means nothing
        (19, 0x01),  # and another
        (19, 0x60),  # a concession beyond the list
    ],
)
def test_a_head_that_contradicts_itself_is_malformed(offset: int, value: int) -> None:
    raw = bytearray(decode_base45(TICKET.payload))
    raw[offset] = value
    if offset == 16:
        raw[18] |= 0x40
    assert authenticate(encode_base45(bytes(raw)), keys=KEYS).status is VerdictStatus.MALFORMED
