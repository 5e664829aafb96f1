"""The rows of identity: accounts, signing keys, sign-in attempts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.gateway.keys import SigningKey
from services.gateway.throttle import Attempts
from services.platform.auth import Role
from services.platform.database import Database, load_queries

queries = load_queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """An open account. `login` is an e-mail address in lower case, or a device's own id."""

    account_id: UUID
    role: Role
    operator_id: str | None
    login: str
    password_hash: str
    display_name: str
    locale: str | None
    created_at: datetime


def _account(row: Any) -> AccountRow | None:
    return None if row is None else AccountRow(**{**row, "role": Role(row["role"])})


class IdentityStore:
    """Reads and writes schema `gateway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert_account(self, tx: Any, account: AccountRow) -> bool:
        """Whether the account was made; False when its login is taken."""
        made = await tx.fetchval(
            queries["insert_account"],
            account.account_id,
            account.role.value,
            account.operator_id,
            account.login,
            account.password_hash,
            account.display_name,
            account.locale,
            account.created_at,
        )
        return made is not None

    async def find_by_login(self, login: str) -> AccountRow | None:
        """The open account of this login."""
        return _account(await self._database.fetchrow(queries["find_by_login"], login))

    async def find_account(self, account_id: UUID) -> AccountRow | None:
        """The open account of this id."""
        return _account(await self._database.fetchrow(queries["find_account"], account_id))

    async def list_staff(self) -> list[AccountRow]:
        """Everybody but travellers."""
        rows = await self._database.fetch(queries["list_staff"])
        return [account for row in rows if (account := _account(row)) is not None]

    async def find_first_admin(self, tx: Any) -> UUID | None:
        """The oldest administrator."""
        found: UUID | None = await tx.fetchval(queries["find_first_admin"])
        return found

    async def change_password_hash(self, account_id: UUID, old: str, new: str) -> None:
        """Keep the same password under newer parameters."""
        await self._database.execute(queries["change_password_hash"], account_id, old, new)

    async def close_account(self, tx: Any, account_id: UUID, now: datetime, roles: list[Role]) -> bool:
        """Remove what is personal; False when there is no such open account among these roles."""
        names = [role.value for role in roles]
        return await tx.fetchval(queries["close_account"], account_id, now, names) is not None

    async def get_current_key(self) -> SigningKey:
        """The key that signs now."""
        row = await self._database.fetchrow(queries["find_current_key"])
        assert row is not None, "start has made a key and rotation never leaves none"
        return SigningKey(**row)

    async def list_valid_keys(self, now: datetime) -> list[SigningKey]:
        """Keys whose tokens may be valid, newest first."""
        return [SigningKey(**row) for row in await self._database.fetch(queries["list_valid_keys"], now)]

    async def ensure_key(self, key: SigningKey, now: datetime) -> None:
        """Make this the current key if there is none."""
        await self._database.execute(queries["insert_key"], key.kid, key.private_key, now)

    async def rotate_key(
        self, key: SigningKey, *, now: datetime, retires_at: datetime, revoke_old: bool
    ) -> None:
        """Make this the current key; the one before verifies until `retires_at`, or no more when revoked."""
        async with self._database.transaction() as tx:
            await tx.execute(queries["lock_keys"])
            await tx.execute(queries["retire_current_key"], retires_at)
            if revoke_old:
                await tx.execute(queries["revoke_old_keys"], now)
            await tx.execute(queries["forget_retired_keys"], now)
            await tx.execute(queries["insert_key"], key.kid, key.private_key, now)

    async def lock_attempts(self, tx: Any, subject: str, now: datetime) -> Attempts:
        """The subject's row, locked until the transaction ends."""
        await tx.execute(queries["ensure_attempt"], subject, now)
        return Attempts(**await tx.fetchrow(queries["lock_attempt"], subject))

    async def save_attempts(self, tx: Any, subject: str, attempts: Attempts) -> None:
        """Write the row back."""
        await tx.execute(queries["save_attempt"], subject, attempts.failure_count, attempts.last_at)

    async def forgive_attempt(self, subject: str, *, all_of_them: bool) -> None:
        """Uncount the try that proved right, or all tries."""
        await self._database.execute(queries["forgive_attempt"], subject, all_of_them)

    async def forget_old_attempts(self, before: datetime) -> None:
        """Delete rows that say nothing any more."""
        await self._database.execute(queries["forget_old_attempts"], before)
