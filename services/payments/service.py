"""Put the service together."""

from pathlib import Path

from maas.events import (
    AccountClosed,
    FareRefunded,
    FaresChargedBack,
    PassEarned,
    RideRated,
    RideUnrated,
    TravelEarned,
)
from payments.errors import ProviderUnavailable
from payments.ports import CollectionPort, OperatorPayoutsPort, PaymentsPort, SavedMethodsPort
from services.payments.balance.collector import Collector
from services.payments.balance.routes import BalanceEndpoints
from services.payments.balance.routes import build_routes as build_balance_routes
from services.payments.balance.store import BalanceStore
from services.payments.balance.stripe_balance import StripeBalance
from services.payments.books import Books
from services.payments.collecting.room import build_collection
from services.payments.collecting.routes import CollectionEndpoints
from services.payments.collecting.routes import build_routes as build_collection_routes
from services.payments.connect.handlers import ConnectHandlers
from services.payments.connect.routes import ConnectEndpoints
from services.payments.connect.routes import build_routes as build_connect_routes
from services.payments.connect.stripe_connect import StripeConnect
from services.payments.counters.handlers import Counters
from services.payments.counters.routes import CounterEndpoints
from services.payments.counters.routes import build_routes as build_counter_routes
from services.payments.disputes.handlers import DisputesHandlers
from services.payments.disputes.routes import DisputesEndpoints
from services.payments.disputes.routes import build_routes as build_disputes_routes
from services.payments.disputes.store import DisputesStore
from services.payments.disputes.stripe_disputes import StripeDisputes
from services.payments.drive import PaymentDriver
from services.payments.handlers import PaymentsHandlers
from services.payments.mandates.room import build_mandates
from services.payments.mandates.routes import MandateEndpoints
from services.payments.mandates.routes import build_routes as build_mandate_routes
from services.payments.methods.handlers import MethodsHandlers
from services.payments.methods.routes import MethodsEndpoints
from services.payments.methods.routes import build_routes as build_methods_routes
from services.payments.methods.store import MethodsStore
from services.payments.methods.stripe_methods import StripeMethods
from services.payments.on_account.adapter import OnAccountProvider
from services.payments.on_account.invoicing import Invoicing
from services.payments.on_account.routes import OnAccountEndpoints
from services.payments.on_account.routes import build_routes as build_on_account_routes
from services.payments.on_account.switch import ProviderSwitch
from services.payments.recovery import Recovery
from services.payments.refunding import RefundDriver
from services.payments.routes import PaymentsEndpoints, build_routes
from services.payments.store import PaymentsStore
from services.payments.stripe_client import StripeClient
from services.payments.stripe_provider import StripeProvider
from services.payments.wallets.closing import WalletClosing
from services.payments.wallets.room import build_wallets
from services.payments.wallets.routes import WalletEndpoints
from services.payments.wallets.routes import build_routes as build_wallet_routes
from services.payments.wallets.store import WalletStore
from services.platform.context import ServiceContext
from services.platform.outbox import Subscription
from services.platform.service import Service

_NO_KEY = "sk_unset"


def build(context: ServiceContext) -> Service:
    """The service, with the provider that the settings name."""
    settings = context.settings
    client = StripeClient(api_key=settings.stripe_api_key or _NO_KEY, api_base=settings.stripe_api_base)
    return build_with(context, client, webhook_secret=settings.stripe_webhook_secret)


def build_with(context: ServiceContext, client: StripeClient, *, webhook_secret: str = "") -> Service:
    """The service with this client of the provider."""
    store, books = PaymentsStore(context.database), Books(context)
    methods_store = MethodsStore(context.database)
    on_account = OnAccountProvider(context.database)
    provider = ProviderSwitch(StripeProvider(client, webhook_secret=webhook_secret), on_account)
    mandates = build_mandates(context)
    wallets = build_wallets(context, books, mandates, lambda: handlers, lambda: methods)
    payments = PaymentDriver(
        context=context,
        store=store,
        methods=methods_store,
        books=books,
        provider=provider,
        on_account=on_account,
        wallets=wallets.paying,
    )
    refunds = RefundDriver(
        context=context, store=store, books=books, provider=provider, wallets=wallets.paying
    )
    handlers = PaymentsHandlers(context=context, store=store, payments=payments, refunds=refunds)
    methods = MethodsHandlers(
        context=context,
        store=methods_store,
        calls=store,
        provider=StripeMethods(client),
        payments=handlers,
    )
    balance_store = BalanceStore(context.database)
    collector = Collector(context=context, store=balance_store, books=books, provider=StripeBalance(client))
    disputes = DisputesHandlers(
        context=context,
        store=DisputesStore(context.database),
        payments=store,
        wallets=WalletStore(context.database),
        books=books,
        provider=StripeDisputes(client),
        collector=collector,
    )
    connect = ConnectHandlers(context=context, calls=store, provider=StripeConnect(client))
    recovery = Recovery(
        store=store,
        books=books,
        payments=payments,
        refunds=refunds,
        rooms=[methods, collector, disputes, connect],
        ears={
            "setup_intent": methods,
            "payment_method": methods,
            "payout": collector,
            "dispute": disputes,
            "account": connect,
        },
    )
    endpoints = PaymentsEndpoints(
        context=context, handlers=handlers, store=store, provider=provider, recovery=recovery
    )

    counters = Counters(context, books, wallets)
    closing = WalletClosing(context, wallets, payments=handlers)
    collection = build_collection(
        context,
        books,
        wallets=wallets,
        mandates=mandates,
        payments=handlers,
        cards=methods,
        more={"cash sales": counters.post_what_was_left, "closing": closing.step},
    )

    async def check_ready() -> None:
        if not context.settings.stripe_api_key:
            raise ProviderUnavailable("No payment provider is set. Set STRIPE_API_KEY.")

    return Service(
        name="payments",
        context=context,
        migrations=Path(__file__).with_name("migrations"),
        # A literal path stands before one with a parameter: the first that fits answers.
        routes=[
            *build_methods_routes(MethodsEndpoints(methods)),
            *build_balance_routes(BalanceEndpoints(balance_store, collector)),
            *build_disputes_routes(DisputesEndpoints(disputes)),
            *build_connect_routes(ConnectEndpoints(connect)),
            *build_on_account_routes(OnAccountEndpoints(Invoicing(context, books))),
            *build_routes(endpoints),
            *build_wallet_routes(WalletEndpoints(context, wallets, closing)),
            *build_collection_routes(CollectionEndpoints(context, collection)),
            *build_mandate_routes(MandateEndpoints(context, mandates)),
            *build_counter_routes(CounterEndpoints(context, counters)),
        ],
        ports={
            PaymentsPort: handlers,
            CollectionPort: collection.charging,
            OperatorPayoutsPort: connect,
            SavedMethodsPort: methods,
        },
        subscriptions=[
            Subscription(RideRated, counters.on_ride_rated),
            Subscription(RideUnrated, counters.on_ride_unrated),
            Subscription(PassEarned, counters.on_pass_earned),
            Subscription(TravelEarned, counters.on_travel_earned),
            Subscription(FareRefunded, counters.on_fare_refunded),
            Subscription(FaresChargedBack, disputes.on_fares_charged_back),
            Subscription(AccountClosed, closing.on_account_closed),
        ],
        workers=[recovery.recover_payments, collection.worker.collect],
        on_stop=[client.close],
        readiness=check_ready,
    )
