"""The rows of wallets. The balance is not among them: it is the ledger's."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid5

from payments.errors import TopUpNotFound, WalletNotFound
from payments.money import Money
from payments.ports import Payment
from payments.wallets import AutoTopUp, TopUpState, WalletState
from services.platform.database import Database, load_queries

queries = load_queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletRow:
    """A wallet; `auto` is None while the automatic top-up is off."""

    traveller_id: str
    state: WalletState
    opened_at: datetime
    closed_at: datetime | None
    auto: AutoTopUp | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRow:
    """A try to pay from a wallet: started, held, refused, posted or voided."""

    hold_id: UUID
    payment_id: UUID
    wish_version: int
    payer_id: str
    amount: Money
    state: str
    decline_code: str | None
    mandate_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpRow:
    """A top-up with the payment that pays it: by a card that was given, or (automatic) by a kept one."""

    top_up_id: UUID
    traveller_id: str
    amount: Money
    is_automatic: bool
    payment_id: UUID
    payment_method: str | None
    method_id: UUID | None
    state: TopUpState
    decline_code: str | None
    next_action_url: str | None
    requested_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a customer owes for rides and is not collected yet, and whether they may not travel on."""

    owed_minor: int
    is_denied: bool


class WalletStore:
    """The door to the tables of wallets."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def open_wallet(self, traveller_id: str, now: datetime) -> WalletRow:
        """Open a wallet, or open it again."""
        async with self.database.transaction() as tx:
            await tx.execute(queries["insert_customer"], traveller_id)
            await tx.execute(queries["open_wallet"], traveller_id, now)
        return await self.get_wallet(traveller_id)

    async def find_wallet(self, traveller_id: str) -> WalletRow | None:
        """The wallet, or None."""
        row = await self.database.fetchrow(queries["find_wallet"], traveller_id)
        return None if row is None else _wallet_row(row)

    async def get_wallet(self, traveller_id: str) -> WalletRow:
        """Raises WalletNotFound."""
        found = await self.find_wallet(traveller_id)
        if found is None:
            raise WalletNotFound("You have no wallet yet. Open one first.")
        return found

    async def find_standing(self, traveller_id: str) -> Standing:
        """Who never owed anything owes nothing."""
        row = await self.database.fetchrow(queries["find_standing"], traveller_id)
        return Standing(owed_minor=0, is_denied=False) if row is None else Standing(**dict(row))

    async def lock_wallet(self, tx: Any, traveller_id: str) -> WalletRow | None:
        """The wallet, locked until the transaction ends, or None."""
        row = await tx.fetchrow(queries["lock_wallet"], traveller_id)
        return None if row is None else _wallet_row(row)

    async def set_auto_top_up(self, traveller_id: str, auto: AutoTopUp | None) -> None:
        """Switch the automatic top-up on with these settings, or off."""
        terms = (
            (None, None, None)
            if auto is None
            else (auto.threshold_minor, auto.amount_minor, auto.day_ceiling_minor)
        )
        await self.database.execute(queries["set_auto_top_up"], traveller_id, *terms)

    async def find_latest_hold(self, payment_id: UUID) -> HoldRow | None:
        """The last try to pay this payment from a wallet."""
        row = await self.database.fetchrow(queries["find_latest_hold"], payment_id)
        return None if row is None else _hold_row(row)

    async def begin_hold(
        self, tx: Any, payment: Payment, *, wish_version: int, payer_id: str, mandate_id: UUID | None
    ) -> None:
        """Write a try down before the ledger is asked. Two drivers choose the same id: it is there once."""
        await tx.execute(
            queries["insert_hold"],
            uuid5(payment.payment_id, f"wallet:{wish_version}"),
            payment.payment_id,
            wish_version,
            payer_id,
            payment.amount.amount_minor,
            payment.amount.currency,
            mandate_id,
        )

    async def end_hold(self, hold_id: UUID, state: str, decline_code: str | None = None) -> None:
        """What became of a try; one that is over stays as it was."""
        await self.database.execute(queries["end_hold"], hold_id, state, decline_code)

    async def find_refund_amount(self, refund_id: UUID) -> int | None:
        """What a refund was asked for, in minor units, or None."""
        amount: int | None = await self.database.fetchval(queries["find_refund_amount"], refund_id)
        return amount

    async def insert_top_up(self, tx: Any, top_up: TopUpRow, day: date) -> None:
        """A repeat changes nothing."""
        await tx.execute(
            queries["insert_top_up"],
            top_up.top_up_id,
            top_up.traveller_id,
            top_up.amount.amount_minor,
            top_up.is_automatic,
            day,
            top_up.payment_id,
            top_up.payment_method,
            top_up.method_id,
            top_up.requested_at,
        )

    async def get_top_up(self, top_up_id: UUID) -> TopUpRow:
        """Raises TopUpNotFound."""
        row = await self.database.fetchrow(queries["find_top_up"], top_up_id)
        if row is None:
            raise TopUpNotFound("No top-up of yours has this id. List your top-ups to find it.")
        return _top_up_row(row)

    async def find_top_up(self, tx: Any, top_up_id: UUID) -> TopUpRow | None:
        """The top-up, or None."""
        row = await tx.fetchrow(queries["find_top_up"], top_up_id)
        return None if row is None else _top_up_row(row)

    async def list_top_ups(self, traveller_id: str, *, limit: int) -> list[TopUpRow]:
        """The newest first."""
        rows = await self.database.fetch(queries["list_top_ups"], traveller_id, limit)
        return [_top_up_row(row) for row in rows]

    async def sum_paid_top_ups(self, traveller_id: str) -> int:
        """What top-ups have brought into a wallet in all its time."""
        row = await self.database.fetchrow(queries["sum_top_ups"], traveller_id)
        paid_minor: int = row["paid_minor"]
        return paid_minor

    async def sum_accepted_top_ups(self, tx: Any, traveller_id: str) -> int:
        """The same with those that are on their way."""
        row = await tx.fetchrow(queries["sum_top_ups"], traveller_id)
        accepted_minor: int = row["accepted_minor"]
        return accepted_minor

    async def sum_auto_top_ups(self, tx: Any, traveller_id: str, day: date) -> tuple[int, bool]:
        """A day's automatic top-ups that are paid or on their way, and whether one was declined."""
        row = await tx.fetchrow(queries["sum_auto_top_ups"], traveller_id, day)
        return row["today_minor"], row["has_declined"]

    async def end_top_up(self, top_up_id: UUID, state: TopUpState, decline_code: str | None = None) -> None:
        """The top-up is over; one that is over already stays as it was."""
        async with self.database.transaction() as tx:
            traveller_id = await tx.fetchval(queries["end_top_up"], top_up_id, state.value, decline_code)
            if traveller_id is not None and state is TopUpState.PAID:
                await tx.execute(queries["wish_draw"], traveller_id)

    async def wait_for_traveller(self, top_up_id: UUID, url: str | None, seconds: float) -> None:
        """The traveller must act at `url`; it is looked at again after some seconds."""
        await self.database.execute(queries["wait_for_traveller"], top_up_id, url, seconds)

    async def claim_top_ups(self, *, at_once: bool, limit: int) -> list[Any]:
        """Unfinished ones whose time has come, or all of them `at_once`."""
        return await self.database.fetch(queries["claim_top_ups"], at_once, limit)

    async def note_top_up_failure(self, top_up_id: UUID, pause_s: float, error: str) -> None:
        """Try again later."""
        await self.database.execute(queries["note_top_up_failure"], top_up_id, pause_s, error[:500])


