"""A checking device offline: what it lets through, what it refuses and with which words, over three days."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maas.taps import Tap, TapKind
from maas.tickets.holder import CodeSecret, show
from maas.tickets.issue import sign, sign_for_device
from maas.tickets.keys import SigningKey
from maas.tickets.messages import LANGUAGES, message_for
from maas.tickets.passback import settle
from maas.tickets.revocations import Revocations, Uses
from maas.tickets.ticket import Entitlement, Ticket, TicketForm, area_code, operator_code
from maas.tickets.validator import Decision, Lists, Remembered, Scan, decide
from maas.tickets.verify import Checkpoint, VerdictStatus
from tests.support.tickets import BUS, KEY, KEYS, SHIP, TOKAI, U, issue, night_trip, tokyo_time

ENTER, EXIT, SCAN = TapKind.ENTER, TapKind.EXIT, TapKind.SCAN
BUYER = issue(night_trip())[0]
PIER = Checkpoint(operator_id=TOKAI, stop_id="demo:[05]東京・竹芝", fare_class="2nd")
GATE = Checkpoint(operator_id="Toei", stop_id="demo:Toei.Oedo.Tochomae")
EVENING = tokyo_time(20, "21:40")
LISTS = Lists(keys=KEYS, fetched_at=EVENING - timedelta(hours=1))


@dataclass
class Phone:
    """A holder's device with one ticket."""

    ticket: Ticket
    period_s: int = 12
    secret: CodeSecret = field(init=False)
    part: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.secret = CodeSecret.draw(
            ticket_ref=self.ticket.ticket_ref,
            valid_from=self.ticket.valid_from,
            valid_until=self.ticket.valid_until,
            period_s=self.period_s,
        )
        self.part = sign_for_device(self.ticket, KEY, anchor=self.secret.anchor, period_s=self.period_s)

    def at(self, now: datetime) -> str:
        return show(self.part, self.secret, now)


def phone(edition: int = 1, ticket: Ticket = BUYER.ticket) -> Phone:
    return Phone(replace(ticket, form=TicketForm.DEVICE, edition=edition))


@dataclass
class Validator:
    """A device of a test: what it remembers, and the next sequence."""

    device_id: str = "gate-1"
    lists: Lists = LISTS
    memory: dict[str, Remembered] = field(default_factory=dict)
    sequence: Any = field(default_factory=itertools.count)

    def scan(
        self,
        payload: str,
        now: datetime = EVENING,
        at: Checkpoint = PIER,
        kind: TapKind = SCAN,
    ) -> Decision:
        scan = Scan(
            payload=payload,
            device_id=self.device_id,
            sequence=next(self.sequence),
            tapped_at=now,
            kind=kind,
            at=replace(at, is_exit=kind is EXIT),
        )
        decision = decide(scan, lists=self.lists, recall=lambda ref: self.memory.get(ref, Remembered()))
        if decision.remembered is not None:
            assert decision.verdict.ticket is not None
            self.memory[decision.verdict.ticket.ticket_ref] = decision.remembered
        return decision

    def status(self, *args: Any, **kwargs: Any) -> str:
        return self.scan(*args, **kwargs).verdict.status.value

    @property
    def taps(self) -> list[Tap]:
        return [tap for remembered in self.memory.values() for tap in remembered.taps]


STRANGER = SigningKey.generate(key_id=7, valid_from=KEY.public.valid_from, valid_until=KEY.public.valid_until)
MINUTE = timedelta(minutes=1)

CASES: list[tuple[str, Callable[[Validator], Decision]]] = [
    ("accepted", lambda gate: gate.scan(phone().at(EVENING))),
    ("accepted", lambda gate: gate.scan(BUYER.payload)),
    # A screenshot of three minutes ago; a phone whose clock is three minutes fast.
    ("stale_code", lambda gate: gate.scan(phone().at(EVENING - 3 * MINUTE))),
    ("early_code", lambda gate: gate.scan(phone().at(EVENING + 3 * MINUTE))),
    # Clocks two minutes off, either way.
    ("accepted", lambda gate: gate.scan(phone().at(EVENING - 2 * MINUTE))),
    ("accepted", lambda gate: gate.scan(phone().at(EVENING + 2 * MINUTE))),
    ("forged", lambda gate: gate.scan(sign(BUYER.ticket, STRANGER))),
    ("malformed", lambda gate: gate.scan("HELLO")),
    ("not_yet_valid", lambda gate: gate.scan(BUYER.payload, tokyo_time(20, "03:57"))),
    ("expired", lambda gate: gate.scan(BUYER.payload, tokyo_time(22, "04:02"))),
    ("wrong_operator", lambda gate: gate.scan(BUYER.payload, at=Checkpoint(operator_id="Keio", stop_id="x"))),
    ("wrong_place", lambda gate: gate.scan(BUYER.payload, at=replace(PIER, stop_id="demo:[12]大島"))),
    ("wrong_class", lambda gate: gate.scan(BUYER.payload, at=replace(PIER, fare_class="1st"))),
    ("static_refused", lambda gate: gate.scan(BUYER.payload, at=replace(PIER, accepts_static=False))),
]


