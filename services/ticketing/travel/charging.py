"""What was decided is charged, and what operators earn of it is told: once, whenever the worker dies.

Problem   The charge is another service's, the earning a third one's, and a crash may fall between any two.
Idea      Charges are decided with the rating (rating.py). The worker claims some thousands (SKIP LOCKED),
          has them charged in one call, and in the claiming transaction marks them and appends
          `TravelEarned`, one for each service day. Killed before the commit, the same ids are charged again,
          which changes nothing, and the event is appended by the one transaction that commits.
Rule      A charge comes before its earning, so that unearned fares are never overdrawn. What a customer id
          that the payments service refuses would owe earns nobody anything; it stays as `refused`, for a
          person to look at.
Invariant Charged of a medium, day and customer = the sum of its charges that are `posted`.
"""

import asyncio
import gc
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any
from uuid import UUID, uuid5

import structlog

from maas.account_travel.policy import TravelPolicy
from maas.events import TravelEarned
from payments.money import yen
from payments.ports import Charge, ChargeStatus, CollectionPort
from services.platform.context import ServiceContext
from services.ticketing.travel.media import medium_id_of
from services.ticketing.travel.store import queries

log = structlog.get_logger()

IDLE_S = 1.0
SET_SIZE = 5_000
_DONE = frozenset({ChargeStatus.RECORDED, ChargeStatus.EXISTS})


@contextmanager
def collector_paused() -> Iterator[None]:
    """No search for cycles while a set of thousands is worked on.

    Everything in it is freed by its count; searching it again and again costs a third of the work.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Charger:
    """The worker that tells the payments service what was decided."""

    def __init__(self, context: ServiceContext, policy: TravelPolicy, *, set_size: int = SET_SIZE) -> None:
        self._context = context
        self._policy = policy
        self._set_size = set_size
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Look for charges soon."""
        self._news.set()

    async def run(self) -> None:
        """For ever: post all that is decided, then wait for more."""
        while True:
            self._news.clear()
            while await self.charge_some():
                pass
            try:
                async with asyncio.timeout(IDLE_S):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def charge_some(self) -> int:
        """Tell one set of charges; how many. 0 when none is waiting."""
        with collector_paused():
            return await self._charge_some()

    async def _charge_some(self) -> int:
        async with self._context.database.transaction() as tx:
            rows = await tx.fetch(queries["claim_charges"], self._set_size)
            if not rows:
                return 0
            statuses = await self._charge(rows)
            refused = [
                row for row in rows if statuses.get(row["charge_id"], ChargeStatus.EXISTS) not in _DONE
            ]
            for row in refused:
                log.error("travel_charge_refused", charge_id=str(row["charge_id"]))
            refused_ids = {row["charge_id"] for row in refused}
            posted = [row for row in rows if row["charge_id"] not in refused_ids]
            await tx.execute(queries["mark_charges"], [row["charge_id"] for row in posted], "posted")
            await tx.execute(queries["mark_charges"], list(refused_ids), "refused")
            await self._context.outbox.append(tx, *self._list_earned(posted))
        return len(rows)

    async def _charge(self, rows: Iterable[Any]) -> dict[UUID, ChargeStatus]:
        charges = [_charge_of(row) for row in rows if row["amount_minor"]]
        if not charges:
            return {}
        statuses = await self._context.ports.get(CollectionPort).charge(charges=charges)
        return {each.charge_id: status for each, status in zip(charges, statuses, strict=True)}

    def _list_earned(self, rows: Iterable[Any]) -> list[TravelEarned]:
        now = self._context.clock.now()
        first: dict[date, UUID] = {}
        earned: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        taken_back: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for row in rows:
            day = row["service_date"]
            first.setdefault(day, row["charge_id"])
            for operator_id, share in zip(row["operator_ids"], row["shares_minor"], strict=True):
                if share > 0:
                    earned[day][operator_id] += share
                elif share < 0:
                    taken_back[day][operator_id] -= share
        return [
            TravelEarned(
                earning_id=uuid5(charge_id, "earned"),
                service_date=day,
                ridden_at=self._policy.clock.start_of(day),
                earned_at=now,
                earned=dict(earned[day]),
                taken_back=dict(taken_back[day]),
            )
            for day, charge_id in sorted(first.items())
            if earned[day] or taken_back[day]
        ]


def _charge_of(row: Any) -> Charge:
    return Charge(
        charge_id=row["charge_id"],
        customer_id=row["customer_id"],
        amount=yen(row["amount_minor"]),
        reference=f"travel:{medium_id_of(row['medium_ref'])}/{row['service_date']}",
        service_date=row["service_date"],
        ride_minor_max=row["ride_minor_max"],
    )
