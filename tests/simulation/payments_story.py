"""What happens in a payments story: clients, webhooks, the worker, and a hostile world around them."""

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

from payments.money import yen
from payments.ports import Payment, PaymentState
from services.payments.stand_in import balance, disputes, intents, payouts, refunds, setups
from services.payments.stand_in.errors import ApiError
from services.payments.stand_in.faults import Fault, FaultKind
from services.payments.stand_in.server import StandIn, answer_late_ones
from tests.simulation.payments_world import Process, World

CARDS = {
    "pm_card_visa": 8,
    "pm_card_threeDSecure2Required": 3,
    "pm_card_chargeDeclined": 2,
    "pm_card_pendingRefund": 2,
    "pm_card_refundFail": 1,
    "pm_card_createDispute": 1,
}
KEPT_CARDS = {
    "pm_card_visa": 4,
    "pm_card_authenticationRequiredOnSetup": 2,
    "pm_card_chargeCustomerFail": 1,
    "pm_card_chargeDeclined": 1,
}
FAULTS = [
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_AFTER,
    FaultKind.DROP_LATE,
    FaultKind.ERROR_BEFORE,
    FaultKind.ERROR_AFTER,
    FaultKind.RATE_LIMITED,
]
PAYER = "t"


async def play(world: World, steps: int) -> None:
    """Begin, advance and kill tasks, and let the world around do its worst."""
    await take_some_money(world)
    for _ in range(steps):
        if world.stage.running_count < 3 and world.rng.random() < 0.3:
            begin_command(world)
        if world.rng.random() < 0.08:
            disturb(world)
        await world.stage.step(kill_chance=0.012)
    await world.stage.finish()


async def take_some_money(world: World) -> None:
    """Captured payments to refund, dispute and pay out: most stories need some from the start."""
    process = world.process(staged=False)
    for _ in range(world.rng.choice([0, 1, 1, 2])):
        payment_id = world.uuid()
        world.payment_ids.append(payment_id)
        await process.handlers.open_payment(
            payment_id=payment_id,
            order_id=world.uuid(),
            traveller_id=PAYER,
            amount=yen(world.rng.choice([4_720, 99_999])),
        )
        card = world.rng.choice(["pm_card_visa", "pm_card_pendingRefund", "pm_card_refundFail"])
        await process.handlers.authorise(payment_id=payment_id, payment_method=card)
        await process.handlers.capture(payment_id=payment_id)


def begin_command(world: World) -> None:
    """Start one command of a client, a webhook or the recovery worker."""
    rng, process = world.rng, world.process()
    if not world.payment_ids or (len(world.payment_ids) < 6 and rng.random() < 0.2):
        return _begin_open(world, process)
    payment_id = rng.choice(world.payment_ids)
    there = world.stand_in.book.list_all("payment_intent", {"metadata.payment_id": str(payment_id)})
    taken = any(each["status"] == "succeeded" for each in there)
    commands: list[tuple[float, Callable[[], None]]] = [
        (0.5 if taken else 5, lambda: _begin_authorise(world, process, payment_id)),
        (1 if taken else 4, lambda: _begin_capture(world, process, payment_id)),
        (0.4, lambda: world.stage.start("void", void(world, process, payment_id))),
        (6 if taken else 0.3, lambda: _begin_refund(world, process, payment_id)),
        (3, lambda: begin_webhook(world, process)),
        (0.7, lambda: world.stage.start("recover", process.recovery.step(at_once=True))),
        (0.5, lambda: world.stage.start("collect", process.collector.step(at_once=True))),
        (1.2, lambda: _begin_keep(world, process)),
        (0.3, lambda: _begin_detach(world, process)),
        (0.2 if taken else 1.5, lambda: _begin_off_session(world, process, payment_id)),
    ]
    [begin] = rng.choices([each for _, each in commands], [weight for weight, _ in commands])
    return begin()


def _begin_open(world: World, process: Process) -> None:
    payment_id = world.uuid()
    world.payment_ids.append(payment_id)
    amount = world.rng.choice([40, 50, 110, 4_720, 99_999])
    opening = process.handlers.open_payment(
        payment_id=payment_id, order_id=world.uuid(), traveller_id=PAYER, amount=yen(amount)
    )
    world.stage.start(f"open {amount}", opening)


def _begin_authorise(world: World, process: Process, payment_id: UUID) -> None:
    [method] = world.rng.choices(list(CARDS), list(CARDS.values()))
    work = process.handlers.authorise(payment_id=payment_id, payment_method=method)
    world.stage.start(f"authorise {method}", work)


def _begin_capture(world: World, process: Process, payment_id: UUID) -> None:
    world.stage.start("capture", process.handlers.capture(payment_id=payment_id))


async def void(world: World, process: Process, payment_id: UUID) -> Payment:
    """Let a payment go, and remember that it was said to be."""
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


def begin_webhook(world: World, process: Process) -> None:
    """Any event of the provider is brought, perhaps again."""
    events = world.stand_in.book.list_all("event")
    if events:
        event = world.rng.choice(events)
        world.stage.start(f"webhook {event['type']}", world.deliver(process.recovery, event))


