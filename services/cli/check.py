"""`maas check`: are the books sound? Worked out from the rows themselves, not by the code that wrote them."""

import asyncio
import os
from enum import StrEnum
from typing import Annotated, Any

import asyncpg
import typer
from rich.console import Console

from services.cli.check_seals import list_broken_seals
from services.cli.database import database_url
from services.cli.errors import CommandFailed
from services.platform.settings import Settings

console = Console(highlight=False)

SHOWN_MAX = 20


class Books(StrEnum):
    """What can be checked."""

    LEDGER = "ledger"
    SETTLEMENT = "settlement"


LEDGER_CHECKS = {
    "posted debits and credits of all accounts differ": """
        select sum(debits_posted) || ' <> ' || sum(credits_posted) from ledger.accounts
        having sum(debits_posted) <> sum(credits_posted)""",
    "an account's balance is not the sum of its transfers": """
        with movements as (
            select debit as account_id, amount_minor as debits, 0 as credits from ledger.transfers
            where refusal is null and kind in ('posted', 'post_pending')
            union all
            select credit, 0, amount_minor from ledger.transfers
            where refusal is null and kind in ('posted', 'post_pending')
        ), sums as (
            select account_id, sum(debits) as debits, sum(credits) as credits from movements group by 1
        )
        select coalesce(balances.account_id, sums.account_id || ' (not open)')
        from (select account_id, sum(debits_posted) as debits_posted, sum(credits_posted) as credits_posted
              from ledger.accounts group by 1) as balances
        full join sums using (account_id)
        where balances.account_id is null
           or debits_posted <> coalesce(debits, 0) or credits_posted <> coalesce(credits, 0)""",
    "a pending balance is not the sum of the open holds": """
        with held as (
            select debit as account_id, amount_minor as debits, 0 as credits from ledger.open_holds
            union all
            select credit, 0, amount_minor from ledger.open_holds
        ), sums as (
            select account_id, sum(debits) as debits, sum(credits) as credits from held group by 1
        )
        select account_id
        from ledger.accounts left join sums using (account_id)
        group by account_id, debits, credits
        having sum(debits_pending) <> coalesce(debits, 0) or sum(credits_pending) <> coalesce(credits, 0)""",
    "an account is beyond its bound": """
        select account_id from ledger.accounts
        where (bound = 'debits_must_not_exceed_credits'
               and debits_posted + debits_pending > credits_posted)
           or (bound = 'credits_must_not_exceed_debits'
               and credits_posted + credits_pending > debits_posted)""",
    "a transfer is in another currency than its accounts": """
        select transfer_id::text from ledger.transfers
        join ledger.accounts on account_id in (debit, credit) and lane = 0
        where refusal is null and transfers.currency <> accounts.currency""",
    "the lanes of an account have other terms than the account": """
        select account_id from ledger.accounts
        group by account_id having count(distinct (bound, currency)) > 1 or min(lane) <> 0""",
    "a resolution does not fit its hold": """
        select resolution.transfer_id::text from ledger.transfers as resolution
        left join ledger.transfers as hold
            on hold.transfer_id = resolution.pending_id and hold.refusal is null and hold.kind = 'pending'
        where resolution.refusal is null and resolution.pending_id is not null
          and (hold.transfer_id is null or resolution.amount_minor > hold.amount_minor
               or (resolution.debit, resolution.credit) <> (hold.debit, hold.credit))""",
    "a hold is resolved twice": """
        select pending_id::text from ledger.transfers where refusal is null and pending_id is not null
        group by 1 having count(*) > 1""",
    "an open hold is resolved, or is no hold in the books": """
        select open_holds.transfer_id::text from ledger.open_holds
        left join ledger.transfers as hold
            on hold.transfer_id = open_holds.transfer_id and hold.refusal is null and hold.kind = 'pending'
        left join ledger.transfers as resolution
            on resolution.pending_id = open_holds.transfer_id and resolution.refusal is null
        where hold.transfer_id is null or resolution.transfer_id is not null
           or (hold.debit, hold.credit, hold.amount_minor)
              <> (open_holds.debit, open_holds.credit, open_holds.amount_minor)""",
}
"""What must not be found: a sentence, and the query that finds what is wrong."""