def _wallet_row(row: Any) -> WalletRow:
    auto = None
    if row["auto_amount_minor"] is not None:
        auto = AutoTopUp(
            threshold_minor=row["auto_threshold_minor"],
            amount_minor=row["auto_amount_minor"],
            day_ceiling_minor=row["auto_ceiling_minor"],
        )
    return WalletRow(
        traveller_id=row["traveller_id"],
        state=WalletState(row["state"]),
        opened_at=row["opened_at"],
        closed_at=row["closed_at"],
        auto=auto,
    )


def _hold_row(row: Any) -> HoldRow:
    return HoldRow(
        hold_id=row["hold_id"],
        payment_id=row["payment_id"],
        wish_version=row["wish_version"],
        payer_id=row["payer_id"],
        amount=Money(row["amount_minor"], row["currency"]),
        state=row["state"],
        decline_code=row["decline_code"],
        mandate_id=row["mandate_id"],
    )


def _top_up_row(row: Any) -> TopUpRow:
    return TopUpRow(
        top_up_id=row["top_up_id"],
        traveller_id=row["traveller_id"],
        amount=Money(row["amount_minor"]),
        is_automatic=row["is_automatic"],
        payment_id=row["payment_id"],
        payment_method=row["payment_method"],
        method_id=row["method_id"],
        state=TopUpState(row["state"]),
        decline_code=row["decline_code"],
        next_action_url=row["next_action_url"],
        requested_at=row["requested_at"],
    )
