"""`maas check`: are the books sound? Worked out from the rows themselves, not by the code that wrote them."""

import asyncio
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer
from rich.console import Console

from services.cli.check_ledger import LEDGER_CHECKS
from services.cli.check_payments import list_broken_payments
from services.cli.check_seals import list_broken_seals
from services.cli.database import database_url
from services.cli.errors import CommandFailed
from services.platform.clock import SystemClock
from services.platform.settings import Settings

console = Console(highlight=False)

SHOWN_MAX = 20


class Books(StrEnum):
    """What can be checked."""

    LEDGER = "ledger"
    SETTLEMENT = "settlement"
    PAYMENTS = "payments"


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
      maas check payments       the three-way match: orders, ledger, provider
    """
    with database_url(Settings.from_environment(os.environ)) as url:
        try:
            settings = Settings.from_environment(os.environ)
            wrong = asyncio.run(list_wrong(url, books or [], data_dir=settings.data_dir))
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
            raise CommandFailed(
                f"This database was written by another version ({error}). Start the house of this version "
                "once with `maas up`: it brings the tables up to date."
            ) from error
    for sentence, cases in wrong.items():
        console.print(f"[red]wrong[/red]  {sentence}: {', '.join(cases[:SHOWN_MAX])}")
    if wrong:
        raise typer.Exit(1)


async def list_wrong(url: str, books: list[Books], *, data_dir: Path = Path(".maas")) -> dict[str, list[str]]:
    """What is wrong: the sentence, and where. Prints each check that holds. Raises CommandFailed.

    When no `books` are named all are checked; payments only where this database has any.
    """
    connection = await asyncpg.connect(url)
    try:
        # One snapshot for all questions: what is written meanwhile is not half seen.
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return {
                sentence: cases
                for each in books or await _list_present(connection)
                for sentence, cases in (await _list_wrong_in(connection, each, data_dir)).items()
            }
    finally:
        await connection.close()


async def _list_present(connection: Any) -> list[Books]:
    has_payments = await connection.fetchval("select to_regclass('payments.provider_movement') is not null")
    return [each for each in Books if each is not Books.PAYMENTS or has_payments]


async def _list_wrong_in(connection: Any, books: Books, data_dir: Path) -> dict[str, list[str]]:
    if books is Books.PAYMENTS:
        return await _list_wrong_payments(connection, data_dir)
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


async def _list_wrong_payments(connection: Any, data_dir: Path) -> dict[str, list[str]]:
    try:
        found = await list_broken_payments(connection, data_dir, now=SystemClock().now())
    except asyncpg.UndefinedTableError as error:
        raise CommandFailed(
            "This database has no payments yet. Start the house once with `maas up`."
        ) from error
    if not found:
        console.print("[green]sound[/green]  payments: orders, ledger and provider agree to the yen")
    return found
