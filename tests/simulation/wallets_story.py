"""What happens in a story of wallets, travel and debts: customers, the collecting worker, days that pass.

People    ann has a wallet that fills itself and a good card; ben a card that declines when he is not there,
          and no wallet; mom's wallet pays for ben within a mandate; cas has nothing.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from payments.collection import CITY
from payments.mandates import Mandate, MandateProduct
from payments.money import yen
from payments.payment import MANDATE_PREFIX, WALLET
from payments.ports import Charge, ChargeStatus, PaymentState
from payments.wallets import AutoTopUp
from services.payments.stand_in import payouts
from services.payments.stand_in.server import answer_late_ones
from tests.simulation.payments_story import begin_webhook, disturb, void
from tests.simulation.payments_world import NOW, Process, World

ANN, BEN, CAS, MOM = PEOPLE = ("ann", "ben", "cas", "mom")
VISA, DECLINED, ASKS = "pm_card_visa", "pm_card_chargeDeclined", "pm_card_threeDSecure2Required"
STEPS_OF_ROOMS = 4
"""These rooms stop at each of their statements, not only at calls outwards."""
MANDATE_ID = UUID(int=1)
DAY_MINOR_MAX = 700


async def play(world: World, steps: int) -> None:
    """Begin, advance and kill tasks, let days pass, and let the world around do its worst."""
    await furnish(world)
    for _ in range(steps * STEPS_OF_ROOMS):
        if world.stage.running_count < 3 and world.rng.random() < 0.3:
            await begin_command(world)
        if world.rng.random() < 0.04:
            disturb(world)
        if world.rng.random() < 0.02:
            pass_a_day(world)
        await world.stage.step(kill_chance=0.012)
    await world.stage.finish()


def pass_a_day(world: World) -> None:
    """To ten past five of the next morning, when the service day is over."""
    local = world.clock.now().astimezone(CITY)
    at = datetime(local.year, local.month, local.day, 5, 10, tzinfo=CITY) + timedelta(days=1)
    world.clock.set(at)
    world.stage.log.append(f"it is {at:%m-%d}")


async def furnish(world: World) -> None:
    """Wallets, cards and a mandate, and something in the wallets."""
    process = world.process(staged=False)
    for name, card in ((ANN, VISA), (BEN, "pm_card_chargeCustomerFail"), (MOM, VISA)):
        method_id = world.uuid()
        world.method_ids.append(method_id)
        await process.methods.save_method(method_id=method_id, customer_id=name, payment_method=card)
    for name, amount in ((ANN, world.rng.choice([700, 6000])), (MOM, 2000)):
        await process.wallets.store.open_wallet(name, world.clock.now())
        await process.wallets.top_ups.request(
            top_up_id=world.uuid(), traveller_id=name, amount=yen(amount), payment_method=VISA
        )
    auto = AutoTopUp(threshold_minor=0, amount_minor=500, day_ceiling_minor=1500)
    await process.wallets.store.set_auto_top_up(ANN, auto)
    mandate = Mandate(
        mandate_id=MANDATE_ID,
        payer_id=MOM,
        traveller_id=BEN,
        products=frozenset(MandateProduct),
        modes=frozenset(),
        ride_minor_max=None,
        day_minor_max=DAY_MINOR_MAX,
        month_minor_max=None,
        valid_from=NOW,
        valid_until=NOW + timedelta(days=60),
    )
    await process.mandates.store.insert(mandate)
    await process.mandates.store.accept(MANDATE_ID, NOW)
    if world.rng.random() < 0.5:
        await owe_something(world, process)


async def owe_something(world: World, process: Process) -> None:
    """A day of rides is over: a card was declined, and who has none owes too."""
    charges = [
        _charge(world, who, amount) for who, amount in ((ANN, 210), (BEN, 600), (BEN, 178), (CAS, 178))
    ]
    world.charges.update({each.charge_id: each for each in charges})
    await _charge_all(world, process, charges)
    pass_a_day(world)
    await process.collection.worker.step(at_once=True)


async def begin_command(world: World) -> None:
    """Start one command of a customer, a webhook, or a round of a worker."""
    process = world.process()
    debts = await world.list_rows(
        "select bill_id from bill where state in ('owed', 'written_off') order by bill_id"
    )
    orders = await world.list_rows(
        "select payment_id, state from payment where purpose = 'order' order by payment_id"
    )
    states = {row["payment_id"]: PaymentState(row["state"]) for row in orders}
    held = [each for each, state in states.items() if state is PaymentState.AUTHORISED]
    taken = [each for each, state in states.items() if state is PaymentState.CAPTURED]
    begun = [each for each, state in states.items() if state in (PaymentState.OPEN, PaymentState.DECLINED)]
    commands: list[tuple[float, Callable[[], None]]] = [
        (3, lambda: _begin_charge(world, process)),
        (1 if len(begun) < 3 else 0, lambda: _begin_open(world, process)),
        (3 if begun else 0, lambda: _begin_authorise(world, process, begun)),
        (3 if held else 0, lambda: _begin_capture(world, process, held)),
        (0.3 if held else 0, lambda: _begin_void(world, process, held)),
        (2 if taken else 0, lambda: _begin_refund(world, process, taken)),
        (0.5, lambda: _begin_authorise(world, process, world.payment_ids)),
        (1.5, lambda: _begin_top_up(world, process)),
        (5, lambda: world.stage.start("collect", process.collection.worker.step(at_once=True))),
        (1, lambda: world.stage.start("recover", process.recovery.step(at_once=True))),
        (1, lambda: begin_webhook(world, process)),
        (0.2, lambda: world.stage.start("close", process.closing.begin(ANN))),
        (0.2, lambda: world.stage.start("open", process.wallets.store.open_wallet(ANN, world.clock.now()))),
        (0.4, lambda: _begin_new_card(world, process)),
        (2 if debts else 0, lambda: _begin_bill(world, process, [row["bill_id"] for row in debts])),
    ]
    [begin] = world.rng.choices([each for _, each in commands], [weight for weight, _ in commands])
    begin()


def _begin_charge(world: World, process: Process) -> None:
    """A few rides at once, some of them told before; or a part of a ride is given back."""
    rng = world.rng
    charges = [
        _charge(world, rng.choice((ANN, ANN, BEN, BEN, CAS)), rng.choice([30, 178, 210, 600]))
        for _ in range(rng.choice([1, 1, 2]))
    ]
    if world.charges and rng.random() < 0.4:
        charges.append(rng.choice(list(world.charges.values())))
    # Only of what was charged something is given back: whoever tells of a ride tells until it is heard.
    heard = [each for key, each in world.charges.items() if key in world.charged]
    if heard and rng.random() < 0.25:
        earlier = rng.choice(heard)
        if earlier.amount.amount_minor > 0:
            charges.append(_give_back(earlier))
    world.charges.update({each.charge_id: each for each in charges})
    world.stage.start(f"charge {len(charges)}", _charge_all(world, process, charges))


def _charge(world: World, who: str, amount: int) -> Charge:
    charge_id = world.uuid()
    return Charge(
        charge_id=charge_id,
        customer_id=who,
        amount=yen(amount),
        reference=f"travel:{charge_id}",
        service_date=world.clock.now().astimezone(CITY).date(),
        modes=("subway",),
    )


def _give_back(earlier: Charge) -> Charge:
    return Charge(
        charge_id=uuid5(earlier.charge_id, "less"),
        customer_id=earlier.customer_id,
        amount=yen(-earlier.amount.amount_minor // 2),
        reference=earlier.reference,
        service_date=earlier.service_date,
    )


async def _charge_all(world: World, process: Process, charges: Sequence[Charge]) -> list[ChargeStatus]:
    statuses = await process.collection.charging.charge(charges=charges)
    world.charged.update(each.charge_id for each in charges)
    return statuses


def _begin_open(world: World, process: Process) -> None:
    rng, payment_id = world.rng, world.uuid()
    world.payment_ids.append(payment_id)
    who, amount = rng.choice((ANN, ANN, BEN)), yen(rng.choice([100, 250, 900]))
    opening = process.handlers.open_payment(
        payment_id=payment_id, order_id=world.uuid(), traveller_id=who, amount=amount, modes=("ferry",)
    )
    world.stage.start(f"open {who} {amount.amount_minor}", opening)


def _begin_authorise(world: World, process: Process, payment_ids: Sequence[UUID]) -> None:
    if payment_ids:
        method = world.rng.choice([WALLET, WALLET, f"{MANDATE_PREFIX}{MANDATE_ID}", VISA])
        work = process.handlers.authorise(payment_id=world.rng.choice(payment_ids), payment_method=method)
        world.stage.start(f"authorise {method[:7]}", work)


def _begin_capture(world: World, process: Process, payment_ids: Sequence[UUID]) -> None:
    world.stage.start("capture", process.handlers.capture(payment_id=world.rng.choice(payment_ids)))


def _begin_void(world: World, process: Process, payment_ids: Sequence[UUID]) -> None:
    world.stage.start("void", void(world, process, world.rng.choice(payment_ids)))


def _begin_refund(world: World, process: Process, payment_ids: Sequence[UUID]) -> None:
    rng, payment_id = world.rng, world.rng.choice(payment_ids)
    number, amount = rng.choice([1, 2]), rng.choice([60, 100])
    refund_id = uuid5(payment_id, f"refund {number}")
    _, known = world.refund_ids.setdefault(refund_id, (payment_id, amount))
    work = process.handlers.refund(
        refund_id=refund_id,
        payment_id=payment_id,
        amount=yen(known),
        reason="sailing_cancelled",
        to_wallet=number == 2,
    )
    world.stage.start(f"refund {known}", work)


def _begin_top_up(world: World, process: Process) -> None:
    rng = world.rng
    if world.top_up_ids and rng.random() < 0.4:
        top_up_id = rng.choice(world.top_up_ids)
    else:
        top_up_id = world.uuid()
        world.top_up_ids.append(top_up_id)
    # A repeat says the same: its amount and card follow from the id.
    card = (VISA, VISA, VISA, DECLINED, ASKS)[top_up_id.int % 5]
    work = process.wallets.top_ups.request(
        top_up_id=top_up_id, traveller_id=ANN, amount=yen(300), payment_method=card
    )
    world.stage.start(f"top up {card}", work)


def _begin_new_card(world: World, process: Process) -> None:
    """Ben's bank has a new card for him, and he lets the old one go."""
    old_id, new_id = world.method_ids[1], uuid5(world.method_ids[1], "new")

    async def change() -> Any:
        await process.methods.save_method(method_id=new_id, customer_id=BEN, payment_method=VISA)
        return await process.methods.detach_method(method_id=old_id, customer_id=BEN)

    world.stage.start("new card", change())


