"""The ledger service, built."""

import asyncio
from pathlib import Path

from payments.ports import LedgerPort
from services.ledger.handlers import LedgerHandlers
from services.ledger.past_routes import build_past_routes
from services.ledger.questions import LedgerQuestions
from services.ledger.routes import build_routes
from services.ledger.seal_routes import build_seal_routes
from services.ledger.sealing import Sealer
from services.ledger.store import LedgerStore
from services.platform.context import ServiceContext
from services.platform.service import Service

_EXPIRE_EVERY_S = 5.0
_SEAL_EVERY_S = 60.0


def build(context: ServiceContext) -> Service:
    """Wire the store, the port and the endpoints."""
    store = LedgerStore(context.database)
    handlers = LedgerHandlers(store, context.clock)
    sealer = Sealer(context.database, store)
    questions = LedgerQuestions(context.database, store)

    async def expire_holds() -> None:
        # Balances and bounds leave a hold out as soon as it ends; this only keeps the working set small.
        while True:
            await store.expire_due_holds(now=context.clock.now())
            await asyncio.sleep(_EXPIRE_EVERY_S)

    async def seal() -> None:
        while True:
            await sealer.seal_due(now=context.clock.now())
            await asyncio.sleep(_SEAL_EVERY_S)

    async def check_ready() -> None:
        await context.database.fetchval("select 1 from accounts limit 1")

    return Service(
        name="ledger",
        context=context,
        migrations=Path(__file__).with_name("migrations"),
        routes=[
            *build_routes(handlers, store, questions, context.clock),
            *build_past_routes(questions, context.clock),
            *build_seal_routes(sealer, questions, context.clock),
        ],
        ports={LedgerPort: handlers},
        workers=[expire_holds, seal],
        readiness=check_ready,
    )
