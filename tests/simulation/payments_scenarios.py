"""Payments under kills, faults and disorder: generated work whose outcome is known.

Problem   A payment crosses three systems, any of which may stop, repeat itself or be late at any line.
Idea      Commands run as tasks that stop before and after every call to the provider, the ledger and the
          database. A seeded scheduler lets one go on at a time, so that any interleaving is possible and the
          same seed gives it again; it may also kill the task there, as a process is killed. Each task has
          objects of its own, so that two tasks are two processes. The provider is the stand-in behind the
          real SDK, with dropped connections, late effects and stored 500s; its webhooks are delivered in any
          order, some twice. At the end all faults stop, recovery runs, and the three sides must agree.
Replay    python -m tests.simulation.payments_scenarios SEED
"""

import asyncio
import random
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import structlog
from aiohttp import web

from payments.accounts import CARD_CLEARING, REFUNDS_DUE, UNEARNED_FARES
from payments.errors import PaymentsError
from payments.money import yen
from payments.ports import LedgerPort, Payment, PaymentState, RefundState
from services.payments.books import Books
from services.payments.drive import PaymentDriver
from services.payments.handlers import PaymentsHandlers
from services.payments.mandates.room import build_mandates
from services.payments.methods.store import MethodsStore
from services.payments.provider import Provider
from services.payments.reconciliation import reconcile
from services.payments.recovery import Recovery
from services.payments.refunding import RefundDriver
from services.payments.stand_in import intents, refunds
from services.payments.stand_in.book import Book
from services.payments.stand_in.control import build_app
from services.payments.stand_in.errors import ApiError
from services.payments.stand_in.faults import Fault, FaultKind
from services.payments.stand_in.server import STAND_IN, StandIn, answer_late_ones
from services.payments.stand_in.webhooks import sign
from services.payments.store import PaymentsStore
from services.payments.stripe_client import StripeClient
from services.payments.stripe_provider import StripeProvider
from services.payments.wallets.room import build_wallets
from services.platform.clock import FixedClock, SystemClock
from services.platform.context import Ports, ServiceContext
from services.platform.database import Database
from services.platform.migrations import migrate
from services.platform.outbox import Outbox
from services.platform.settings import Settings
from tests.support.memory_ledger import MemoryLedger
from tests.support.port_doubles import NoCards
from tests.support.servers import PostgresForTests

SECRET = "whsec_simulation"  # noqa: S105 - of the simulation
API_KEY = "sk_test_simulation"
NOW = datetime(2026, 5, 20, 11, 0, tzinfo=UTC)
MIGRATIONS = Path(__file__).parents[2] / "services" / "payments" / "migrations"
CARDS = {
    "pm_card_visa": 8,
    "pm_card_threeDSecure2Required": 3,
    "pm_card_chargeDeclined": 2,
    "pm_card_pendingRefund": 2,
    "pm_card_refundFail": 1,
}
FAULTS = [
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_AFTER,
    FaultKind.DROP_LATE,
    FaultKind.ERROR_BEFORE,
    FaultKind.ERROR_AFTER,
    FaultKind.RATE_LIMITED,
]
_IN_TRANSACTION = frozenset({"lock_payment", "add_refunded", "insert_refund", "sum_pending_refunds"})


class Killed(BaseException):
    """The process was killed here. Nothing may catch it."""


