"""The first administrator of a new house, and the token that the command line uses.

Problem   somebody must be able to sign in before anybody exists, and no secret may be the same in two houses.
Idea      a generated password is written to `admin.json` before the account is made from it, so that a start
          killed in between finishes next time. `admin.token` is written anew at each start and rotation.
"""

import asyncio
import json
import secrets
from pathlib import Path
from uuid import uuid4

from services.gateway.handlers import Identity
from services.gateway.keys import ADMIN_TOKEN_LIFE
from services.gateway.passwords import Passwords
from services.gateway.store import AccountRow, IdentityStore
from services.platform.auth import Principal, Role
from services.platform.context import ServiceContext
from services.platform.embedded.folder import write_durably

ADMIN_EMAIL = "admin@localhost"
ADMIN_LOCK = 0x41444D494E  # "ADMIN": two gateways that start at once make one administrator


class FirstAdmin:
    """Makes the administrator and the token file."""

    def __init__(self, context: ServiceContext, identity: Identity) -> None:
        self._context = context
        self._identity = identity
        self._store = IdentityStore(context.database)

    async def ensure(self) -> None:
        """Make the first administrator where there is none, and write the token file."""
        async with self._context.database.transaction() as tx:
            await tx.execute("select pg_advisory_xact_lock($1)", ADMIN_LOCK)
            if await self._store.find_first_admin(tx) is None:
                password = await asyncio.to_thread(keep_password, self._context.data_dir / "admin.json")
                await self._store.insert_account(tx, await self._row(password))
        await self.write_token()

    async def _row(self, password: str) -> AccountRow:
        return AccountRow(
            account_id=uuid4(),
            role=Role.ADMIN,
            operator_id=None,
            login=ADMIN_EMAIL,
            password_hash=await Passwords().hash(password),
            display_name="Administrator",
            locale="en",
            created_at=self._context.clock.now(),
        )

    async def write_token(self) -> None:
        """Write `admin.token`, signed by the current key."""
        async with self._context.database.transaction() as tx:
            account_id = await self._store.find_first_admin(tx)
        assert account_id is not None, "the last administrator cannot be removed"
        now = self._context.clock.now()
        token = await self._identity.sign(
            Principal(subject=str(account_id), role=Role.ADMIN),
            issued_at=now,
            expires_at=now + ADMIN_TOKEN_LIFE,
        )
        await asyncio.to_thread(_write, self._context.data_dir / "admin.token", token)


def keep_password(path: Path) -> str:
    """The password in the file, or a new one written there."""
    if path.exists():
        return str(json.loads(path.read_text(encoding="utf-8"))["password"])
    password = secrets.token_urlsafe(18)
    _write(path, json.dumps({"email": ADMIN_EMAIL, "password": password}))
    return password


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, text)
