"""The rows of kept cards.

Invariant A row is saved only over the version it was read at. A customer has at most one default card.
"""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from payments.errors import SavedMethodNotFound
from payments.ports import SavedMethod, SavedMethodState
from services.payments.store import LOOK_AGAIN_S, TAKE_UP_S, pause_s
from services.platform.database import Database, load_queries

queries = load_queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodRow:
    """A card with what only this service knows of it. Not `is_wanted`: the customer has let it go."""

    method: SavedMethod
    given_method: str
    setup_id: str | None
    is_wanted: bool
    version: int
    attempts: int

    @property
    def is_settled(self) -> bool:
        """Nothing is left for us to do now."""
        if not self.is_wanted:
            return self.method.state in (SavedMethodState.DETACHED, SavedMethodState.FAILED)
        return self.method.state is not SavedMethodState.SETTING_UP


class MethodsStore:
    """The door to the tables of kept cards."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_customer(self, customer_id: str) -> str | None:
        """The provider's customer of ours, or None."""
        found: str | None = await self._database.fetchval(queries["find_customer"], customer_id)
        return found

    async def insert_customer(self, customer_id: str) -> None:
        """Make a customer known; a repeat changes nothing."""
        await self._database.execute(queries["insert_customer"], customer_id)

    async def save_customer(self, customer_id: str, provider_id: str) -> str:
        """Keep the provider's customer; returns the one that was kept first."""
        kept: str = await self._database.fetchval(queries["save_customer"], customer_id, provider_id)
        return kept

    async def insert_method(self, method_id: UUID, customer_id: str, given_method: str) -> None:
        """Make a card known; a repeat changes nothing."""
        await self._database.execute(queries["insert_method"], method_id, customer_id, given_method)

    async def get_method(self, method_id: UUID) -> MethodRow:
        """The card. Raises SavedMethodNotFound."""
        row = await self._database.fetchrow(queries["find_method"], method_id)
        if row is None:
            raise SavedMethodNotFound(f"No kept card has the id {method_id}. List the customer's cards.")
        return _method_row(row)

    async def find_id(self, *, setup_id: str | None = None, payment_method: str | None = None) -> UUID | None:
        """Our id of the provider's setup or card, or None."""
        name = "find_method_by_setup" if setup_id else "find_method_by_provider_id"
        found: UUID | None = await self._database.fetchval(queries[name], setup_id or payment_method)
        return found

    async def find_owner(self, payment_method: str, customer_id: str) -> str | None:
        """The provider's customer when this card is kept, ready, for this customer of ours."""
        found: str | None = await self._database.fetchval(queries["find_owner"], payment_method, customer_id)
        return found

    async def list_methods(self, customer_id: str) -> list[SavedMethod]:
        """A customer's cards that are not let go, the default first."""
        rows = await self._database.fetch(queries["list_methods"], customer_id)
        return [_method_row(row).method for row in rows]

    async def save_method(self, row: MethodRow) -> MethodRow | None:
        """The row at its new version, or None when somebody else has written it since."""
        method = row.method
        async with self._database.transaction() as tx:
            await tx.execute(queries["lock_customer"], method.customer_id)
            version = await tx.fetchval(
                queries["save_method"],
                method.method_id,
                row.version,
                method.state.value,
                row.setup_id,
                method.payment_method,
                method.brand,
                method.last4,
                method.exp_month,
                method.exp_year,
                method.failure,
                _next_look_s(row),
                method.next_action_url,
            )
        return None if version is None else replace(row, version=version)

    async def let_go(self, row: MethodRow) -> None:
        """The customer does not want it any more; another becomes the default."""
        method = row.method
        async with self._database.transaction() as tx:
            await tx.execute(queries["lock_customer"], method.customer_id)
            await tx.execute(queries["want_detached"], method.method_id)
            await tx.execute(queries["default_another"], method.customer_id)

    async def set_default(self, method_id: UUID, customer_id: str) -> None:
        """Charge this card when nobody is asked."""
        async with self._database.transaction() as tx:
            await tx.execute(queries["lock_customer"], customer_id)
            await tx.execute(queries["choose_default"], customer_id, method_id)
            await tx.execute(queries["set_default"], customer_id, method_id)

    async def rest(self, row: MethodRow) -> None:
        """There was nothing to do at this version of the row."""
        await self._database.execute(
            queries["rest_method"], row.method.method_id, row.version, _next_look_s(row)
        )

    async def note_failure(self, row: MethodRow, error: str) -> None:
        """Try again later, and later each time."""
        await self._database.execute(
            queries["note_method_failure"],
            row.method.method_id,
            row.version,
            pause_s(row.attempts),
            error[:500],
        )

    async def claim(self, *, at_once: bool, limit: int) -> list[UUID]:
        """Unfinished cards whose time has come, or all of them `at_once`."""
        rows = await self._database.fetch(queries["claim_methods"], at_once, limit)
        return [row["method_id"] for row in rows]


def _next_look_s(row: MethodRow) -> float | None:
    if not row.is_settled:
        return TAKE_UP_S
    return LOOK_AGAIN_S if row.method.state is SavedMethodState.REQUIRES_ACTION else None


def _method_row(row: Any) -> MethodRow:
    method = SavedMethod(
        method_id=row["method_id"],
        customer_id=row["customer_id"],
        state=SavedMethodState(row["state"]),
        is_default=row["is_default"],
        payment_method=row["payment_method"],
        brand=row["brand"],
        last4=row["last4"],
        exp_month=row["exp_month"],
        exp_year=row["exp_year"],
        failure=row["failure"],
        next_action_url=row["next_action_url"],
    )
    return MethodRow(
        method=method,
        given_method=row["given_method"],
        setup_id=row["setup_id"],
        is_wanted=row["is_wanted"],
        version=row["version"],
        attempts=row["attempts"],
    )