@pytest.mark.parametrize(("status", "scan"), CASES)
def test_each_case_has_its_status_and_words_for_the_inspector(
    status: str, scan: Callable[[Validator], Decision]
) -> None:
    decision = scan(Validator())
    assert decision.verdict.status == status
    assert decision.is_accepted == (status == "accepted")
    assert decision.messages == message_for(VerdictStatus(status))
    assert list(decision.messages) == list(LANGUAGES)
    assert (decision.remembered is not None) == decision.is_accepted


def test_a_fare_is_let_through_once_and_a_replayed_code_never() -> None:
    pier, holder = Validator(), phone()
    code = holder.at(EVENING)
    assert pier.status(code) == "accepted"
    # The same person, whose barrier stayed shut.
    assert pier.status(code, EVENING + timedelta(seconds=5)) == "already_used"
    # Somebody who filmed it, at another reader of the same station.
    pier.device_id = "gate-2"
    assert pier.status(code, EVENING + timedelta(seconds=30)) == "replayed"
    earlier = holder.at(EVENING - MINUTE)
    assert pier.status(earlier, EVENING + timedelta(seconds=30)) == "replayed"
    # The holder's live screen is no replay, but the fare is used.
    assert pier.status(holder.at(EVENING + MINUTE), EVENING + MINUTE) == "already_used"


def test_a_replayed_code_is_refused_for_a_fare_not_used_yet() -> None:
    reader, holder = Validator(), phone()
    code = holder.at(EVENING)
    assert reader.status(code, at=GATE, kind=ENTER) == "accepted"
    # The friend behind films it, and boards the bus of the same ticket with it.
    bus = Checkpoint(operator_id="1010001131230", stop_id="demo:121_01")
    reader.device_id = "bus"
    assert reader.status(code, EVENING + MINUTE, at=bus) == "replayed"
    assert reader.status(holder.at(EVENING + MINUTE), EVENING + MINUTE, at=bus) == "accepted"


def test_a_gate_is_entered_and_left_once() -> None:
    gate, holder = Validator(), phone()
    leave = replace(GATE, stop_id="demo:Toei.Oedo.Shiodome")
    later = EVENING + timedelta(minutes=25)
    assert gate.status(holder.at(EVENING), at=GATE, kind=ENTER) == "accepted"
    assert gate.status(holder.at(EVENING + 5 * MINUTE), EVENING + 5 * MINUTE, at=GATE, kind=ENTER) == (
        "already_used"
    )
    assert gate.status(holder.at(later), later, at=leave, kind=EXIT) == "accepted"
    after = later + 5 * MINUTE
    assert gate.status(holder.at(after), after, at=leave, kind=EXIT) == "already_used"


def test_paper_is_held_against_the_list_of_used() -> None:
    uses = Uses(first_used_at={(BUYER.ticket.ticket_ref, SHIP): EVENING - MINUTE})
    pier = Validator(lists=replace(LISTS, uses=uses))
    assert pier.status(BUYER.payload) == "already_used"
    assert pier.status(BUYER.payload, at=GATE, kind=ENTER) == "accepted"
    # Used by entering elsewhere: whoever is inside may leave.
    uses = Uses(first_used_at={(BUYER.ticket.ticket_ref, 0): EVENING - MINUTE})
    inside = Validator(lists=replace(LISTS, uses=uses))
    leave = replace(GATE, stop_id="demo:Toei.Oedo.Shiodome")
    assert inside.status(BUYER.payload, at=leave, kind=EXIT) == "accepted"


def test_an_old_telephone_is_refused_once_the_new_one_was_seen() -> None:
    """Before any list tells of it: the gate itself has met the later edition."""
    gate, old, new = Validator(), phone(edition=1), phone(edition=2)
    assert gate.status(new.at(EVENING), at=GATE, kind=ENTER) == "accepted"
    assert gate.status(old.at(EVENING)) == "superseded"
    told = Validator(
        lists=replace(LISTS, revocations=Revocations(first_editions={BUYER.ticket.ticket_ref: 2}))
    )
    assert told.status(old.at(EVENING)) == "superseded"


def test_three_days_without_a_network_and_beyond_is_told() -> None:
    month = replace(BUYER.ticket, valid_until=BUYER.ticket.valid_from + timedelta(days=11))
    holder = Phone(replace(month, form=TicketForm.DEVICE, edition=1), period_s=60)
    in_time = EVENING - timedelta(hours=1) + timedelta(hours=72)
    for now, is_overdue in ((in_time, False), (in_time + MINUTE, True)):
        decision = Validator().scan(holder.at(now), now)
        assert (decision.is_accepted, decision.are_lists_overdue) == (True, is_overdue)
    assert Validator(lists=Lists()).status(BUYER.payload) == "unknown_key"


