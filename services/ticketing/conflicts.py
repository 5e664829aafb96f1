"""What gates let through offline and should not have: who was first, and who was too many.

Problem   Two gates without a network both let a copy of one ticket pass; one has not heard that a ticket was
          cancelled. Nothing of that is undone; the operator must be able to see it, and act.
Idea      A tap that a device let through is kept as that, whatever is known by the time it arrives. For each
          ticket of which some tap was refused here but let through there, all that were let through are
          settled by their clocks (maas/tickets/passback.py): the same whichever arrived first.
            ridden    it makes the ride, or is the pass's own
            surplus   somebody too many: the fare was used by another
            void      the fare was cancelled before or after: the ride earns nothing
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from maas.taps import Tap, TapKind
from maas.tickets.layout import decode_payload
from maas.tickets.passback import settle
from services.platform.auth import Role
from services.platform.service import Call, Route
from services.ticketing.models import Instant, Model, TapStatus
from services.ticketing.store import TicketingStore

Outcome = Literal["ridden", "surplus", "void"]


class ConflictQuery(Model):
    """Tickets with a contested tap that arrived at `since` or later, oldest first."""

    since: Instant | None = None
    limit: int = Field(default=100, ge=1, le=1000)


class ContestedTap(Model):
    """A tap that a device let through. `verdict`: what it was told here when it arrived."""

    device_id: str
    sequence: int
    operator_id: str
    stop_id: str
    kind: TapKind
    tapped_at: datetime
    received_at: datetime
    verdict: TapStatus
    outcome: Outcome


class Conflict(Model):
    """A ticket that was let through more often, or longer, than it should; its taps by their clocks."""

    ticket_ref: str
    taps: list[ContestedTap]


class ConflictList(Model):
    """Tickets whose passages were contested."""

    conflicts: list[Conflict]


@dataclass(frozen=True, slots=True)
class Conflicts:
    """The use case behind GET /api/ticketing/conflicts."""

    store: TicketingStore

    async def list_conflicts(self, call: Call) -> ConflictList:
        """What concerns the caller's operator; an administrator sees all."""
        operator_id = None if call.caller.role is Role.ADMIN else call.caller.operator_id or ""
        rows = await self.store.list_contested_taps(operator_id, call.query.since, call.query.limit)
        by_ticket: dict[str, list[Any]] = defaultdict(list)
        for row in rows:
            by_ticket[row["ticket_ref"]].append(row)
        return ConflictList(
            conflicts=[
                Conflict(
                    ticket_ref=ref,
                    # What another operator's devices saw of the ticket is that operator's to know.
                    taps=[
                        tap
                        for tap in _settled(found)
                        if operator_id is None or tap.operator_id == operator_id
                    ],
                )
                for ref, found in by_ticket.items()
            ]
        )


def _settled(rows: list[Any]) -> list[ContestedTap]:
    taps = [_tap(row) for row in rows]
    entitlements = decode_payload(rows[0]["ticket_payload"]).ticket.entitlements
    surplus = {(tap.device_id, tap.sequence) for tap in settle(taps, entitlements).surplus}
    return [_contested(row, is_surplus=(row["device_id"], row["sequence"]) in surplus) for row in rows]


def _contested(row: Any, *, is_surplus: bool) -> ContestedTap:
    outcome: Outcome = "surplus" if is_surplus else "ridden"
    if not is_surplus and row["verdict"] in {"revoked", "revoked_key"}:
        outcome = "void"
    return ContestedTap(
        device_id=row["device_id"],
        sequence=row["sequence"],
        operator_id=row["operator_id"],
        stop_id=row["stop_id"],
        kind=TapKind(row["kind"]),
        tapped_at=row["tapped_at"],
        received_at=row["received_at"],
        verdict=row["verdict"],
        outcome=outcome,
    )


def _tap(row: Any) -> Tap:
    return Tap(
        device_id=row["device_id"],
        sequence=row["sequence"],
        tapped_at=row["tapped_at"],
        kind=TapKind(row["kind"]),
        operator_id=row["operator_id"],
        stop_id=row["stop_id"],
    )


def build_conflict_routes(conflicts: Conflicts) -> Iterable[Route]:
    """The one endpoint."""
    return [
        Route(
            method="GET",
            path="/api/ticketing/conflicts",
            operation="listTicketConflicts",
            handler=conflicts.list_conflicts,
            summary="What devices let through offline and should not have, settled by their clocks",
            tag="ticketing",
            query=ConflictQuery,
            response=ConflictList,
        )
    ]