class Stage:
    """Lets one task go on at a time, as the seed says."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._moved = asyncio.Event()
        self._waiting: dict[int, tuple[asyncio.Future[None], str]] = {}
        self._tasks: dict[int, asyncio.Task[object]] = {}
        self._numbers: dict[asyncio.Task[object] | None, int] = {}
        self._count = 0
        self.log: list[str] = []

    async def point(self, name: str) -> None:
        """The task stops here until it is its turn; it may be killed."""
        number = self._numbers[asyncio.current_task()]
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (turn, name)
        self._moved.set()
        await turn

    def start(self, name: str, work: Coroutine[Any, Any, object]) -> None:
        """Begin a task; it runs to its first point at the next step."""
        self._count += 1
        number = self._count
        task = asyncio.create_task(self._run(number, name, work))
        self._tasks[number] = task
        self._numbers[task] = number

    async def _run(self, number: int, name: str, work: Coroutine[Any, Any, object]) -> None:
        try:
            result = await work
            self.log.append(f"{number} {name} -> {_short(result)}")
        except Killed:
            self.log.append(f"{number} {name} killed")
        except PaymentsError as error:
            self.log.append(f"{number} {name} raised {type(error).__name__}")
        finally:
            del self._tasks[number]
            self._moved.set()

    @property
    def running_count(self) -> int:
        return len(self._tasks)

    async def step(self, *, kill_chance: float) -> None:
        """Let one task go on to its next point or its end, or kill it."""
        await self._until_all_wait()
        if not self._waiting:
            return
        number = self._rng.choice(sorted(self._waiting))
        turn, name = self._waiting.pop(number)
        if self._rng.random() < kill_chance:
            self.log.append(f"{number} dies {name}")
            turn.set_exception(Killed())
        else:
            turn.set_result(None)
        await self._until_all_wait()

    async def _until_all_wait(self) -> None:
        while any(number not in self._waiting for number in self._tasks):
            self._moved.clear()
            async with asyncio.timeout(30):
                await self._moved.wait()

    async def finish(self) -> None:
        """Let every task end, killing none."""
        while self._tasks:
            await self.step(kill_chance=0.0)


class Staged:
    """An object whose async methods stop at the stage before and after, except inside a transaction."""

    def __init__(self, inner: object, stage: Stage) -> None:
        self._inner = inner
        self._stage = stage

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not asyncio.iscoroutinefunction(method) or name in _IN_TRANSACTION:
            return method

        async def call(*args: Any, **kwargs: Any) -> Any:
            if name in ("save_payment", "save_refund", "find_refund") and len(args) > 1:
                return await method(*args, **kwargs)
            await self._stage.point(f"before {name}")
            result = await method(*args, **kwargs)
            await self._stage.point(f"after {name}")
            return result

        return call


@dataclass
class Process:
    """One process of the payments service."""

    handlers: PaymentsHandlers
    recovery: Recovery
    context: ServiceContext
    store: PaymentsStore


@dataclass
class World:
    """Everything that survives a kill: the database, the ledger, the provider; and what was asked for."""

    stage: Stage
    rng: random.Random
    stand_in: StandIn
    provider: StripeProvider
    ledger: MemoryLedger
    database: Database
    folder: Path
    payment_ids: list[UUID] = field(default_factory=list)
    refund_ids: dict[UUID, tuple[UUID, int]] = field(default_factory=dict)
    voided: set[UUID] = field(default_factory=set)

    def process(self, *, staged: bool = True) -> Process:
        """A fresh process on the same world."""
        ports = Ports()
        ledger = Staged(self.ledger, self.stage) if staged else self.ledger
        ports.offer(LedgerPort, ledger)
        clock = FixedClock(NOW)
        context = ServiceContext(
            settings=Settings(data_dir=self.folder),
            clock=clock,
            database=self.database,
            outbox=Outbox(self.database, clock),
            ports=ports,
            data_dir=self.folder,
            log=structlog.get_logger(),
        )
        plain = PaymentsStore(self.database)
        store: Any = Staged(plain, self.stage) if staged else plain
        provider: Any = Staged(self.provider, self.stage) if staged else self.provider
        books = Books(context)
        wallets = build_wallets(context, books, build_mandates(context), lambda: handlers, NoCards)
        parts: dict[str, Any] = {"context": context, "store": store, "books": books, "provider": provider}
        parts["wallets"] = wallets.paying
        payments = PaymentDriver(methods=MethodsStore(self.database), **parts)
        refunding = RefundDriver(**parts)
        handlers = PaymentsHandlers(context=context, store=store, payments=payments, refunds=refunding)
        return Process(
            handlers=handlers,
            recovery=Recovery(store=store, books=books, payments=payments, refunds=refunding),
            context=context,
            store=plain,
        )

    def uuid(self) -> UUID:
        return UUID(int=self.rng.getrandbits(128), version=4)

    async def list_rows(self, query: str) -> list[Any]:
        return await self.database.fetch(query)


@asynccontextmanager
async def running_world(seed: int, *, database_url: str, folder: Path) -> AsyncIterator[World]:
    """A world with an empty provider, ledger and database."""
    await migrate(database_url, schema="payments", folder=MIGRATIONS)
    database = Database(database_url, schema="payments", connections_max=4)
    await database.open()
    app = build_app(
        book=Book(folder / f"book_{seed}.sqlite3", durable=False),
        clock=SystemClock(),
        base_url="",
        api_key=API_KEY,
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    app[STAND_IN].base_url = url
    client = StripeClient(
        api_key=API_KEY, api_base=url, timeout_s=30.0, network_retries=0, rate_limit_pauses_s=(0.0,)
    )
    provider = StripeProvider(client, webhook_secret=SECRET)
    rng = random.Random(seed)
    try:
        yield World(
            stage=Stage(rng),
            rng=rng,
            stand_in=app[STAND_IN],
            provider=provider,
            ledger=MemoryLedger(FixedClock(NOW)),
            database=database,
            folder=folder,
        )
    finally:
        await provider.close()
        await runner.cleanup()
        await database.close()


async def run_scenario(seed: int, *, database_url: str, folder: Path, steps: int = 700) -> str:
    """Play one seed and audit its end; returns what was done. Raises AssertionError telling the replay."""
    async with running_world(seed, database_url=database_url, folder=folder) as world:
        try:
            await play(world, steps)
            await recover(world)
            await audit(world)
        except (AssertionError, TimeoutError) as error:
            story = "\n".join(world.stage.log[-60:])
            raise AssertionError(
                f"{error}\nreplay: python -m tests.simulation.payments_scenarios {seed}\n{story}"
            ) from error
        return "\n".join(world.stage.log)


async def play(world: World, steps: int) -> None:
    """Begin, advance and kill tasks, and let the world around do its worst."""
    for _ in range(steps):
        if world.stage.running_count < 3 and world.rng.random() < 0.3:
            begin_command(world)
        if world.rng.random() < 0.035:
            disturb(world)
        await world.stage.step(kill_chance=0.012)
    await world.stage.finish()


def begin_command(world: World) -> None:
    """Start one command of a client, a webhook or the recovery worker."""
    rng = world.rng
    process = world.process()
    if not world.payment_ids or (len(world.payment_ids) < 6 and rng.random() < 0.2):
        return _begin_open(world, process)
    payment_id = rng.choice(world.payment_ids)
    there = world.stand_in.book.list_all("payment_intent", {"metadata.payment_id": str(payment_id)})
    taken = any(each["status"] == "succeeded" for each in there)
    commands: list[tuple[float, Callable[[], None]]] = [
        (0.5 if taken else 5, lambda: _begin_authorise(world, process, payment_id)),
        (1 if taken else 4, lambda: _begin_capture(world, process, payment_id)),
        (0.4, lambda: world.stage.start("void", _void(world, process, payment_id))),
        (6 if taken else 0.3, lambda: _begin_refund(world, process, payment_id)),
        (3, lambda: _begin_webhook(world, process)),
        (1.5, lambda: world.stage.start("recover", process.recovery.step(at_once=True))),
    ]
    [begin] = rng.choices([each for _, each in commands], [weight for weight, _ in commands])
    return begin()


def _begin_open(world: World, process: Process) -> None:
    payment_id = world.uuid()
    world.payment_ids.append(payment_id)
    amount = world.rng.choice([40, 50, 110, 4_720, 99_999])
    opening = process.handlers.open_payment(
        payment_id=payment_id, order_id=world.uuid(), traveller_id="t", amount=yen(amount)
    )
    world.stage.start(f"open {amount}", opening)


def _begin_authorise(world: World, process: Process, payment_id: UUID) -> None:
    [method] = world.rng.choices(list(CARDS), list(CARDS.values()))
    work = process.handlers.authorise(payment_id=payment_id, payment_method=method)
    world.stage.start(f"authorise {method}", work)


def _begin_capture(world: World, process: Process, payment_id: UUID) -> None:
    world.stage.start("capture", process.handlers.capture(payment_id=payment_id))


async def _void(world: World, process: Process, payment_id: UUID) -> Payment:
    payment = await process.handlers.void(payment_id=payment_id)
    if payment.state is PaymentState.VOIDED:
        world.voided.add(payment_id)
    return payment


def _begin_refund(world: World, process: Process, payment_id: UUID) -> None:
    known = [each for each, (of, _) in world.refund_ids.items() if of == payment_id]
    if known and world.rng.random() < 0.5:
        refund_id = world.rng.choice(known)
        amount = world.refund_ids[refund_id][1]
    else:
        refund_id, amount = world.uuid(), world.rng.choice([1, 20, 30, 60, 110, 4_000])
        world.refund_ids[refund_id] = (payment_id, amount)
    work = process.handlers.refund(
        refund_id=refund_id, payment_id=payment_id, amount=yen(amount), reason="sailing_cancelled"
    )
    world.stage.start(f"refund {amount}", work)


def _begin_webhook(world: World, process: Process) -> None:
    events = world.stand_in.book.list_all("event")
    if events:
        event = world.rng.choice(events)
        world.stage.start(f"webhook {event['type']}", deliver(world.provider, process.recovery, event))


async def deliver(provider: Provider, recovery: Recovery, event: dict[str, Any]) -> bool:
    """Bring an event, signed, to the service, and let the service act on it."""
    now = SystemClock().now()
    body = orjson.dumps(event)
    headers = {"Stripe-Signature": sign(body, secret=SECRET, at=int(now.timestamp()))}
    fresh = await recovery.keep(provider.read_news(body=body, headers=headers, now=now))
    await recovery.act_on_webhooks(at_once=True)
    return fresh


def disturb(world: World) -> None:
    """A fault, a late effect, a traveller at the bank, an expired hold, a refund that ends."""
    rng, stand_in = world.rng, world.stand_in
    if rng.random() < 0.5:
        stand_in.faults.add(Fault(kind=rng.choice(FAULTS), method=rng.choice(["POST", "POST", "GET"])))
        return
    if rng.random() < 0.4:
        answer_late_ones(stand_in)
        return
    with stand_in.book.transaction(), suppress(ApiError):
        _disturb_object(rng, stand_in)


def _disturb_object(rng: random.Random, stand_in: StandIn) -> None:
    desk = stand_in.desk()
    acting = stand_in.book.list_all("payment_intent", {"status": "requires_action"})
    held = stand_in.book.list_all("payment_intent", {"status": "requires_capture"})
    refunded = stand_in.book.list_all("refund")
    if acting and rng.random() < 0.6:
        intent = rng.choice(acting)
        intents.authenticate(desk, intent["id"], intent["client_secret"], approved=rng.random() < 0.7)
    elif held and rng.random() < 0.2:
        intents.expire(desk, rng.choice(held)["id"])
    elif refunded:
        refund = rng.choice(refunded)
        pending = refund["status"] == "pending"
        # Only cards whose bank is slow or refuses do anything with a refund afterwards.
        if pending or _is_refund_fail(stand_in, refund):
            status = "succeeded" if pending and rng.random() < 0.7 else "failed"
            refunds.conclude(desk, refund["id"], status)


def _is_refund_fail(stand_in: StandIn, refund: dict[str, Any]) -> bool:
    charge = stand_in.book.get("charge", refund["charge"])
    method = stand_in.book.get("payment_method", charge["payment_method"])
    return bool(method["metadata"]["test_card"] == "pm_card_refundFail")


async def recover(world: World) -> None:
    """All works again: late effects come, every webhook arrives, recovery runs until nothing is due."""
    world.stand_in.faults.clear()
    answer_late_ones(world.stand_in)
    process = world.process(staged=False)
    for event in world.stand_in.book.list_all("event"):
        await deliver(world.provider, process.recovery, event)
    for _ in range(6):
        await process.recovery.step(at_once=True)


async def audit(world: World) -> None:
    """The three sides agree to the yen, and every promise was kept."""
    process = world.process(staged=False)
    book = world.stand_in.book
    payments = [(await process.store.get_payment(each)).payment for each in await _known(world)]
    for payment in payments:
        _audit_payment(world, payment)
    await _audit_refunds(world, process)
    await _audit_events(world, payments)
    _audit_ledger(world, payments, sum(each["amount"] for each in book.list_all("balance_transaction")))
    answer = await reconcile(process.context, process.store, world.provider)
    pending = await world.list_rows("select refund_id from refund where state = 'pending'")
    on_their_way = {str(row["refund_id"]) for row in pending}
    strangers = [each for each in answer.unmatched if each.subject_id not in on_their_way]
    assert strangers == [], f"reconciliation finds {strangers}"
    waiting = {each.state for each in answer.unfinished}
    assert waiting <= {"requires_action", "pending", "failed"}, f"left unfinished: {answer.unfinished}"


async def _known(world: World) -> list[UUID]:
    rows = await world.list_rows("select payment_id from payment order by payment_id")
    return [row["payment_id"] for row in rows]


_THERE = {
    PaymentState.OPEN: {"none"},
    PaymentState.REQUIRES_ACTION: {"requires_action"},
    PaymentState.DECLINED: {"requires_payment_method", "requires_confirmation", "none"},
    PaymentState.AUTHORISED: {"requires_capture"},
    PaymentState.CAPTURED: {"succeeded"},
    PaymentState.VOIDED: {"canceled", "none", "requires_payment_method", "requires_confirmation"},
}


def _audit_payment(world: World, payment: Payment) -> None:
    where = {"metadata.payment_id": str(payment.payment_id)}
    there = world.stand_in.book.list_all("payment_intent", where)
    received = sum(each["amount_received"] for each in there)
    assert received == payment.captured.amount_minor, f"captured once or not at all: {payment}"
    assert payment.captured.amount_minor in (0, payment.amount.amount_minor)
    # An intent that was created but lost holds nothing; at most one is more than that.
    used = [each["status"] for each in there if each["latest_charge"] or each["next_action"]] or ["none"]
    live = [each for each in used if each not in ("requires_payment_method", "canceled")] or used
    assert len(live) == 1 or set(live) <= {"canceled", "requires_payment_method"}, f"{payment}: {used}"
    allowed = _THERE[payment.state]
    assert live[0] in allowed, f"{payment.state} here, {live[0]} there: {payment}"
    if payment.payment_id in world.voided:
        assert payment.state is PaymentState.VOIDED, "what was said to be voided stays so"


async def _audit_refunds(world: World, process: Process) -> None:
    there = world.stand_in.book.list_all("refund")
    counts = Counter(each["metadata"]["refund_id"] for each in there)
    assert all(count == 1 for count in counts.values()), f"refunded twice: {counts}"
    by_id = {each["metadata"]["refund_id"]: each["status"] for each in there}
    rows = await world.list_rows("select refund_id from refund")
    for refund_id in [row["refund_id"] for row in rows]:
        row = await process.store.get_refund(refund_id)
        status = by_id.get(str(refund_id), "none")
        expected = {
            RefundState.PENDING: {"pending"},
            RefundState.SUCCEEDED: {"succeeded"},
            RefundState.FAILED: {"failed", "none"},
            RefundState.REFUSED_EXCEEDS_CAPTURED: {"none"},
        }[row.refund.state]
        assert status in expected, f"refund {row.refund.state} here, {status} there: {row}"


async def _audit_events(world: World, payments: list[Payment]) -> None:
    rows = await world.list_rows("select event_type, payload from outbox")
    captured = Counter(r["payload"]["payment_id"] for r in rows if r["event_type"] == "PaymentCaptured")
    expected = {str(each.payment_id): 1 for each in payments if each.state is PaymentState.CAPTURED}
    assert captured == expected, "each capture is told once"
    paid = Counter(r["payload"]["refund_id"] for r in rows if r["event_type"] == "RefundPaid")
    outcomes = await world.list_rows("select refund_id from refund where outcome in ('paid', 'returned')")
    assert paid == {str(row["refund_id"]): 1 for row in outcomes}, "each paid refund is told once"


def _audit_ledger(world: World, payments: list[Payment], moved_minor: int) -> None:
    trial = world.ledger.books.get_trial_balance(now=NOW)
    assert trial.is_balanced
    by_id = {each.account_id: each for each in trial.balances}
    if CARD_CLEARING not in by_id:
        assert not any(each.captured.amount_minor for each in payments)
        return
    clearing, unearned, due = by_id[CARD_CLEARING], by_id[UNEARNED_FARES], by_id[REFUNDS_DUE]
    held = sum(p.amount.amount_minor for p in payments if p.state is PaymentState.AUTHORISED)
    kept = sum(p.captured.amount_minor - p.refunded.amount_minor for p in payments)
    assert (clearing.debits_pending, unearned.credits_pending) == (held, held), "held here = held there"
    # A pending refund has left the provider's balance but not card clearing: it is still due.
    assert clearing.debits_posted - clearing.credits_posted == kept, "card clearing = captured - refunded"
    assert clearing.debits_posted - clearing.credits_posted - due.net_credit == moved_minor, "= provider"
    assert unearned.net_credit + due.net_credit == kept


def _short(result: object) -> str:
    state = getattr(result, "state", result)
    return str(getattr(state, "value", state))


def main(arguments: list[str]) -> int:
    """Play SEED and print its story, or play COUNT seeds from SEED on."""
    first, count = int(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 1
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory(prefix="tsunagu-sim-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        server = PostgresForTests(folder / "postgres")
        server.start()
        try:
            for seed in range(first, first + count):
                url = server.create_database()
                story = asyncio.run(run_scenario(seed, database_url=url, folder=folder))
                server.drop_database(url)
                print(story if count == 1 else f"seed {seed}: {len(story.splitlines())} lines, agreed")  # noqa: T201
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
