"""A process that pays and refunds as fast as it can, to be killed: `python -m ... URL STAND_IN_URL KEY SEED`.

It prints `working` once it works, and `done` when every payment of the seed is captured and refunded. Ids
follow from the seed, so that the next process repeats the same commands.
"""

import asyncio
import random
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid5

import structlog

from payments.errors import ProviderUnavailable
from payments.money import yen
from payments.ports import PaymentsPort, RefundState
from services.ledger.service import build as build_ledger
from services.payments.service import build_with
from services.payments.stripe_client import StripeClient
from services.platform.clock import FixedClock
from services.platform.context import ServiceContext
from services.platform.service import Service
from tests.support.house import TestHouse, running_house

NOW = datetime(2026, 5, 20, 11, 0, tzinfo=UTC)
NAMESPACE = UUID("5b0c2f0e-3b1f-5c1e-9d57-0a1c52f0a001")
PAYMENT_COUNT = 12


def list_payment_ids(seed: int) -> list[UUID]:
    return [uuid5(NAMESPACE, f"{seed}:{number}") for number in range(PAYMENT_COUNT)]


def amount_of(payment_id: UUID) -> int:
    return 100 + payment_id.int % 5000


@asynccontextmanager
async def payments_house(
    database_url: str, stand_in_url: str, api_key: str, folder: Path
) -> AsyncIterator[TestHouse]:
    """Ledger and payments, as they are in the real house."""

    def build(context: ServiceContext) -> Service:
        client = StripeClient(api_key=api_key, api_base=stand_in_url, timeout_s=3.0, network_retries=0)
        return build_with(context, client)

    builds = {"ledger": build_ledger, "payments": build}
    async with running_house(database_url, builds, clock=FixedClock(NOW), data_dir=folder) as house:
        yield house


async def pay(port: PaymentsPort, payment_id: UUID) -> None:
    """Pay, and give a third back; every command is repeated until it is answered."""
    amount = amount_of(payment_id)
    order_id, refund_id = uuid5(payment_id, "order"), uuid5(payment_id, "refund")
    while True:
        try:
            await port.open_payment(
                payment_id=payment_id, order_id=order_id, traveller_id="t", amount=yen(amount)
            )
            await port.authorise(payment_id=payment_id, payment_method="pm_card_visa")
            await port.capture(payment_id=payment_id)
            refund = await port.refund(
                refund_id=refund_id, payment_id=payment_id, amount=yen(amount // 3), reason="test"
            )
        except ProviderUnavailable:
            await asyncio.sleep(0.05)
            continue
        if refund.state is not RefundState.PENDING:
            return


async def work(port: PaymentsPort, seed: int) -> None:
    """Pay all the seed's payments, three at a time, in any order."""
    waiting = list_payment_ids(seed)
    random.shuffle(waiting)

    async def work_on() -> None:
        while waiting:
            await pay(port, waiting.pop())

    await asyncio.gather(work_on(), work_on(), work_on())


async def run(database_url: str, stand_in_url: str, api_key: str, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with payments_house(database_url, stand_in_url, api_key, Path(folder)) as house:
            port = house.services["payments"].ports[PaymentsPort]
            print("working", flush=True)  # noqa: T201 - the parent waits for it
            await work(port, seed)  # type: ignore[arg-type]
            print("done", flush=True)  # noqa: T201


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    asyncio.run(run(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
