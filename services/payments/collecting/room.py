"""Collection, wired."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.payments.books import Books
from services.payments.collecting.bill_store import BillStore
from services.payments.collecting.bills import Bills, CardPayments, KeptCards
from services.payments.collecting.charging import Charging
from services.payments.collecting.drawing import Drawing
from services.payments.collecting.store import CollectionStore
from services.payments.collecting.worker import CollectionWorker, Part
from services.payments.mandates.room import Mandates
from services.payments.wallets.room import Wallets
from services.platform.context import ServiceContext


@dataclass(frozen=True, slots=True)
class Collection:
    """What other rooms need of collection."""

    charging: Charging
    drawing: Drawing
    bills: Bills
    bill_store: BillStore
    worker: CollectionWorker


def build_collection(
    context: ServiceContext,
    books: Books,
    *,
    wallets: Wallets,
    mandates: Mandates,
    payments: CardPayments,
    cards: KeptCards,
    more: Mapping[str, Part],
) -> Collection:
    """Charges, draws, bills and the worker that drives them, and `more` parts of its round."""
    store = CollectionStore(context.database)
    bill_store = BillStore(store, context.outbox)
    charging = Charging(context, store, mandates)
    drawing = Drawing(context, bill_store, books, wallets)
    bills = Bills(context, bill_store, books=books, wallets=wallets, payments=payments, cards=cards)
    worker = CollectionWorker(
        {
            "charges": charging.post_what_was_left,
            "top-ups": wallets.top_ups.take_up_unfinished,
            "draws": drawing.step,
            "gathering": bills.gather,
            "bills": bills.step,
            **more,
        }
    )
    return Collection(charging, drawing, bills, bill_store, worker)
