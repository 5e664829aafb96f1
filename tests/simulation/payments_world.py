"""The world of a payments story: what survives a kill, and processes that work in it."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import structlog

from maas.ports import RidesPort
from payments.ports import Charge, LedgerPort
from services.payments.balance.collector import Collector
from services.payments.balance.store import BalanceStore
from services.payments.balance.stripe_balance import StripeBalance
from services.payments.books import Books
from services.payments.collecting.room import Collection, build_collection
from services.payments.disputes.handlers import DisputesHandlers
from services.payments.disputes.store import DisputesStore
from services.payments.disputes.stripe_disputes import StripeDisputes
from services.payments.drive import PaymentDriver
from services.payments.handlers import PaymentsHandlers
from services.payments.mandates.room import Mandates, build_mandates
from services.payments.methods.handlers import MethodsHandlers
from services.payments.methods.store import MethodsStore
from services.payments.methods.stripe_methods import StripeMethods
from services.payments.on_account.adapter import OnAccountProvider
from services.payments.recovery import Recovery
from services.payments.refunding import RefundDriver
from services.payments.stand_in.book import Book
from services.payments.stand_in.server import StandIn
from services.payments.stand_in.webhooks import Deliverer, sign
from services.payments.store import PaymentsStore
from services.payments.stripe_client import StripeClient
from services.payments.stripe_provider import StripeProvider
from services.payments.wallets.closing import WalletClosing
from services.payments.wallets.room import Wallets, build_wallets
from services.payments.wallets.store import WalletStore
from services.platform.clock import FixedClock, SystemClock
from services.platform.context import Ports, ServiceContext
from services.platform.database import Database, prepare_connection
from services.platform.migrations import migrate
from services.platform.outbox import Outbox
from services.platform.settings import Settings
from tests.simulation.direct_transport import BASE, DirectTransport
from tests.simulation.stage import Stage, Staged
from tests.support.memory_ledger import MemoryLedger
from tests.support.port_doubles import Rides

SECRET = "whsec_simulation"  # noqa: S105 - of the simulation
API_KEY = "sk_test_simulation"
NOW = datetime(2026, 5, 20, 11, 0, tzinfo=UTC)
MIGRATIONS = Path(__file__).parents[2] / "services" / "payments" / "migrations"


@dataclass(frozen=True)
class Drivers:
    """The classes that a process is made of: a mutation test puts a broken one in its place."""

    payments: type[PaymentDriver] = PaymentDriver
    refunds: type[RefundDriver] = RefundDriver
    collector: type[Collector] = Collector
    store: type[PaymentsStore] = PaymentsStore
    handlers: type[PaymentsHandlers] = PaymentsHandlers
    disputes: type[DisputesHandlers] = DisputesHandlers


@dataclass
class Process:
    """One process of the payments service."""

    handlers: PaymentsHandlers
    methods: MethodsHandlers
    collector: Collector
    disputes: DisputesHandlers
    recovery: Recovery
    context: ServiceContext
    store: PaymentsStore
    mandates: Mandates
    wallets: Wallets
    collection: Collection
    closing: WalletClosing


@dataclass
class World:
    """Everything that survives a kill: the database, the ledger, the provider; and what was asked for."""

    stage: Stage
    rng: random.Random
    stand_in: StandIn
    client: StripeClient
    ledger: MemoryLedger
    database: Database
    drivers: Drivers
    clock: FixedClock
    payment_ids: list[UUID] = field(default_factory=list)
    refund_ids: dict[UUID, tuple[UUID, int]] = field(default_factory=dict)
    method_ids: list[UUID] = field(default_factory=list)
    voided: set[UUID] = field(default_factory=set)
    top_up_ids: list[UUID] = field(default_factory=list)
    charges: dict[UUID, Charge] = field(default_factory=dict)
    charged: set[UUID] = field(default_factory=set)

    @property
    def provider(self) -> StripeProvider:
        """The provider as no process sees it: never stopped, never killed."""
        return StripeProvider(self.client, webhook_secret=SECRET)

    def process(self, *, staged: bool = True) -> Process:
        """A fresh process on the same world; its calls outwards stop at the stage when it is `staged`."""

        def on_stage(thing: object) -> Any:
            return Staged(thing, self.stage) if staged else thing

        context = self._context(on_stage(self.ledger))
        plain = self.drivers.store(self.database)
        books, store, provider = Books(context), on_stage(plain), on_stage(self.provider)
        methods_store = on_stage(MethodsStore(self.database))
        # The rooms of wallets and debts may die between any two of their own statements, too.
        rooms_context = replace(context, database=on_stage(self.database))
        mandates = build_mandates(rooms_context)
        wallets = build_wallets(rooms_context, books, mandates, lambda: handlers, lambda: methods)
        parts: dict[str, Any] = {"context": context, "store": store, "books": books, "provider": provider}
        payments = self.drivers.payments(
            methods=methods_store,
            on_account=OnAccountProvider(self.database),
            wallets=wallets.paying,
            **parts,
        )
        refunding = self.drivers.refunds(wallets=wallets.paying, **parts)
        handlers = self.drivers.handlers(context=context, store=store, payments=payments, refunds=refunding)
        methods = MethodsHandlers(
            context=context,
            store=methods_store,
            calls=store,
            provider=on_stage(StripeMethods(self.client)),
            payments=handlers,
        )
        collector = self.drivers.collector(
            context=context,
            store=on_stage(BalanceStore(self.database)),
            books=books,
            provider=on_stage(StripeBalance(self.client)),
        )
        disputes = self.drivers.disputes(
            context=context,
            store=on_stage(DisputesStore(self.database)),
            payments=store,
            wallets=on_stage(WalletStore(self.database)),
            books=books,
            provider=on_stage(StripeDisputes(self.client)),
            collector=collector,
        )
        rooms: dict[str, Any] = {"payout": collector, "dispute": disputes, "setup_intent": methods}
        recovery = Recovery(
            store=store,
            books=books,
            payments=payments,
            refunds=refunding,
            rooms=[methods, collector, disputes],
            ears={**rooms, "payment_method": methods},
        )
        closing = WalletClosing(rooms_context, wallets, payments=handlers)
        collection = build_collection(
            rooms_context,
            books,
            wallets=wallets,
            mandates=mandates,
            payments=handlers,
            cards=methods,
            more={"closing": closing.step},
        )
        return Process(
            mandates=mandates,
            wallets=wallets,
            collection=collection,
            closing=closing,
            handlers=handlers,
            methods=methods,
            collector=collector,
            disputes=disputes,
            recovery=recovery,
            context=context,
            store=plain,
        )

    def _context(self, ledger: object) -> ServiceContext:
        ports, clock = Ports(), self.clock
        ports.offer(LedgerPort, ledger)
        ports.offer(RidesPort, Rides())
        return ServiceContext(
            settings=Settings(),
            clock=clock,
            database=self.database,
            outbox=Outbox(self.database, clock),
            ports=ports,
            data_dir=Path(),
            log=structlog.get_logger(),
        )

    def uuid(self) -> UUID:
        return UUID(int=self.rng.getrandbits(128), version=4)

    async def list_rows(self, query: str) -> list[Any]:
        return await self.database.fetch(query)

    async def deliver(self, recovery: Recovery, event: dict[str, Any]) -> bool:
        """Bring an event to a process, and let it act on it."""
        fresh = await self.bring(recovery, event)
        await recovery.act_on_webhooks(at_once=True)
        return fresh

    async def bring(self, recovery: Recovery, event: dict[str, Any]) -> bool:
        """Bring an event, signed, to a process, which keeps it."""
        now = SystemClock().now()
        body = orjson.dumps(event)
        headers = {"Stripe-Signature": sign(body, secret=SECRET, at=int(now.timestamp()))}
        return await recovery.keep(self.provider.read_news(body=body, headers=headers, now=now))


class QuickConnection(asyncpg.Connection):
    """A connection that is not reset between two uses, which is half of all round trips."""

    def get_reset_query(self) -> str:
        return ""


class QuickDatabase(Database):
    """The one door to PostgreSQL, for ten thousand stories."""

    async def open(self) -> None:
        self._pool = await asyncpg.create_pool(
            self.url,
            min_size=0,
            max_size=6,
            init=prepare_connection,
            connection_class=QuickConnection,
            server_settings={"search_path": self.schema},
        )


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """A database with the service's tables, for any number of stories one after the other."""
    await migrate(url, schema="payments", folder=MIGRATIONS)
    database = QuickDatabase(url, schema="payments")
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def empty(database: Database) -> None:
    """Forget the last story: faster than a new database, or than truncating files."""
    rows = await database.fetch(
        "select relname from pg_class join pg_namespace on pg_namespace.oid = relnamespace"
        " where nspname = 'payments' and relkind = 'r' and relname <> 'migration'"
    )
    # Foreign keys and the triggers that keep what is matched are off for a replica's session.
    deletes = "; ".join(f"delete from {row['relname']}" for row in rows)  # noqa: S608 - names of our tables
    async with database.transaction() as tx:
        await tx.execute("set local session_replication_role = replica; " + deletes)


def build_world(seed: int, database: Database, drivers: Drivers) -> World:
    """An empty provider and ledger beside the database."""
    rng, clock, days = random.Random(seed), SystemClock(), FixedClock(NOW)
    book = Book(Path(":memory:"), durable=False)
    stand_in = StandIn(
        book=book, clock=clock, deliverer=Deliverer(book, clock), base_url=BASE, api_key=API_KEY
    )
    client = StripeClient(
        api_key=API_KEY,
        api_base=BASE,
        network_retries=0,
        rate_limit_pauses_s=(0.0,),
        transport=DirectTransport(stand_in),
    )
    return World(
        stage=Stage(rng),
        rng=rng,
        stand_in=stand_in,
        client=client,
        ledger=MemoryLedger(days),
        clock=days,
        database=database,
        drivers=drivers,
    )
