"""Judge a ticket: pure, offline, one status by a fixed precedence.

Problem   The device at the gate has a payload, a key list, perhaps old revocations, and its own clock and
          place.
Idea      Questions in a fixed order; the first that fails names the status. Nothing in a payload is believed
          before its signature is. Of several entitlements at this operator the one that gets furthest
          answers.

  malformed      the payload is no ticket
  unknown_key    the key list has no such key
  forged         the key did not sign this; on a device: or the code of the moment is not the device's
  revoked_key    the key has leaked, nothing that it signed counts
  expired_key    the key was not in force when the ticket's validity began
  superseded     a later code was issued: another telephone, a reprint
  not_yet_valid  before the ticket's validity
  expired        after it, or after the hours of a pass
  stale_code     the code of a moment gone by: a screenshot, or a telephone whose clock is slow
  early_code     the code of a moment to come: a telephone whose clock is fast
  static_refused this checkpoint wants a code that moves
  wrong_operator no entitlement here
  revoked        the fare was cancelled
  wrong_place    the entitlement is for another place or area
  wrong_class    the entitlement is for another class
  replayed       a code of this moment or a later one was shown elsewhere
  already_used   the fare was used; a pass: given back over the gate
  accepted       after the last question the ticket must be let through

Clocks    The device's clock, the gate's and the issuer's may differ by two minutes: every limit of time is
          asked with that tolerance. A screenshot is therefore worth at most two minutes and a period, at a
          gate that has not seen the code.
Not here  `replayed` and the gate's memory (validator.py); whether a gate elsewhere has seen it (the ticketing
          service settles that when both have sent their taps).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from maas.tickets.keys import KeyList
from maas.tickets.layout import Payload, TicketMalformed, decode_payload
from maas.tickets.moving_code import MovingCode
from maas.tickets.revocations import Revocations
from maas.tickets.ticket import (
    ANY_AREA,
    ANY_PLACE,
    Entitlement,
    Ticket,
    TicketForm,
    area_code,
    class_code,
    operator_code,
    place_code,
)

CLOCK_TOLERANCE = timedelta(minutes=2)
# Who entered while a ticket was good may leave: the longest ride of a city's trains is shorter.
LEAVING_GRACE = timedelta(hours=3)


class VerdictStatus(StrEnum):
    """In precedence; see the module."""

    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown_key"
    FORGED = "forged"
    REVOKED_KEY = "revoked_key"
    EXPIRED_KEY = "expired_key"
    SUPERSEDED = "superseded"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    STALE_CODE = "stale_code"
    EARLY_CODE = "early_code"
    STATIC_REFUSED = "static_refused"
    WRONG_OPERATOR = "wrong_operator"
    REVOKED = "revoked"
    WRONG_PLACE = "wrong_place"
    WRONG_CLASS = "wrong_class"
    REPLAYED = "replayed"
    ALREADY_USED = "already_used"
    ACCEPTED = "accepted"


PRECEDENCE = {status: place for place, status in enumerate(VerdictStatus)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where a ticket is judged. `stop_id` or `fare_class` None: not asked. `is_exit`: leaving.

    `area_ids` are the fare zones and networks that the place belongs to, for passes; None: not asked.
    `accepts_static` False: only codes that move are let through, no paper and no pictures.
    """

    operator_id: str
    stop_id: str | None = None
    fare_class: str | None = None
    is_exit: bool = False
    area_ids: Collection[str] | None = None
    accepts_static: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer. `ticket` is None unless its signature is genuine; `entitlement` answered.

    `moment` is what a device showed, None for a static ticket.
    """

    status: VerdictStatus
    ticket: Ticket | None = None
    entitlement: Entitlement | None = None
    moment: MovingCode | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the riders may pass."""
        return self.status is VerdictStatus.ACCEPTED


def verify(
    payload: str,
    *,
    keys: KeyList,
    now: datetime,
    at: Checkpoint,
    revocations: Revocations | None = None,
    used: Collection[tuple[str, int]] = (),
    first_used_at: Mapping[tuple[str, int], datetime] | None = None,
) -> Verdict:
    """Judge `payload` at `at`.

    `used` are (ticket_ref, fare_index) that count as used here; `first_used_at` tells when passes began.
    """
    revocations = revocations or Revocations()
    genuine = authenticate(payload, keys=keys, revocations=revocations)
    ticket = genuine.ticket
    if ticket is None or not genuine.is_accepted:
        return genuine
    refusal = _judge_moment(ticket, genuine.moment, now, at)
    if refusal is not None:
        return Verdict(status=refusal, ticket=ticket, moment=genuine.moment)
    question = _Question(ticket, at, now, revocations, used, first_used_at or {})
    here = [each for each in ticket.entitlements if each.operator_code == operator_code(at.operator_id)]
    judged = [(question.judge(each), each) for each in here]
    if not judged:
        return Verdict(status=VerdictStatus.WRONG_OPERATOR, ticket=ticket, moment=genuine.moment)
    status, entitlement = max(judged, key=lambda found: PRECEDENCE[found[0]])
    return Verdict(status=status, ticket=ticket, entitlement=entitlement, moment=genuine.moment)


