"""What has no counterpart, how long for, and whether somebody must look.

Idea      A movement without an entry, or a capture or refund of ours without a movement, is normal for a
          moment, and an alarm once it is older than its kind may be. The gauges at /metrics and the endpoint
          tell the same; the log line names the oldest.
"""

from dataclasses import dataclass

import structlog
from prometheus_client import Gauge

from services.payments.balance.store import BalanceStore

log = structlog.get_logger()

ALARM_AFTER_S = 86_400.0
"""A day: the provider's listings are complete long before."""
_PATIENT_S = {"refund": 30 * 86_400.0, "payout": 7 * 86_400.0}
"""A refund may be on its way for weeks; a payout waits for its items until it has arrived."""

UNMATCHED = Gauge("maas_payments_unmatched", "Items that one side only knows.", ["kind"])
UNMATCHED_AGE = Gauge("maas_payments_unmatched_oldest_seconds", "Age of the oldest such item.")
UNMATCHED_ALARMS = Gauge("maas_payments_unmatched_alarms", "Such items that are older than they may be.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmatched:
    """An item without a counterpart. `kind`: movement, payment or refund; `what` the provider's word."""

    kind: str
    subject_id: str
    what: str
    amount_minor: int
    why: str
    age_s: float
    is_alarming: bool


async def list_unmatched(store: BalanceStore) -> list[Unmatched]:
    """All of them, oldest first, at most 500."""
    return [
        Unmatched(**row, is_alarming=row["age_s"] > _PATIENT_S.get(row["what"], ALARM_AFTER_S))
        for row in await store.list_unmatched()
    ]


async def show(store: BalanceStore) -> None:
    """Set the gauges, and log when something is older than it may be."""
    items = await list_unmatched(store)
    for kind in ("movement", "payment", "refund"):
        UNMATCHED.labels(kind).set(sum(1 for each in items if each.kind == kind))
    UNMATCHED_AGE.set(max((each.age_s for each in items), default=0.0))
    alarming = [each for each in items if each.is_alarming]
    UNMATCHED_ALARMS.set(len(alarming))
    if alarming:
        oldest = alarming[0]
        log.error(
            "payments_unmatched",
            count=len(alarming),
            kind=oldest.kind,
            subject_id=oldest.subject_id,
            why=oldest.why,
        )
