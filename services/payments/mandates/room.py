"""The mandates of one house, wired."""

from dataclasses import dataclass

from services.payments.mandates.paying import MandatePaying
from services.payments.mandates.store import MandateStore
from services.platform.context import ServiceContext


@dataclass(frozen=True, slots=True)
class Mandates:
    """What other rooms need of mandates."""

    store: MandateStore
    paying: MandatePaying


def build_mandates(context: ServiceContext) -> Mandates:
    """Mandates over this service's database."""
    store = MandateStore(context.database)
    return Mandates(store=store, paying=MandatePaying(store))
