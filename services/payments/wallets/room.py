"""The wallets of one house, wired."""

from collections.abc import Callable
from dataclasses import dataclass

from services.payments.books import Books
from services.payments.mandates.room import Mandates
from services.payments.wallets.paying import WalletPaying
from services.payments.wallets.store import WalletStore
from services.payments.wallets.top_ups import Cards, Payments, TopUps
from services.platform.context import ServiceContext


@dataclass(frozen=True, slots=True)
class Wallets:
    """What other rooms need of wallets."""

    store: WalletStore
    books: Books
    top_ups: TopUps
    paying: WalletPaying


def build_wallets(
    context: ServiceContext,
    books: Books,
    mandates: Mandates,
    payments: Callable[[], Payments],
    cards: Callable[[], Cards],
) -> Wallets:
    """`payments` and `cards` are asked for when a card is charged: they need wallets themselves."""
    store = WalletStore(context.database)
    top_ups = TopUps(context, store, books, payments, cards)
    paying = WalletPaying(context, store, books=books, top_ups=top_ups, mandates=mandates)
    return Wallets(store=store, books=books, top_ups=top_ups, paying=paying)