SETTLEMENT_CHECKS = {
    "net positions do not sum to zero": """
        select batch_id::text from settlement.positions
        group by batch_id having sum(gets_minor - owes_minor) <> 0""",
    "a transfer is in two batches": """
        select transfer_id::text from settlement.batch_entries group by 1 having count(*) > 1""",
    "a batch's entry is not the ledger's transfer": """
        select entry.transfer_id::text from settlement.batch_entries as entry
        left join ledger.transfers as transfer using (transfer_id)
        where transfer.transfer_id is null or transfer.refusal is not null
           or (transfer.debit, transfer.credit, transfer.amount_minor, transfer.sequence)
              <> (entry.debit, entry.credit, entry.amount_minor, entry.sequence)""",
    "a statement is not the sum of its entries less the tax": """
        with movements as (
            select batch_id, credit as account_id, amount_minor from settlement.batch_entries
            union all
            select batch_id, debit, -amount_minor from settlement.batch_entries
        ), sums as (
            select batch_id, account_id, sum(amount_minor) as net_minor from movements group by 1, 2
        )
        select statements.batch_id || ' ' || operator_id from settlement.statements
        left join sums on sums.batch_id = statements.batch_id
            and account_id = 'operator:' || operator_id || ':payable'
        where statements.net_minor <> coalesce(sums.net_minor, 0) - tax_minor""",
    "a position is not what the statement says": """
        select batch_id || ' ' || participant from settlement.positions
        left join settlement.statements using (batch_id)
        where participant = operator_id and gets_minor - owes_minor <> statements.net_minor""",
    "a payment is not what the statement says": """
        select batch_id || ' ' || operator_id
        from settlement.statements
        join settlement.batches using (batch_id)
        left join settlement.payments using (batch_id, operator_id)
        where state in ('netted', 'instructed', 'confirmed')
          and statements.net_minor <> coalesce(payments.net_minor, 0)""",
    "a payment was not moved to clearing in the ledger": """
        with cleared as (
            select reference, sum(amount_minor * (debit = account)::int)
                            - sum(amount_minor * (credit = account)::int) as net_minor, account
            from (select *, case when debit like 'operator:%' then debit else credit end as account
                  from ledger.transfers where refusal is null and code = 'settlement') as moved
            group by reference, account
        )
        select payments.batch_id || ' ' || payments.operator_id
        from settlement.payments
        join settlement.batches using (batch_id)
        left join cleared on reference = 'batch:' || batch_id
            and account = 'operator:' || operator_id || ':payable'
        where state in ('instructed', 'confirmed')
          and coalesce(cleared.net_minor, 0) <> payments.net_minor""",
    "an entry below the watermark is in no batch": """
        select transfer_id::text from settlement.watermarks
        join ledger.transfers as transfer
            on 'operator:' || operator_id || ':payable' in (transfer.debit, transfer.credit)
        where transfer.refusal is null and kind in ('posted', 'post_pending')
          and code not in ('settlement', 'tax') and sequence <= after_sequence
          and not exists (select from settlement.batch_entries as entry
                          where entry.transfer_id = transfer.transfer_id)""",
}

CHECKS = {Books.LEDGER: LEDGER_CHECKS, Books.SETTLEMENT: SETTLEMENT_CHECKS}


def check(
    books: Annotated[
        list[Books] | None, typer.Argument(help="What to check; everything when nothing is named.")
    ] = None,
) -> None:
    """Check the books: debits = credits, balances = sums, bounds, seals, each transfer in one batch.

    It reads the tables themselves, of DATABASE_URL or of the embedded database, whether `maas up` runs or
    not. Exits with 1 and says what is wrong when something is.

    Examples:
      maas check
      maas check ledger
      maas check settlement
    """
    with database_url(Settings.from_environment(os.environ)) as url:
        try:
            wrong = asyncio.run(list_wrong(url, books or list(Books)))
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
            raise CommandFailed(
                f"This database was written by another version ({error}). Start the house of this version "
                "once with `maas up`: it brings the tables up to date."
            ) from error
    for sentence, cases in wrong.items():
        console.print(f"[red]wrong[/red]  {sentence}: {', '.join(cases[:SHOWN_MAX])}")
    if wrong:
        raise typer.Exit(1)


async def list_wrong(url: str, books: list[Books]) -> dict[str, list[str]]:
    """What is wrong: the sentence, and where. Prints each check that holds. Raises CommandFailed."""
    connection = await asyncpg.connect(url)
    try:
        # One snapshot for all questions: what is written meanwhile is not half seen.
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return {
                sentence: cases
                for each in books
                for sentence, cases in (await _list_wrong_in(connection, each)).items()
            }
    finally:
        await connection.close()


async def _list_wrong_in(connection: Any, books: Books) -> dict[str, list[str]]:
    found = {}
    for sentence, query in CHECKS[books].items():
        try:
            rows = await connection.fetch(query)
        except asyncpg.UndefinedTableError as error:
            raise CommandFailed(
                f"This database has no {books} yet. Start the house once with `maas up`."
            ) from error
        if rows:
            found[sentence] = [str(row[0]) for row in rows]
        else:
            console.print(f"[green]sound[/green]  {books}: no case where {sentence}")
    if books is Books.LEDGER:
        for sentence, cases in (await list_broken_seals(connection)).items():
            if cases:
                found[sentence] = cases
            else:
                console.print(f"[green]sound[/green]  {books}: no case where {sentence}")
    return found
