"""A checking device, but for its camera and its disk: what it knows, remembers and answers.

Problem   A gate, a bus or an inspector must accept or refuse for three days without a network, in a fraction
          of the time that people notice, must not be shown the same code twice, and must be able to account
          for every person it has let through.
Idea      Three things in, one out, nothing else touched:
            Lists       keys, revocations, uses: fetched when there is a network, taken in as differences
            Memory      the taps of a ticket that this device (or its station) has let through
            Scan        what was shown, where, when, at which device
            Decision    the verdict, and, when accepted, the tap to remember before the gate opens and to
                        send to the service when there is a network
          The device keeps its memory as it likes: `recall` gives what it has of one ticket.
Bounds    Lists older than 72 hours are used on, and the decision says so: a queue at a gate is worse than a
          cancelled ticket. Without any key list every ticket is `unknown_key`.
Not here  Files, networks, clocks: services/cli keeps lists and memory for `maas validate`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from maas.taps import Tap, TapKind
from maas.tickets.keys import KeyList
from maas.tickets.messages import message_for
from maas.tickets.moving_code import MovingCode
from maas.tickets.passback import judge_use
from maas.tickets.revocations import Revocations, Uses
from maas.tickets.ticket import Ticket
from maas.tickets.verify import Checkpoint, Verdict, VerdictStatus, verify

OVERDUE_AFTER = timedelta(hours=72)
SECOND_TRY = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """What a device has fetched. `fetched_at` None: never."""

    keys: KeyList = field(default_factory=KeyList.of)
    revocations: Revocations = field(default_factory=Revocations)
    uses: Uses = field(default_factory=Uses)
    fetched_at: datetime | None = None

    def are_overdue(self, now: datetime) -> bool:
        """Whether a network should be found."""
        return self.fetched_at is None or now - self.fetched_at > OVERDUE_AFTER


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCode:
    """The latest moving code of an edition that was let through, and where and when."""

    edition: int
    slot: int
    tap: Tap


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What a device has let through of one ticket."""

    taps: tuple[Tap, ...] = ()
    edition: int = 0
    code: SeenCode | None = None

    def after(self, ticket: Ticket, tap: Tap, moment: MovingCode | None) -> "Remembered":
        """With one acceptance more."""
        code = self.code
        if moment is not None:
            code = SeenCode(edition=ticket.edition, slot=moment.slot, tap=tap)
        return Remembered(taps=(*self.taps, tap), edition=max(self.edition, ticket.edition), code=code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A code as it was shown. (device_id, sequence) names the tap for ever; `payload` is the code's text."""

    payload: str
    device_id: str
    sequence: int
    tapped_at: datetime
    kind: TapKind
    at: Checkpoint

    @property
    def tap(self) -> Tap:
        """As it is remembered and sent."""
        return Tap(
            device_id=self.device_id,
            sequence=self.sequence,
            tapped_at=self.tapped_at,
            kind=self.kind,
            operator_id=self.at.operator_id,
            stop_id=self.at.stop_id or "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer to a scan. `remembered` is what to keep of the ticket, None when it was refused."""

    verdict: Verdict
    are_lists_overdue: bool
    remembered: Remembered | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the gate opens."""
        return self.verdict.is_accepted

    @property
    def messages(self) -> dict[str, str]:
        """What the inspector and the rider read, by language."""
        return message_for(self.verdict.status)


def decide(scan: Scan, *, lists: Lists, recall: Callable[[str], Remembered]) -> Decision:
    """Accept or refuse. `recall(ticket_ref)` gives what the device has let through of a ticket."""
    overdue = lists.are_overdue(scan.tapped_at)
    verdict = verify(
        scan.payload,
        keys=lists.keys,
        now=scan.tapped_at,
        at=scan.at,
        revocations=lists.revocations,
        # Who leaves has used the fare by entering.
        used=() if scan.at.is_exit else lists.uses.first_used_at.keys(),
        first_used_at=lists.uses.first_used_at,
    )
    ticket = verdict.ticket
    if ticket is None or not verdict.is_accepted:
        return Decision(verdict=verdict, are_lists_overdue=overdue)
    remembered = recall(ticket.ticket_ref)
    status = _judge_memory(scan, verdict, ticket, remembered)
    if status is not VerdictStatus.ACCEPTED:
        refused = Verdict(
            status=status, ticket=ticket, entitlement=verdict.entitlement, moment=verdict.moment
        )
        return Decision(verdict=refused, are_lists_overdue=overdue)
    kept = remembered.after(ticket, scan.tap, verdict.moment)
    return Decision(verdict=verdict, are_lists_overdue=overdue, remembered=kept)


def _judge_memory(scan: Scan, verdict: Verdict, ticket: Ticket, remembered: Remembered) -> VerdictStatus:
    entitlement = verdict.entitlement
    assert entitlement is not None, "an accepted ticket was accepted for something"
    if ticket.edition < remembered.edition:
        return VerdictStatus.SUPERSEDED
    if _is_replay(scan, ticket, verdict.moment, remembered.code):
        return VerdictStatus.REPLAYED
    return judge_use(
        scan.tap, entitlement=entitlement, entitlements=ticket.entitlements, earlier=remembered.taps
    )


def _is_replay(scan: Scan, ticket: Ticket, moment: MovingCode | None, seen: SeenCode | None) -> bool:
    """Whether a code of this period or a later one was let through already.

    At the same device within two minutes it is the holder trying again, whom the use of the fare answers.
    """
    if moment is None or seen is None or seen.edition != ticket.edition or moment.slot > seen.slot:
        return False
    is_second_try = seen.tap.device_id == scan.device_id and scan.tapped_at - seen.tap.tapped_at < SECOND_TRY
    return not is_second_try
