"""Pay operators through the provider: OperatorPayoutsPort, in this process.

Problem   What an operator is owed is made of many captures, most of which are not available yet at the
          provider; a transfer beyond the balance fails unless it names its capture.
Idea      A payout is planned once, as parts: each names a capture with money left, oldest first, and takes at
          most that; what no capture covers comes from the available balance, or waits for it. The plan is
          saved before the first call; each part is one call under its own key, looked for before it is made
          again. The ledger follows the provider's movements (balance/), one entry a transfer.
Rule      A reversal takes every part back; the money is then in settlement's clearing again.
Source    facts on payments, rule 20.
"""

from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

import structlog

from payments.errors import OperatorPayoutNotFound, PaymentCommandDiffers, PaymentsError, ProviderRefused
from payments.ports import OperatorAccount, OperatorPayout, OperatorPayoutState
from services.payments.calls import run_call
from services.payments.connect.provider import AccountReport, ConnectProvider
from services.payments.store import PaymentsStore, pause_s
from services.platform.context import ServiceContext
from services.platform.database import load_queries

log = structlog.get_logger()
queries = load_queries(__file__)

_BATCH = 50
_CHARGES_MAX = 5_000
_GO_ON_S = 30.0


class ConnectHandlers:
    """The local adapter of OperatorPayoutsPort, and the worker's door to unfinished payouts."""

    def __init__(self, *, context: ServiceContext, calls: PaymentsStore, provider: ConnectProvider) -> None:
        self._context = context
        self._database = context.database
        self._calls = calls
        self._provider = provider

    async def open_account(self, *, operator_id: str, return_url: str) -> OperatorAccount:
        """As OperatorPayoutsPort."""
        account = await self._look(operator_id)
        if account.can_receive:
            return OperatorAccount(operator_id=operator_id, can_receive=True)
        link = await self._provider.create_link(account_id=account.account_id, return_url=return_url)
        return OperatorAccount(operator_id=operator_id, can_receive=False, onboarding_url=link.url)

    async def pay_operator(self, *, payout_id: UUID, operator_id: str, amount_minor: int) -> OperatorPayout:
        """As OperatorPayoutsPort."""
        await self._database.execute(queries["insert_payout"], payout_id, operator_id, amount_minor)
        row = await self._get(payout_id)
        if (row["operator_id"], row["amount_minor"]) != (operator_id, amount_minor):
            raise PaymentCommandDiffers(f"Payout {payout_id} is of another operator or amount.")
        return await self._try(row)

    async def reverse_payout(self, *, payout_id: UUID) -> OperatorPayout:
        """As OperatorPayoutsPort."""
        row = await self._get(payout_id)
        if row["state"] == "paid":
            await self._database.execute(queries["set_payout"], payout_id, "reversing", _GO_ON_S)
        return await self._try(await self._get(payout_id))

    async def hear(self, kind: str, object_id: str) -> None:
        """The provider tells of an operator's account: look where it is."""
        assert kind == "account", "transfers are heard of by their movements"
        operator_id = await self._database.fetchval(queries["find_operator_of"], object_id)
        if operator_id is not None:
            await self._look(operator_id)
            await self.step(at_once=True)

    async def step(self, *, at_once: bool = False) -> int:
        """Go on with what is due; returns how many payouts that were."""
        rows = await self._database.fetch(queries["claim_payouts"], at_once, _BATCH)
        for row in rows:
            await self._try(await self._get(row["payout_id"]))
        return len(rows)

    async def _get(self, payout_id: UUID) -> Any:
        row = await self._database.fetchrow(queries["find_payout"], payout_id)
        if row is None:
            raise OperatorPayoutNotFound(f"No payout to an operator has the id {payout_id}.")
        return row

    async def _try(self, row: Any) -> OperatorPayout:
        """Drive it as far as it goes now; what stands in the way is written down, and tried later."""
        try:
            await self._drive(row)
        except PaymentsError as error:
            log.warning("operator_payout_waits", error=type(error).__name__, attempts=row["attempts"])
            await self._database.execute(
                queries["note_payout_failure"],
                row["payout_id"],
                f"{type(error).__name__}: {error}"[:500],
                pause_s(row["attempts"]),
            )
        return _shown(await self._get(row["payout_id"]))

    async def _drive(self, row: Any) -> None:
        if row["state"] == "open":
            account = await self._look(row["operator_id"])
            if not account.can_receive:
                raise ProviderRefused("the operator has not answered all that the provider asks")
            for part in await self._plan(row):
                if part["provider_id"] is None:
                    await self._transfer(part, account.account_id)
            await self._database.execute(queries["set_payout"], row["payout_id"], "paid", None)
        elif row["state"] == "reversing":
            for part in await self._database.fetch(queries["list_parts"], row["payout_id"]):
                if not part["is_reversed"]:
                    await self._reverse(part)
            await self._database.execute(queries["set_payout"], row["payout_id"], "reversed", None)

    async def _plan(self, row: Any) -> list[Any]:
        """The payout's parts, planned now or before."""
        payout_id = row["payout_id"]
        async with self._database.transaction() as tx:
            await tx.execute(queries["lock_planning"])
            parts = await tx.fetch(queries["list_parts"], payout_id)
            if parts:
                return list(parts)
            charges = [
                (each["charge_id"], each["left_minor"])
                for each in await tx.fetch(queries["list_charges_left"], _CHARGES_MAX)
            ]
            for number, (charge_id, minor) in enumerate(plan_parts(row["amount_minor"], charges)):
                part_id = uuid5(payout_id, f"part/{number}")
                await tx.execute(queries["insert_part"], part_id, payout_id, charge_id, minor)
            return list(await tx.fetch(queries["list_parts"], payout_id))

    async def _transfer(self, part: Any, account_id: str) -> None:
        params = {"amount_minor": part["amount_minor"], "charge_id": part["charge_id"]}
        call = await self._calls.begin_call("transfer", part["part_id"], {**params, "to": account_id})
        found = None
        if not call.is_first:
            found = await self._provider.find_transfer(account_id=account_id, part_id=part["part_id"])
        report = (
            found
            if found is not None
            else await run_call(
                self._calls,
                call.key,
                lambda key: self._provider.transfer(
                    key=key, account_id=account_id, part_id=part["part_id"], **params
                ),
            )
        )
        await self._database.execute(queries["save_part"], part["part_id"], report.provider_id)

    async def _reverse(self, part: Any) -> None:
        provider_id, amount_minor = part["provider_id"], part["amount_minor"]
        call = await self._calls.begin_call("reverse", part["part_id"], {"provider_id": provider_id})
        await run_call(
            self._calls,
            call.key,
            lambda key: self._provider.reverse(key=key, provider_id=provider_id, amount_minor=amount_minor),
        )
        await self._database.execute(queries["reverse_part"], part["part_id"])

    async def _look(self, operator_id: str) -> AccountReport:
        """The operator's account as it is now, opened when there is none."""
        await self._database.execute(queries["insert_account"], operator_id)
        row = await self._database.fetchrow(queries["find_account"], operator_id)
        if row["account_id"] is None:
            subject = uuid5(NAMESPACE_OID, f"operator:{operator_id}")
            call = await self._calls.begin_call("account", subject, {"operator_id": operator_id})
            report = await run_call(
                self._calls,
                call.key,
                lambda key: self._provider.create_account(key=key, operator_id=operator_id),
            )
        else:
            report = await self._provider.get_account(account_id=row["account_id"])
        kept = await self._database.fetchrow(
            queries["save_account"], operator_id, report.account_id, report.can_receive
        )
        return AccountReport(account_id=kept["account_id"], can_receive=kept["can_receive"])


def plan_parts(amount_minor: int, charges: list[tuple[str, int]]) -> list[tuple[str | None, int]]:
    """Which captures a payout takes its money from, in their order; the rest, if any, from the balance."""
    parts: list[tuple[str | None, int]] = []
    for charge_id, left_minor in charges:
        if amount_minor == 0:
            break
        taken = min(amount_minor, max(0, left_minor))
        if taken:
            parts.append((charge_id, taken))
            amount_minor -= taken
    return [*parts, (None, amount_minor)] if amount_minor else parts


def _shown(row: Any) -> OperatorPayout:
    return OperatorPayout(
        payout_id=row["payout_id"],
        operator_id=row["operator_id"],
        amount_minor=row["amount_minor"],
        state=OperatorPayoutState(row["state"]),
        problem=row["last_error"],
    )
