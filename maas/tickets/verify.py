"""Judge a ticket: pure, offline, one status by a fixed precedence.

Problem   The device at the gate has a payload, a key list, perhaps old revocations, and its own clock and
          place.
Idea      Questions in a fixed order; the first that fails names the status. Nothing in a payload is believed
          before its signature is. Of several entitlements at this operator the one that gets furthest
          answers.

  malformed      the payload is no ticket
  unknown_key    the key list has no such key
  forged         the key did not sign this
  expired_key    the key was not in force when the ticket's validity began
  not_yet_valid  before the ticket's validity
  expired        after it
  wrong_operator no entitlement here
  revoked        the fare was cancelled
  wrong_place    the entitlement is for another place
  wrong_class    the entitlement is for another class
  already_used   this device has seen it used
  accepted       after the last question the ticket must be let through

Not here  Whether another device has seen it: that is the ticketing service's to know (services/ticketing).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from maas.tickets.keys import KeyList, Revocations
from maas.tickets.ticket import (
    ANY_PLACE,
    Entitlement,
    Ticket,
    TicketMalformed,
    class_code,
    decode_payload,
    operator_code,
    place_code,
)


class VerdictStatus(StrEnum):
    """In precedence; see the module."""

    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown_key"
    FORGED = "forged"
    EXPIRED_KEY = "expired_key"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    WRONG_OPERATOR = "wrong_operator"
    REVOKED = "revoked"
    WRONG_PLACE = "wrong_place"
    WRONG_CLASS = "wrong_class"
    ALREADY_USED = "already_used"
    ACCEPTED = "accepted"


PRECEDENCE = list(VerdictStatus)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where a ticket is judged. `stop_id` or `fare_class` None: not asked. `is_exit`: leaving."""

    operator_id: str
    stop_id: str | None = None
    fare_class: str | None = None
    is_exit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer. `ticket` is None unless its signature is genuine; `entitlement` answered."""

    status: VerdictStatus
    ticket: Ticket | None = None
    entitlement: Entitlement | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the rider may pass."""
        return self.status is VerdictStatus.ACCEPTED


def verify(
    payload: str,
    *,
    keys: KeyList,
    now: datetime,
    at: Checkpoint,
    revocations: Revocations | None = None,
    used: Collection[tuple[str, int]] = (),
) -> Verdict:
    """Judge `payload` at `at`. `used` are (ticket_ref, component_index) that this device has let through."""
    genuine = authenticate(payload, keys=keys)
    ticket = genuine.ticket
    if ticket is None or not genuine.is_accepted:
        return genuine
    if now < ticket.valid_from:
        return Verdict(status=VerdictStatus.NOT_YET_VALID, ticket=ticket)
    if now >= ticket.valid_until:
        return Verdict(status=VerdictStatus.EXPIRED, ticket=ticket)
    here = [each for each in ticket.entitlements if each.operator_code == operator_code(at.operator_id)]
    judged = [(_judge(ticket, each, at, revocations or Revocations(), used), each) for each in here]
    if not judged:
        return Verdict(status=VerdictStatus.WRONG_OPERATOR, ticket=ticket)
    status, entitlement = max(judged, key=lambda found: PRECEDENCE.index(found[0]))
    return Verdict(status=status, ticket=ticket, entitlement=entitlement)


def authenticate(payload: str, *, keys: KeyList) -> Verdict:
    """Whether a payload is a ticket of ours: malformed, unknown_key, forged, expired_key, else accepted."""
    try:
        ticket, signed, signature = decode_payload(payload)
    except TicketMalformed:
        return Verdict(status=VerdictStatus.MALFORMED)
    key = keys.keys.get(ticket.key_id)
    if key is None:
        return Verdict(status=VerdictStatus.UNKNOWN_KEY)
    if not key.has_signed(signature, signed):
        return Verdict(status=VerdictStatus.FORGED)
    if not key.valid_from <= ticket.valid_from < key.valid_until:
        return Verdict(status=VerdictStatus.EXPIRED_KEY, ticket=ticket)
    return Verdict(status=VerdictStatus.ACCEPTED, ticket=ticket)


def _judge(
    ticket: Ticket,
    entitlement: Entitlement,
    at: Checkpoint,
    revocations: Revocations,
    used: Collection[tuple[str, int]],
) -> VerdictStatus:
    fare = (ticket.ticket_ref, entitlement.component_index)
    if fare in revocations:
        return VerdictStatus.REVOKED
    if not is_at(entitlement, at):
        return VerdictStatus.WRONG_PLACE
    if at.fare_class is not None and entitlement.class_code != class_code(at.fare_class):
        return VerdictStatus.WRONG_CLASS
    if fare in used:
        return VerdictStatus.ALREADY_USED
    return VerdictStatus.ACCEPTED


def is_at(entitlement: Entitlement, at: Checkpoint) -> bool:
    """Whether the entitlement begins (leaving: ends) at the checkpoint's place."""
    wanted = entitlement.destination_code if at.is_exit else entitlement.origin_code
    if wanted == ANY_PLACE or at.stop_id is None:
        return True
    return wanted == place_code(at.operator_id, at.stop_id)