def authenticate(payload: str, *, keys: KeyList, revocations: Revocations | None = None) -> Verdict:
    """Whether a payload is a ticket of ours: malformed to superseded, else accepted."""
    try:
        taken = decode_payload(payload)
    except TicketMalformed:
        return Verdict(status=VerdictStatus.MALFORMED)
    status = _judge_issuer(taken, keys, revocations or Revocations())
    if status in {VerdictStatus.UNKNOWN_KEY, VerdictStatus.FORGED}:
        return Verdict(status=status)
    return Verdict(status=status, ticket=taken.ticket, moment=taken.moment)


def _judge_issuer(taken: Payload, keys: KeyList, revocations: Revocations) -> VerdictStatus:
    ticket = taken.ticket
    key = keys.keys.get(ticket.key_id)
    if key is None:
        return VerdictStatus.UNKNOWN_KEY
    if not key.has_signed(taken.signature, taken.signed):
        return VerdictStatus.FORGED
    if key.revoked_at is not None or key.key_id in revocations.keys:
        return VerdictStatus.REVOKED_KEY
    if not key.valid_from <= ticket.valid_from < key.valid_until:
        return VerdictStatus.EXPIRED_KEY
    if revocations.is_superseded(ticket.ticket_ref, ticket.edition):
        return VerdictStatus.SUPERSEDED
    return VerdictStatus.ACCEPTED


def _judge_moment(
    ticket: Ticket, moment: MovingCode | None, now: datetime, at: Checkpoint
) -> VerdictStatus | None:
    """What the clock says against it, None for nothing."""
    if now < ticket.valid_from - CLOCK_TOLERANCE:
        return VerdictStatus.NOT_YET_VALID
    if now >= ticket.valid_until + (LEAVING_GRACE if at.is_exit else CLOCK_TOLERANCE):
        return VerdictStatus.EXPIRED
    if moment is None:
        is_refused = ticket.form is TicketForm.STATIC and not at.accepts_static
        return VerdictStatus.STATIC_REFUSED if is_refused else None
    begins = ticket.valid_from + timedelta(seconds=moment.slot * moment.period_s)
    if now < begins - CLOCK_TOLERANCE:
        return VerdictStatus.EARLY_CODE
    if now >= _ends_at(ticket, moment, begins, at) + CLOCK_TOLERANCE:
        return VerdictStatus.STALE_CODE
    return None


def _ends_at(ticket: Ticket, moment: MovingCode, begins: datetime, at: Checkpoint) -> datetime:
    ends = begins + timedelta(seconds=moment.period_s)
    # The chain ends with the validity: who leaves later shows its last link.
    is_last = ends >= ticket.valid_until
    return ticket.valid_until + LEAVING_GRACE if is_last and at.is_exit else ends


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of each entitlement of a ticket that counts now."""

    ticket: Ticket
    at: Checkpoint
    now: datetime
    revocations: Revocations
    used: Collection[tuple[str, int]]
    first_used_at: Mapping[tuple[str, int], datetime]

    def judge(self, entitlement: Entitlement) -> VerdictStatus:
        fare = (self.ticket.ticket_ref, entitlement.fare_index)
        if self._has_run_out(entitlement):
            return VerdictStatus.EXPIRED
        if fare in self.revocations:
            return VerdictStatus.REVOKED
        if not is_at(entitlement, self.at):
            return VerdictStatus.WRONG_PLACE
        wanted = self.at.fare_class
        if wanted is not None and entitlement.class_code != class_code(wanted):
            return VerdictStatus.WRONG_CLASS
        if fare in self.used and not entitlement.is_pass:
            return VerdictStatus.ALREADY_USED
        return VerdictStatus.ACCEPTED

    def _has_run_out(self, entitlement: Entitlement) -> bool:
        """Whether the hours of a pass since its first use are over; who is inside may leave."""
        began = self.first_used_at.get((self.ticket.ticket_ref, entitlement.fare_index))
        if not entitlement.hours or began is None or self.at.is_exit:
            return False
        return self.now >= began + timedelta(hours=entitlement.hours) + CLOCK_TOLERANCE


def is_at(entitlement: Entitlement, at: Checkpoint) -> bool:
    """Whether the entitlement begins (leaving: ends) at the checkpoint's place; a pass: covers it."""
    if entitlement.is_pass:
        if entitlement.area_code == ANY_AREA or at.area_ids is None:
            return True
        return entitlement.area_code in {area_code(at.operator_id, area_id) for area_id in at.area_ids}
    wanted = entitlement.destination_code if at.is_exit else entitlement.origin_code
    if wanted == ANY_PLACE or at.stop_id is None:
        return True
    return wanted == place_code(at.operator_id, at.stop_id)
