"""The deny list for devices: lost media, and media of customers in debt.

Problem   A gate asks nobody; it must hear early, and cheaply, whom to refuse.
Idea      One row a medium with both reasons and a sequence that is given anew with each change, under one
          lock, so that sequences commit in order: a device asks for what came since. Customers' debts are
          followed from the payments service's own list; a medium linked later inherits its customer's.
Rule      A denied medium's tap that a device accepted offline is recorded and charged like any other.
"""

import asyncio
from datetime import datetime
from typing import Any

from payments.ports import CollectionPort
from services.platform.context import ServiceContext
from services.platform.service import Call
from services.ticketing.travel.models import DeniedMediumList, DeniedMediumView
from services.ticketing.travel.store import queries

FOLLOW_EVERY_S = 2.0
PAGE = 1_000


class Denials:
    """Keeps the deny list, and follows the customers' one."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context

    async def list_changes(self, call: Call) -> DeniedMediumList:
        """What a device has to refuse, or not any more, since it last asked."""
        rows = await self._context.database.fetch(
            queries["list_denied_media"], call.query.since, call.query.limit
        )
        denied = [DeniedMediumView(**dict(row)) for row in rows]
        latest = max((each.sequence for each in denied), default=call.query.since)
        return DeniedMediumList(media=denied, latest=latest)

    async def set_lost(self, tx: Any, medium_ref: str, now: datetime, *, is_lost: bool) -> None:
        """A medium was lost, or found."""
        await tx.execute(queries["lock_denials"])
        await tx.execute(queries["set_lost"], medium_ref, is_lost, now)

    async def set_medium_in_debt(self, tx: Any, medium_ref: str, now: datetime, *, in_debt: bool) -> None:
        """A medium's own customer is in debt, or it has none any more."""
        await tx.execute(queries["lock_denials"])
        await tx.execute(queries["set_medium_in_debt"], medium_ref, in_debt, now)

    async def meet_new_link(self, tx: Any, medium_ref: str, customer_id: str, now: datetime) -> None:
        """A medium that is linked to a customer in debt is denied at once."""
        await tx.execute(queries["lock_denials"])
        if await tx.fetchval(queries["is_customer_in_debt"], customer_id):
            in_debt = True
            await tx.execute(queries["set_medium_in_debt"], medium_ref, in_debt, now)

    async def follow(self) -> None:
        """For ever: take over changes of the customers' deny list."""
        while True:
            while await self.take_over() == PAGE:
                pass
            await asyncio.sleep(FOLLOW_EVERY_S)

    async def take_over(self) -> int:
        """Take over one page of changes; how many."""
        async with self._context.database.transaction() as tx:
            read = await tx.fetchval(queries["get_deny_list_read"])
            port = self._context.ports.get(CollectionPort)
            changes = await port.list_denied(after_sequence=read, limit=PAGE)
            if not changes:
                return 0
            await tx.execute(queries["lock_denials"])
            for each in changes:
                name = "keep_customer_in_debt" if each.is_denied else "drop_customer_in_debt"
                args = (each.customer_id, each.since) if each.is_denied else (each.customer_id,)
                await tx.execute(queries[name], *args)
                await tx.execute(queries["set_in_debt"], each.customer_id, each.is_denied, each.since)
            await tx.execute(queries["set_deny_list_read"], changes[-1].sequence)
            return len(changes)
