"""What an operation works with: the book, the time, the request's id, and a way to tell what happened."""

import secrets
from dataclasses import dataclass

from services.payments.stand_in.book import Book
from services.payments.stand_in.errors import JsonObject

API_VERSION = "2026-10-28.endive"


def new_id(prefix: str) -> str:
    """A fresh id such as `pi_3f...`."""
    return f"{prefix}_{secrets.token_hex(12)}"


@dataclass(slots=True, kw_only=True)
class WebhookWishes:
    """How deliveries misbehave.

    The next `duplicate_count` events go twice, all of them `delay_s` late, and with `reorder` each at a
    random moment of the half second after that.
    """

    duplicate_count: int = 0
    delay_s: float = 0.0
    reorder: bool = False


@dataclass(slots=True, kw_only=True)
class Desk:
    """The surroundings of one request."""

    book: Book
    now: float
    base_url: str
    wishes: WebhookWishes
    request_id: str
    idempotency_key: str | None = None

    @property
    def created(self) -> int:
        """The time as the API shows it: whole seconds."""
        return int(self.now)

    def emit(self, event_type: str, item: JsonObject) -> None:
        """Record an event with the object as it is now, and its deliveries."""
        endpoints = [each for each in self.book.list_all("webhook_endpoint") if _wants(each, event_type)]
        event = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.created,
            "data": {"object": item},
            "livemode": False,
            "pending_webhooks": len(endpoints),
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": event_type,
        }
        self.book.put(event)
        for endpoint in endpoints:
            for _ in range(self._copies()):
                self.book.add_delivery(str(event["id"]), endpoint["id"], self._due_at())

    def _copies(self) -> int:
        if self.wishes.duplicate_count <= 0:
            return 1
        self.wishes.duplicate_count -= 1
        return 2

    def _due_at(self) -> float:
        spread_s = secrets.randbelow(500) / 1000 if self.wishes.reorder else 0.0
        return self.now + self.wishes.delay_s + spread_s


def _wants(endpoint: JsonObject, event_type: str) -> bool:
    enabled = endpoint["enabled_events"]
    return endpoint["status"] == "enabled" and ("*" in enabled or event_type in enabled)