def _begin_keep(world: World, process: Process) -> None:
    if world.method_ids and world.rng.random() < 0.4:
        method_id = world.rng.choice(world.method_ids)
    else:
        method_id = world.uuid()
        world.method_ids.append(method_id)
    # A repeat names the same card: its choice follows from the id.
    [card] = random.Random(method_id.int).choices(list(KEPT_CARDS), list(KEPT_CARDS.values()))
    work = process.methods.save_method(method_id=method_id, customer_id=PAYER, payment_method=card)
    world.stage.start(f"keep {card}", work)


def _begin_detach(world: World, process: Process) -> None:
    if world.method_ids:
        method_id = world.rng.choice(world.method_ids)
        work = process.methods.detach_method(method_id=method_id, customer_id=PAYER)
        world.stage.start("detach", work)


def _begin_off_session(world: World, process: Process, payment_id: UUID) -> None:
    if world.method_ids:
        method_id = world.rng.choice(world.method_ids)
        work = process.methods.authorise_off_session(payment_id=payment_id, method_id=method_id)
        world.stage.start("charge kept card", work)


def disturb(world: World) -> None:
    """Something goes wrong, or somebody outside acts: the payer, their bank, the provider."""
    rng, stand_in = world.rng, world.stand_in
    if rng.random() < 0.5:
        stand_in.faults.add(Fault(kind=rng.choice(FAULTS), method=rng.choice(["POST", "POST", "GET"])))
        return
    if rng.random() < 0.3:
        answer_late_ones(stand_in)
        return
    with stand_in.book.transaction(), suppress(ApiError):
        _disturb_object(rng, stand_in)


def _disturb_object(rng: random.Random, stand_in: StandIn) -> None:
    book, desk = stand_in.book, stand_in.desk()
    acting = book.list_all("payment_intent", {"status": "requires_action"})
    asking = book.list_all("setup_intent", {"status": "requires_action"})
    held = book.list_all("payment_intent", {"status": "requires_capture"})
    refunded = book.list_all("refund")
    if rng.random() < 0.4:
        _move_the_balance(rng, stand_in)
    elif acting and rng.random() < 0.5:
        intent = rng.choice(acting)
        intents.authenticate(desk, intent["id"], intent["client_secret"], approved=rng.random() < 0.7)
    elif asking and rng.random() < 0.5:
        setup = rng.choice(asking)
        setups.authenticate(desk, setup["id"], setup["client_secret"], approved=rng.random() < 0.7)
    elif held and rng.random() < 0.2:
        intents.expire(desk, rng.choice(held)["id"])
    elif refunded and rng.random() < 0.5:
        _conclude_refund(rng, stand_in, rng.choice(refunded))
    else:
        _move_the_balance(rng, stand_in)


def _conclude_refund(rng: random.Random, stand_in: StandIn, refund: dict[str, Any]) -> None:
    """Only cards whose bank is slow or refuses do anything with a refund afterwards."""
    pending = refund["status"] == "pending"
    charge = stand_in.book.get("charge", refund["charge"])
    method = stand_in.book.get("payment_method", charge["payment_method"])
    if pending or method["metadata"]["test_card"] == "pm_card_refundFail":
        status = "succeeded" if pending and rng.random() < 0.7 else "failed"
        refunds.conclude(stand_in.desk(), refund["id"], status)


def _move_the_balance(rng: random.Random, stand_in: StandIn) -> None:
    book, desk = stand_in.book, stand_in.desk()
    charges = [each for each in book.list_all("charge") if each["captured"] and not each["disputed"]]
    undecided = [each for each in book.list_all("dispute") if each["status"] not in ("won", "lost")]
    paid_out = book.list_all("payout")
    if undecided and rng.random() < 0.4:
        disputes.conclude(desk, rng.choice(undecided)["id"], rng.choice(["won", "lost"]))
    elif charges and rng.random() < 0.25:
        disputes.open_dispute(desk, rng.choice(charges)["id"], "fraudulent")
    elif paid_out and rng.random() < 0.5:
        payout = rng.choice(paid_out)
        if rng.random() < 0.6:
            payouts.complete_reconciliation(desk, payout["id"])
        else:
            payouts.conclude(desk, payout["id"], rng.choice(["paid", "paid", "failed"]))
    else:
        balance.make_available(book)
        payouts.pay_out(desk)


async def recover(world: World) -> None:
    """All works again: late effects come, payouts are itemised; some webhooks arrive, others never do."""
    stand_in = world.stand_in
    stand_in.faults.clear()
    answer_late_ones(stand_in)
    with stand_in.book.transaction():
        for payout in stand_in.book.list_all("payout"):
            payouts.complete_reconciliation(stand_in.desk(), payout["id"])
    process = world.process(staged=False)
    for event in stand_in.book.list_all("event"):
        # Three in four are lost for good, of whatever kind.
        if world.rng.random() < 0.25:
            await world.bring(process.recovery, event)
    for _ in range(2):
        await process.recovery.step(at_once=True)