def _begin_bill(world: World, process: Process, bill_ids: Sequence[UUID]) -> None:
    bill_id, what = world.rng.choice(bill_ids), world.rng.choice([VISA, VISA, WALLET, ASKS, DECLINED, "loss"])
    bills = process.collection.bills
    if what == "loss":
        world.stage.start("give up", bills.write_off(bill_id, reason="bereavement"))
    else:
        world.stage.start(f"pay bill {what}", bills.pay(bill_id, payment_method=what))


async def recover(world: World) -> None:
    """All works again: late effects come, some webhooks arrive, and two mornings' rounds are done."""
    stand_in = world.stand_in
    stand_in.faults.clear()
    answer_late_ones(stand_in)
    with stand_in.book.transaction():
        for payout in stand_in.book.list_all("payout"):
            payouts.complete_reconciliation(stand_in.desk(), payout["id"])
    process = world.process(staged=False)
    for event in stand_in.book.list_all("event"):
        if world.rng.random() < 0.25 or event["type"] == "payment_intent.canceled":
            await world.bring(process.recovery, event)
    for day in range(3):
        if day:
            pass_a_day(world)
        for _ in range(3):
            await let_leases_end(world)
            await process.recovery.step(at_once=True)
            await process.collection.worker.step(at_once=True)


async def let_leases_end(world: World) -> None:
    """Half a minute passes: what a worker that died had taken is free again."""
    await world.database.execute("update bill set leased_until = '-infinity'")
    await world.database.execute("update customer set draw_at = '-infinity' where draw_at is not null")
    await world.database.execute("update charge_refused set next_attempt_at = '-infinity'")
