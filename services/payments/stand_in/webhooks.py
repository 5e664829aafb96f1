"""Signed deliveries of events, tried again until the endpoint takes them.

Source    https://docs.stripe.com/webhooks/signature: HMAC-SHA256 of `{t}.{body}` with the endpoint's secret.
"""

import asyncio
import hashlib
import hmac

import aiohttp
import orjson

from services.payments.stand_in.book import Book, Delivery
from services.platform.clock import Clock

ATTEMPTS_MAX = 16
_PAUSE_S_MAX = 60.0
_IDLE_S = 5.0
_BATCH = 50


def sign(body: bytes, *, secret: str, at: int) -> str:
    """The Stripe-Signature header for a body sent at `at` (seconds)."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"


class Deliverer:
    """Sends what is due, in a loop."""

    def __init__(self, book: Book, clock: Clock, *, timeout_s: float = 5.0) -> None:
        self._book = book
        self._clock = clock
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something may be due."""
        self._wake.set()

    async def run(self) -> None:
        """For ever: send what is due, sleep until the next is."""
        async with aiohttp.ClientSession(timeout=self._timeout) as session:
            while True:
                self._wake.clear()
                for delivery in self._book.list_due(self._now(), _BATCH):
                    await self._send(session, delivery)
                await self._sleep()

    async def _sleep(self) -> None:
        due_at = self._book.next_due_at()
        pause_s = _IDLE_S if due_at is None else min(_IDLE_S, max(0.0, due_at - self._now()))
        try:
            async with asyncio.timeout(pause_s):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _send(self, session: aiohttp.ClientSession, delivery: Delivery) -> None:
        event, endpoint = self._book.find(delivery.event_id), self._book.find(delivery.endpoint_id)
        if event is None or endpoint is None:
            self._book.note_delivery(delivery.delivery_id, state="given_up", due_at=self._now())
            return
        body = orjson.dumps(event)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": sign(body, secret=endpoint["secret"], at=int(self._now())),
        }
        taken = await self._post(session, endpoint["url"], body, headers)
        self._note(delivery, taken=taken)

    async def _post(
        self, session: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]
    ) -> bool:
        try:
            async with session.post(url, data=body, headers=headers) as response:
                return response.ok
        except (aiohttp.ClientError, TimeoutError):
            return False

    def _note(self, delivery: Delivery, *, taken: bool) -> None:
        if taken:
            self._book.note_delivery(delivery.delivery_id, state="delivered", due_at=self._now())
            return
        state = "given_up" if delivery.attempts + 1 >= ATTEMPTS_MAX else "waiting"
        pause_s = min(_PAUSE_S_MAX, 0.5 * 2**delivery.attempts)
        self._book.note_delivery(delivery.delivery_id, state=state, due_at=self._now() + pause_s)

    def _now(self) -> float:
        return self._clock.now().timestamp()
