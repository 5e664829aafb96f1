"""The traveller's telephone: a key, a secret for each ticket, and a code that moves by the city's clock."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from maas.tickets.base45 import decode_base45
from maas.tickets.holder import CodeSecret, binding_statement, registration_statement, show
from maas.tickets.keys import encode_key
from maas.tickets.moving_code import DEFAULT_PERIOD_S
from services.demo.client import Client


@dataclass(slots=True)
class Phone:
    """What an app would keep. Nothing of `key` and `secrets` leaves it."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    device_id: str = ""
    secrets: dict[str, CodeSecret] = field(default_factory=dict)
    parts: dict[str, bytes] = field(default_factory=dict)

    async def register(self, client: Client, name: str) -> None:
        """Become a device of the signed-in traveller."""
        me = await client.get("/api/identity/me")
        public_key = self.key.public_key().public_bytes_raw()
        statement = registration_statement(traveller_id=me["account_id"], public_key=public_key)
        body = {
            "public_key": encode_key(public_key),
            "name": name,
            "signature": encode_key(self.key.sign(statement)),
        }
        self.device_id = (await client.post("/api/ticket-devices", body))["device_id"]

    async def take(self, client: Client, ticket: Any) -> None:
        """Have a ticket bound to this telephone. What was shown of it before counts no more."""
        starts, ends = (datetime.fromisoformat(ticket[name]) for name in ("valid_from", "valid_until"))
        secret = CodeSecret.draw(
            ticket_ref=ticket["ticket_ref"], valid_from=starts, valid_until=ends, period_s=DEFAULT_PERIOD_S
        )
        edition = ticket["code"]["edition"] + 1
        statement = binding_statement(
            ticket_id=UUID(ticket["ticket_id"]),
            edition=edition,
            valid_from=starts,
            valid_until=ends,
            period_s=DEFAULT_PERIOD_S,
            anchor=secret.anchor,
        )
        body = {
            "device_id": self.device_id,
            "edition": edition,
            "valid_from": starts.isoformat(),
            "valid_until": ends.isoformat(),
            "period_s": DEFAULT_PERIOD_S,
            "anchor": encode_key(secret.anchor),
            "signature": encode_key(self.key.sign(statement)),
        }
        code = await client.post(f"/api/tickets/{ticket['ticket_id']}/device-code", body)
        self.secrets[ticket["ticket_id"]] = secret
        self.parts[ticket["ticket_id"]] = decode_base45(code["payload"])

    def screen(self, ticket: Any, now: datetime) -> str:
        """What its screen shows of a ticket now."""
        return show(self.parts[ticket["ticket_id"]], self.secrets[ticket["ticket_id"]], now)