def ticket_of_pass(hours: int = 0, area: str = "toei_subway", **changes: Any) -> Ticket:
    right = Entitlement(
        operator_code=operator_code("Toei"),
        fare_index=0,
        class_code=0,
        is_pass=True,
        area_code=area_code("Toei", area),
        hours=hours,
    )
    return replace(BUYER.ticket, entitlements=(right,), **changes)


SUBWAY = replace(GATE, area_ids=("toei_subway",))


def test_a_pass_rides_again_and_again_but_is_not_handed_back() -> None:
    gate, holder = Validator(), phone(ticket=ticket_of_pass())

    def tap(minutes: int, kind: TapKind, at: Checkpoint = SUBWAY, device: str = "gate-1") -> str:
        gate.device_id = device
        now = EVENING + minutes * MINUTE
        return gate.status(holder.at(now), now, at=at, kind=kind)

    assert tap(0, ENTER) == "accepted"
    assert tap(1, ENTER, device="gate-2") == "already_used"  # handed back over the gate
    assert tap(20, EXIT) == "accepted"
    assert tap(30, ENTER) == "accepted"
    assert tap(31, ENTER, replace(SUBWAY, area_ids=("toei_tram",))) == "wrong_place"
    # Three hours later nobody is still inside: the exit was lost.
    assert tap(30 + 180, ENTER) == "accepted"
    tram = replace(SUBWAY, stop_id="demo:Toei.Arakawa.Machiya")
    assert tap(400, SCAN, tram, "tram-7") == "accepted"
    assert tap(401, SCAN, tram, "tram-7") == "already_used"
    assert tap(401, SCAN, replace(tram, stop_id="demo:Toei.Arakawa.Minowa"), "tram-8") == "accepted"


def test_a_pass_of_hours_ends_with_them_and_lets_out_who_is_inside() -> None:
    day = ticket_of_pass(hours=24, valid_until=BUYER.ticket.valid_from + timedelta(days=11))
    holder = Phone(replace(day, form=TicketForm.DEVICE, edition=1), period_s=60)
    gate = Validator()

    def tap(hours: float, kind: TapKind) -> str:
        now = EVENING + timedelta(hours=hours)
        return gate.status(holder.at(now), now, at=SUBWAY, kind=kind)

    assert tap(0, ENTER) == "accepted"
    assert tap(0.5, EXIT) == "accepted"
    assert tap(23.9, ENTER) == "accepted"
    assert tap(24.2, EXIT) == "accepted"
    assert tap(24.3, ENTER) == "expired"
    # Another station knows of the beginning by the list.
    uses = Uses(first_used_at={(day.ticket_ref, 0): EVENING})
    elsewhere = Validator(lists=replace(LISTS, uses=uses))
    now = EVENING + timedelta(hours=24.3)
    assert elsewhere.status(holder.at(now), now, at=SUBWAY, kind=ENTER) == "expired"


@settings(max_examples=60, deadline=None)
@given(order=st.permutations(range(6)), repeats=st.lists(st.integers(0, 5), max_size=4))
def test_conflicts_settle_the_same_in_any_order(order: list[int], repeats: list[int]) -> None:
    """A copied paper ticket at three offline piers, and its other fares: one ship, two people too many."""
    piers = [Validator(device_id=f"pier-{number}") for number in range(3)]
    for minute, pier in enumerate(piers):
        assert pier.status(BUYER.payload, EVENING + minute * 3 * MINUTE) == "accepted"
    bus = Validator(device_id="bus")
    stop = Checkpoint(operator_id="1010001131230", stop_id="demo:116_01")
    assert bus.status(BUYER.payload, tokyo_time(20, "30:20"), stop) == "accepted"
    gate = Validator(device_id="gate")
    start = replace(GATE, operator_id="Yurikamome", stop_id="demo:Yurikamome.Yurikamome.Shiodome")
    end = replace(start, stop_id="demo:Yurikamome.Yurikamome.Takeshiba")
    assert gate.status(BUYER.payload, tokyo_time(20, "21:00"), start, ENTER) == "accepted"
    assert gate.status(BUYER.payload, tokyo_time(20, "21:05"), end, EXIT) == "accepted"
    taps = [tap for device in (*piers, bus, gate) for tap in device.taps]
    settled = settle([taps[place] for place in [*order, *repeats]], BUYER.ticket.entitlements)
    assert [tap.device_id for tap in settled.rides] == ["gate", "gate", "pier-0", "bus"]
    assert [tap.device_id for tap in settled.surplus] == ["pier-1", "pier-2"]
    assert {U, SHIP, BUS} <= {each.fare_index for each in BUYER.ticket.entitlements}
