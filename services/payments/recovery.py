"""Nothing is forgotten: what a crash, a silent provider or a webhook left to do is done here.

Idea      Unfinished rows carry the time of their next try. The worker claims what is due (others skip it),
          drives it, and on failure writes down why and tries later, and later each time. At its start
          it takes up everything at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import structlog

from payments.ports import RefundState
from services.payments.books import Books
from services.payments.drive import PaymentDriver
from services.payments.provider import News
from services.payments.refunding import RefundDriver
from services.payments.store import PaymentsStore

log = structlog.get_logger()

_IDLE_S = 2.0
_BATCH = 50


class Room(Protocol):
    """A part of this service with unfinished work of its own, and an ear for the provider's objects."""

    async def step(self, *, at_once: bool = False) -> int:
        """Do what is due, or everything `at_once`; returns how much it was."""

    async def hear(self, kind: str, object_id: str) -> None:
        """The provider tells of this object: look where it is."""


class Recovery:
    """The worker that drives unfinished payments and refunds, and acts on webhooks.

    `rooms` have their turn after these; `ears` says which room hears of which kind of the provider's objects.
    """

    def __init__(
        self,
        *,
        store: PaymentsStore,
        books: Books,
        payments: PaymentDriver,
        refunds: RefundDriver,
        rooms: Sequence[Room] = (),
        ears: Mapping[str, Room] | None = None,
    ) -> None:
        self._rooms = rooms
        self._ears = ears or {}
        self._store = store
        self._books = books
        self._payments = payments
        self._refunds = refunds
        self._wake = asyncio.Event()

    async def recover_payments(self) -> None:
        """For ever: take up what is due; at the start, everything."""
        await self._books.open()
        await self.step(at_once=True)
        while True:
            if await self.step() < _BATCH:
                await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_IDLE_S):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def keep(self, news: News) -> bool:
        """Keep an event of the provider for the next step; False when it came before."""
        payment_id, refund_id = news.payment_id, news.refund_id
        if payment_id is None and news.provider_id is not None:
            payment_id = await self._store.find_payment_id(news.provider_id)
        if refund_id is None and news.provider_refund_id is not None:
            refund_id = await self._store.find_refund_id(news.provider_refund_id)
        is_heard = news.object_kind in self._ears and news.object_id is not None
        fresh = await self._store.insert_webhook(news, payment_id, refund_id, is_heard=is_heard)
        self._wake.set()
        return fresh

    async def step(self, *, at_once: bool = False) -> int:
        """Do what is due, or everything unfinished `at_once`; returns how much it was at most of a kind."""
        counts = [
            await self.act_on_webhooks(at_once=at_once),
            await self._take_up("payments", self._drive_payment, self._note_payment, at_once=at_once),
            await self._take_up("refunds", self._drive_refund, self._note_refund, at_once=at_once),
        ]
        counts += [await room.step(at_once=at_once) for room in self._rooms]
        return max(counts)

    async def act_on_webhooks(self, *, at_once: bool = False) -> int:
        """Look at the payments and refunds that kept events speak of."""
        return await self._take_up("webhooks", self._act_on_webhook, self._note_webhook, at_once=at_once)

    async def _take_up(
        self,
        what: str,
        act: Callable[[Any], Awaitable[object]],
        note: Callable[[Any, str], Awaitable[None]],
        *,
        at_once: bool,
    ) -> int:
        rows = await self._store.claim(what, at_once=at_once, limit=_BATCH)
        for row in rows:
            await self._try(row, act, note)
        return len(rows)

    async def _try(
        self,
        row: Any,
        act: Callable[[Any], Awaitable[object]],
        note: Callable[[Any, str], Awaitable[None]],
    ) -> None:
        try:
            await act(row)
        except Exception as error:  # noqa: BLE001 - one bad row must not stop the others; the row keeps the cause
            log.warning("payment_recovery_failed", error=type(error).__name__, attempts=row["attempts"])
            await note(row, f"{type(error).__name__}: {error}")

    async def _act_on_webhook(self, row: Any) -> None:
        if row["payment_id"] is not None and await self._store.has_payment(row["payment_id"]):
            await self._payments.look(row["payment_id"])
        if row["refund_id"] is not None and await self._store.find_refund(row["refund_id"]) is not None:
            await self._refunds.look(row["refund_id"])
        if row["object_id"] is not None and row["object_kind"] in self._ears:
            await self._ears[row["object_kind"]].hear(row["object_kind"], row["object_id"])
        await self._store.finish_webhook(row["event_id"])

    async def _drive_payment(self, row: Any) -> None:
        await self._store.rest_payment(await self._payments.look(row["payment_id"]))

    async def _drive_refund(self, row: Any) -> None:
        """A paid one is taken up only when the provider's balance shows that it came back."""
        refund_id = row["refund_id"]
        known = await self._store.get_refund(refund_id)
        is_paid = known.refund.state is RefundState.SUCCEEDED
        go_on = self._refunds.look if is_paid else self._refunds.drive
        await self._store.rest_refund(await go_on(refund_id))

    async def _note_webhook(self, row: Any, error: str) -> None:
        await self._store.note_webhook_failure(row["event_id"], row["attempts"], error)

    async def _note_payment(self, row: Any, error: str) -> None:
        await self._store.note_payment_failure(await self._store.get_payment(row["payment_id"]), error)

    async def _note_refund(self, row: Any, error: str) -> None:
        await self._store.note_refund_failure(await self._store.get_refund(row["refund_id"]), error)
