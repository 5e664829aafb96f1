"""Take the value of a top-up that the bank gave back out of the wallet.

Problem   Who got the money back would keep the value that it bought; and the traveller may be paying with it
          in this very moment.
Idea      What the wallet holds, up to what was withdrawn, lessens the loss. The ledger's bound decides: when
          somebody was faster, what is left then is asked for, by the next id. An id that was posted is
          found again after a crash, whatever is left by then. Automatic top-ups end: the card's bank has
          said no.
"""

from datetime import datetime

from payments.accounts import traveller_wallet
from payments.disputes import build_value_taken_back
from payments.errors import TransferRefused
from payments.ports import Payment
from payments.transfers import TransferStatus
from services.payments.books import Books
from services.payments.disputes.store import DisputeRow
from services.payments.wallets.store import WalletStore

_ATTEMPTS_MAX = 1000
_TAKEN = (TransferStatus.CREATED, TransferStatus.EXISTS, TransferStatus.EXISTS_WITH_DIFFERENT_AMOUNT)
_TRY_AGAIN = (TransferStatus.EXCEEDS_CREDITS, TransferStatus.ID_ALREADY_FAILED)


async def take_value_back(
    books: Books,
    wallets: WalletStore,
    row: DisputeRow,
    payment: Payment,
    *,
    withdrawn_minor: int,
    at: datetime,
) -> None:
    """Take it, once; nothing when nothing is left. Raises TransferRefused."""
    await wallets.set_auto_top_up(payment.traveller_id, None)
    wallet = traveller_wallet(payment.traveller_id)
    for attempt in range(_ATTEMPTS_MAX):
        left_minor = min(await books.get_balance(wallet), withdrawn_minor)
        if left_minor <= 0:
            return
        taken = build_value_taken_back(
            row.dispute_id, wallet, left_minor, row.currency, attempt=attempt, at=at
        )
        [status] = await books.try_to_post([taken])
        if status in _TAKEN:
            return
        if status not in _TRY_AGAIN:
            raise TransferRefused(f"{taken.reference}: the ledger says {status} to {taken.transfer_id}.")
    raise TransferRefused(f"dispute:{row.dispute_id} was refused {_ATTEMPTS_MAX} times.")
