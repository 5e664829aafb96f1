"""A process that charges, tops up, pays from wallets and collects as fast as it can, to be killed.

`python -m ... URL STAND_IN_URL KEY SEED`. It prints `working` once it works, and `done` when nothing is left
to do. Ids follow from the seed, so that the next process repeats the same commands. Six customers: two with
a card, two with a wallet that fills itself, two with a wallet alone, which will owe.
"""

import asyncio
import random
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import structlog

from payments.errors import ProviderUnavailable
from payments.money import yen
from payments.ports import Charge, CollectionPort, PaymentsPort, PaymentState, SavedMethodsPort
from payments.wallets import AutoTopUp
from services.payments.collecting.worker import CollectionWorker
from services.payments.wallets.room import Wallets
from tests.services.payments.payer_process import payments_house
from tests.support.house import TestHouse

NAMESPACE = UUID("5b0c2f0e-3b1f-5c1e-9d57-0a1c52f0a003")
DAY = date(2026, 5, 20)
MORNING = datetime(2026, 5, 20, 21, 0, tzinfo=UTC)  # 06:00 of the next day in Tokyo
CUSTOMERS = 6
RIDES = 4
ORDER = 200
GIVEN_BACK = 50


def name_of(number: int) -> str:
    return f"c{number}"


def charges_of(seed: int, number: int) -> list[Charge]:
    """Four rides, and a correction of the first one."""
    dice = random.Random(f"{seed}:{number}")
    amounts = [dice.randint(100, 400) for _ in range(RIDES)] + [-GIVEN_BACK]
    return [
        Charge(
            charge_id=uuid5(NAMESPACE, f"{seed}:{number}:{place}"),
            customer_id=name_of(number),
            amount=yen(amount),
            reference=f"travel:{number}:{place % RIDES}",
            service_date=DAY,
        )
        for place, amount in enumerate(amounts)
    ]


def order_of(seed: int, number: int) -> UUID:
    """The order that a customer with a wallet pays from it."""
    return uuid5(NAMESPACE, f"{seed}:{number}:order")


def has_card(number: int) -> bool:
    return number % 3 != 2


def has_wallet(number: int) -> bool:
    return number % 3 != 0


class Desk:
    """The payments of one house, as a caller and its clock see them."""

    def __init__(self, house: TestHouse) -> None:
        service = house.services["payments"]
        ports: Any = service.ports
        self.payments: PaymentsPort = ports[PaymentsPort]
        self.collection: CollectionPort = ports[CollectionPort]
        self.cards: SavedMethodsPort = ports[SavedMethodsPort]
        collect: Any = service.workers[1]
        self.worker: CollectionWorker = collect.__self__
        recover: Any = service.workers[0]
        self.recovery = recover.__self__
        draws: Any = self.worker._parts["draws"]
        self.wallets: Wallets = draws.__self__._wallets
        self.clock: Any = service.context.clock
        self.database = service.context.database


async def until_answered(act: Callable[[], Awaitable[Any]]) -> Any:
    while True:
        try:
            return await act()
        except (ProviderUnavailable, ConnectionError):
            await asyncio.sleep(0.05)


async def prepare(desk: Desk, number: int) -> None:
    name = name_of(number)
    if has_card(number):
        await until_answered(
            lambda: desk.cards.save_method(
                method_id=uuid5(NAMESPACE, f"card:{number}"),
                customer_id=name,
                payment_method="pm_card_visa",
            )
        )
    if has_wallet(number):
        await desk.wallets.store.open_wallet(name, desk.clock.now())
        auto = AutoTopUp(threshold_minor=0, amount_minor=500, day_ceiling_minor=5000)
        await desk.wallets.store.set_auto_top_up(name, auto if has_card(number) else None)
        await until_answered(
            lambda: desk.wallets.top_ups.request(
                top_up_id=uuid5(NAMESPACE, f"top-up:{number}"),
                traveller_id=name,
                amount=yen(700),
                payment_method="pm_card_visa",
            )
        )


async def pay_order(desk: Desk, seed: int, number: int) -> None:
    payment_id = order_of(seed, number)

    async def pay() -> None:
        await desk.payments.open_payment(
            payment_id=payment_id,
            order_id=uuid5(payment_id, "order"),
            traveller_id=name_of(number),
            amount=yen(ORDER),
            modes=["ferry"],
        )
        await desk.payments.authorise(payment_id=payment_id, payment_method="wallet")
        taken = await desk.payments.capture(payment_id=payment_id)
        if taken.state is PaymentState.CAPTURED:
            await desk.payments.refund(
                refund_id=uuid5(payment_id, "refund"),
                payment_id=payment_id,
                amount=yen(GIVEN_BACK),
                reason="test",
            )

    await until_answered(pay)


async def live(desk: Desk, seed: int, number: int) -> None:
    """One customer's day."""
    await prepare(desk, number)
    charges = charges_of(seed, number)
    random.shuffle(charges)
    for part in (charges[:2], charges[1:], charges):
        await until_answered(lambda part=part: desk.collection.charge(charges=part))  # type: ignore[misc]
    if has_wallet(number):
        await pay_order(desk, seed, number)


async def collect_all(desk: Desk) -> None:
    """The next morning: the worker's rounds, until nothing is on its way any more."""
    desk.clock.set(MORNING)
    on_its_way = (
        "select (select count(*) from customer where gather_at is not null)"
        " + (select count(*) from bill where state in ('collecting', 'giving_back', 'writing_off'))"
        " + (select count(*) from collection_try where state = 'open')"
        " + (select count(*) from top_up where state = 'open')"
        " + (select count(*) from charge_batch where posted_at is null)"
        " + (select count(*) from charge_refused)"
        " + (select count(*) from refund where state = 'pending')"
    )
    async with asyncio.timeout(60):
        while await desk.database.fetchval(on_its_way):
            await desk.recovery.step(at_once=True)
            await desk.database.execute("update bill set leased_until = '-infinity'")
            await desk.database.execute("update charge_refused set next_attempt_at = clock_timestamp()")
            await desk.worker.step(at_once=True)
            await asyncio.sleep(0.02)


async def work(desk: Desk, seed: int) -> None:
    """Everyone's day, three at a time, then the morning."""
    waiting = list(range(CUSTOMERS))
    random.shuffle(waiting)

    async def work_on() -> None:
        while waiting:
            await live(desk, seed, waiting.pop())

    await asyncio.gather(work_on(), work_on(), work_on())
    await collect_all(desk)


async def run(database_url: str, stand_in_url: str, api_key: str, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with payments_house(database_url, stand_in_url, api_key, Path(folder)) as house:
            print("working", flush=True)  # noqa: T201 - the parent waits for it
            await work(Desk(house), seed)
            print("done", flush=True)  # noqa: T201


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    asyncio.run(run(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
