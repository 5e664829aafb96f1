"""Agreements with participants, and money moved between them by hand."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid5

from payments.accounts import COMMISSION, AccountId, operator_payable
from payments.bank_files import check_bank_account
from payments.ports import LedgerPort
from payments.settlement import PLATFORM, Agreement
from payments.transfers import Transfer, TransferCode
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.settlement import store
from services.settlement.posting import post_chain


class Agreements:
    """What was agreed with whom, version by version."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context

    async def put(self, agreement: Agreement, *, valid_from: datetime | None) -> Agreement:
        """Make this the newest version, in force from `valid_from` (None: now).

        The same again changes nothing. Raises BankFileInvalid, and Problem conflict when a version already
        reaches beyond `valid_from`.
        """
        check_bank_account(agreement.bank_account)
        now = self._context.clock.now()
        async with self._context.database.transaction() as tx:
            await tx.execute(store.queries["lock_agreements"])
            newest = await store.find_newest_agreement(tx, agreement.operator_id)
            wanted = replace(agreement, valid_from=valid_from or now)
            if newest is not None and _is_repeat(newest, wanted, dated=valid_from is not None):
                return newest
            if newest is not None and wanted.valid_from <= newest.valid_from:
                raise Problem(
                    "conflict",
                    detail=f"A version is in force from {newest.valid_from.isoformat()}; name a later time.",
                )
            await store.insert_agreement(tx, wanted, now=now)
        return wanted

    async def list_in_force(self) -> list[Agreement]:
        """The versions in force now, by operator."""
        agreements = await store.list_agreements(self._context.database, at=self._context.clock.now())
        return [agreements[operator_id] for operator_id in sorted(agreements)]

    async def adjust(
        self, adjustment_id: UUID, *, debtor: str, creditor: str, amount_minor: int, reason: str
    ) -> None:
        """Let `debtor` owe `creditor` so much more; the next run settles it. Safe to repeat.

        The platform's side of an adjustment is its commission: what it gives or takes by goodwill.
        """
        now = self._context.clock.now()
        await self._context.database.execute(
            store.queries["insert_adjustment"], adjustment_id, debtor, creditor, amount_minor, reason, now
        )
        kept = await self._context.database.fetchrow(store.queries["find_adjustment"], adjustment_id)
        transfer = Transfer(
            transfer_id=adjustment_id,
            debit=_account_of(kept["debtor"]),
            credit=_account_of(kept["creditor"]),
            amount_minor=kept["amount_minor"],
            code=TransferCode.ADJUSTMENT,
            reference=f"adjustment:{adjustment_id}",
            effective_at=kept["recorded_at"],
        )
        await post_chain(
            self._context.ports.get(LedgerPort),
            lambda attempt: [replace(transfer, transfer_id=uuid5(adjustment_id, f"transfer/{attempt}"))],
        )


def _is_repeat(newest: Agreement, wanted: Agreement, *, dated: bool) -> bool:
    """Whether nothing new is asked for. Without a date, the terms alone are compared."""
    return replace(newest, valid_from=wanted.valid_from) == wanted and (
        not dated or newest.valid_from == wanted.valid_from
    )


def _account_of(participant: str) -> AccountId:
    return COMMISSION if participant == PLATFORM else operator_payable(participant)
