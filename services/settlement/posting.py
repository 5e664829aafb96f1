"""Put a chain of transfers into the books, whatever happened to earlier tries.

Problem   A chain may be refused for a reason that passes (the fare's payment is still on its way), but an id
          that was refused never succeeds later. And a try whose answer was lost must not be done twice.
Idea      The ids of a chain contain the number of the attempt. An attempt that was refused is dead for ever,
          because its culprit's id is; so attempts are asked in turn: one that is in the books ends it, a
          dead one leads to the next, and a fresh refusal is raised, to be tried again later.
Invariant At most one attempt is ever in the books.
"""

from collections.abc import Callable

from payments.accounts import chart_account
from payments.errors import TransferRefused
from payments.ports import LedgerPort
from payments.transfers import Transfer, TransferStatus

ATTEMPTS_MAX = 1000
"""An event is retried every few seconds; after about an hour of refusals a person has to look."""


async def post_chain(ledger: LedgerPort, build: Callable[[int], list[Transfer]]) -> None:
    """Post `build(attempt)` as a whole, once. Raises TransferRefused."""
    transfers = build(0)
    if not transfers:
        return
    await open_accounts_of(ledger, transfers)
    for attempt in range(ATTEMPTS_MAX):
        transfers = build(attempt)
        statuses = await ledger.post(transfers=transfers)
        if all(status.is_done for status in statuses):
            return
        if TransferStatus.ID_ALREADY_FAILED not in statuses:
            raise TransferRefused(_tell(transfers, statuses))
    raise TransferRefused(f"{transfers[0].reference} was refused {ATTEMPTS_MAX} times. Look at its order.")


async def open_accounts_of(ledger: LedgerPort, transfers: list[Transfer]) -> None:
    """Open the accounts that these transfers name, with the bounds of the chart."""
    account_ids = sorted({account_id for each in transfers for account_id in (each.debit, each.credit)})
    await ledger.open_accounts(accounts=[chart_account(account_id) for account_id in account_ids])


def _tell(transfers: list[Transfer], statuses: list[TransferStatus]) -> str:
    culprits = [
        f"{transfer.debit} -> {transfer.credit} {transfer.amount_minor}: {status}"
        for transfer, status in zip(transfers, statuses, strict=True)
        if not status.is_done and status is not TransferStatus.LINKED_EVENT_FAILED
    ]
    return f"{transfers[0].reference}: {'; '.join(culprits)}"
