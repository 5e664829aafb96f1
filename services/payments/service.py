"""Put the service together."""

from pathlib import Path

from payments.errors import ProviderUnavailable
from payments.ports import CollectionPort, PaymentsPort
from services.payments.books import Books
from services.payments.collecting.charging import Charging
from services.payments.collecting.store import CollectionStore
from services.payments.collecting.worker import CollectionWorker
from services.payments.drive import PaymentDriver
from services.payments.handlers import PaymentsHandlers
from services.payments.provider import Provider
from services.payments.recovery import Recovery
from services.payments.refunding import RefundDriver
from services.payments.routes import PaymentsEndpoints, build_routes
from services.payments.store import PaymentsStore
from services.payments.stripe_provider import StripeProvider
from services.platform.context import ServiceContext
from services.platform.service import Service

_NO_KEY = "sk_unset"


def build(context: ServiceContext) -> Service:
    """The service, with the provider that the settings name."""
    settings = context.settings
    provider = StripeProvider(
        api_key=settings.stripe_api_key or _NO_KEY,
        api_base=settings.stripe_api_base,
        webhook_secret=settings.stripe_webhook_secret,
    )
    return build_with(context, provider)


def build_with(context: ServiceContext, provider: Provider) -> Service:
    """The service with this provider."""
    store, books = PaymentsStore(context.database), Books(context)
    payments = PaymentDriver(context=context, store=store, books=books, provider=provider)
    refunds = RefundDriver(context=context, store=store, books=books, provider=provider)
    handlers = PaymentsHandlers(context=context, store=store, payments=payments, refunds=refunds)
    recovery = Recovery(store=store, books=books, payments=payments, refunds=refunds)
    endpoints = PaymentsEndpoints(
        context=context, handlers=handlers, store=store, provider=provider, recovery=recovery
    )

    charging = Charging(context, CollectionStore(context.database))
    collection = CollectionWorker(charging)

    async def check_ready() -> None:
        if not context.settings.stripe_api_key:
            raise ProviderUnavailable("No payment provider is set. Set STRIPE_API_KEY.")

    return Service(
        name="payments",
        context=context,
        migrations=Path(__file__).with_name("migrations"),
        routes=build_routes(endpoints),
        ports={PaymentsPort: handlers, CollectionPort: charging},
        workers=[recovery.recover_payments, collection.collect],
        on_stop=[provider.close],
        readiness=check_ready,
    )
