"""A ticket holder's telephone in a test: a key, secrets that stay here, and a screen."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from maas.tickets.base45 import decode_base45
from maas.tickets.holder import CodeSecret, binding_statement, registration_statement, show
from maas.tickets.keys import encode_key
from tests.support.counter import Counter


@dataclass
class Phone:
    """What an app keeps. `secrets` and `parts` by ticket id."""

    counter: Counter
    subject: str = "alice"
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    device_id: str = ""
    secrets: dict[str, CodeSecret] = field(default_factory=dict)
    parts: dict[str, bytes] = field(default_factory=dict)

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        return await self.counter.house.call(method, path, subject=self.subject, body=body)

    async def register(self, *, signed_for: str | None = None) -> tuple[int, Any]:
        statement = registration_statement(
            traveller_id=signed_for or self.subject, public_key=self.public_key
        )
        body = {
            "public_key": encode_key(self.public_key),
            "name": "hanako's phone",
            "signature": encode_key(self.key.sign(statement)),
        }
        status, answer = await self.call("POST", "/api/ticket-devices", body)
        self.device_id = answer.get("device_id", "")
        return status, answer

    def binding(self, ticket: Any, *, period_s: int = 30, edition: int | None = None, **changes: Any) -> Any:
        """A request to bind; the secret is kept."""
        window = {
            name: datetime.fromisoformat(changes.get(name, ticket[name]))
            for name in ("valid_from", "valid_until")
        }
        secret = CodeSecret.draw(ticket_ref=ticket["ticket_ref"], period_s=period_s, **window)
        self.secrets[ticket["ticket_id"]] = secret
        wanted = ticket["code"]["edition"] + 1 if edition is None else edition
        statement = binding_statement(
            ticket_id=UUID(ticket["ticket_id"]),
            edition=wanted,
            anchor=secret.anchor,
            period_s=period_s,
            **window,
        )
        body = {
            "device_id": self.device_id,
            "edition": wanted,
            "period_s": period_s,
            "anchor": encode_key(secret.anchor),
            "signature": encode_key(self.key.sign(statement)),
            **{name: instant.isoformat() for name, instant in window.items()},
        }
        return body | changes

    async def bind(self, ticket: Any, **changes: Any) -> tuple[int, Any]:
        body = self.binding(ticket, **changes)
        status, answer = await self.call("POST", f"/api/tickets/{ticket['ticket_id']}/device-code", body)
        if status == 201:
            self.parts[ticket["ticket_id"]] = decode_base45(answer["payload"])
        return status, answer

    async def refresh(self, ticket: Any) -> Any:
        """Fetch the ticket again, with a new signature if there is one."""
        _, answer = await self.call("GET", f"/api/tickets/{ticket['ticket_id']}")
        self.parts[ticket["ticket_id"]] = decode_base45(answer["code"]["payload"])
        return answer

    def screen(self, ticket: Any, now: datetime) -> str:
        return show(self.parts[ticket["ticket_id"]], self.secrets[ticket["ticket_id"]], now)
