"""Rides in, statements and bank files out, on the real ledger; and the same after every crash."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from maas.events import PassEarned, RideRated, SettlementBatchClosed
from payments.accounts import (
    BANK_CASH,
    COMMISSION,
    CONSUMPTION_TAX,
    SETTLEMENT_CLEARING,
    UNEARNED_FARES,
    operator_payable,
)
from payments.errors import RefundExceedsShare, TransferRefused
from payments.money import split_exactly
from payments.ports import LedgerPort
from services.ledger.service import build as build_ledger
from services.platform.auth import Role
from services.platform.clock import FixedClock
from services.settlement.runs import Runs
from services.settlement.service import build as build_settlement
from tests.support.house import running_house
from tests.support.settlement_city import NAMES, START, City


async def test_a_ride_earns_its_operators_once(city: City) -> None:
    ride, event_id = city.ride({"Toei": 328, "Yurikamome": 133}), uuid4()
    await city.deliver(ride, event_id)
    await city.deliver(ride, event_id)  # the same delivery again
    await city.deliver(ride)  # and the same ride in another event
    # 5 % of 328 is 16.4 and of 133 is 6.65; the odd yen falls down
    assert await city.credit(operator_payable("Toei")) == 328 - 16
    assert await city.credit(operator_payable("Yurikamome")) == 133 - 6
    assert await city.credit(COMMISSION) == 22
    assert await city.credit(UNEARNED_FARES) == 1_000_000 - 461
    await city.check()


async def test_a_pass_that_is_over_earns_its_operators_once(city: City) -> None:
    event = PassEarned(
        pass_id=uuid4(),
        amount_minor=900,
        shares={"Toei": 263, "Yurikamome": 637},
        earned_at=city.clock.now(),
    )
    for _ in range(2):
        await city.deliver(event)
    # 5 % of 263 is 13.15, of 637 31.85; the odd yen falls down
    assert await city.credit(operator_payable("Toei")) == 263 - 13
    assert await city.credit(operator_payable("Yurikamome")) == 637 - 31
    assert await city.credit(UNEARNED_FARES) == 1_000_000 - 900
    await city.check()


async def test_a_ride_whose_answer_was_lost_is_earned_once_even_if_the_agreement_changed(city: City) -> None:
    ride = city.ride({"Toei": 1000})
    earnings = city._subscriptions["RideRated"].handler

    async def die(*_: Any, **__: Any) -> None:
        raise ConnectionError("the answer was lost")

    class Dead:
        open_accounts = staticmethod(die)
        post = staticmethod(die)

    ports = city.settlement.context.ports
    alive, ports._local[LedgerPort] = ports._local[LedgerPort], Dead()
    with pytest.raises(ConnectionError):
        async with city.settlement.context.database.transaction() as tx:
            await earnings(tx, ride, None)
    ports._local[LedgerPort] = alive
    city.clock.set(START + timedelta(hours=1))
    await city.agree("Toei", NAMES["Toei"], 2000)
    await city.deliver(ride)
    assert await city.credit(operator_payable("Toei")) == 950


async def test_a_refused_ride_is_raised_and_posted_when_the_reason_is_gone(city: City) -> None:
    ride = city.ride({"Toei": 1_000_001})
    for _ in range(3):
        with pytest.raises(TransferRefused, match="exceeds_credits"):
            await city.deliver(ride)
    assert await city.credit(operator_payable("Toei")) == 0
    await city.fund(1)
    await city.deliver(ride)
    await city.deliver(ride)
    assert await city.credit(operator_payable("Toei")) == 1_000_001 - 50_000
    assert await city.credit(UNEARNED_FARES) == 0
    await city.check()


async def test_an_earned_fare_goes_back_with_its_commission(city: City) -> None:
    ride = city.ride({"Toei": 328, "Yurikamome": 133})
    refund = city.refund(ride, {"Toei": 328, "Yurikamome": 100})
    with pytest.raises(RefundExceedsShare, match="earned nothing"):
        await city.deliver(refund)  # it overtook the ride
    await city.deliver(ride)
    await city.deliver(refund)
    await city.deliver(refund)
    assert await city.credit(operator_payable("Toei")) == 0
    # Yurikamome: 33 and the commission of 6 less 6 * 100 / 133 = 4.5 -> 4
    assert await city.credit(operator_payable("Yurikamome")) == 33 - 2
    assert await city.credit(COMMISSION) == 2
    with pytest.raises(RefundExceedsShare):
        await city.deliver(city.refund(ride, {"Yurikamome": 34}))
    await city.check()


@pytest.mark.parametrize("first", ["ride", "refund"])
async def test_a_fare_rated_while_it_was_being_refunded_is_not_paid_twice(city: City, first: str) -> None:
    ride = city.ride({"Toei": 1000})
    refund = replace(city.refund(ride, {"Toei": 700}, was_earned=False), fee_shares={"Toei": 300})
    for event in [ride, refund] if first == "ride" else [refund, ride]:
        await city.deliver(event)
        await city.deliver(event)
    # The traveller gets 700 of the 1000, so Toei keeps the fee of 300 less 5 %.
    assert await city.credit(operator_payable("Toei")) == 285
    assert await city.credit(UNEARNED_FARES) == 1_000_000 - 300
    await city.check()


async def test_a_fare_given_back_whole_earns_nothing_more(city: City) -> None:
    ride = city.ride({"Toei": 328, "Yurikamome": 133})
    await city.deliver(city.refund(ride, {"Toei": 328, "Yurikamome": 133}, was_earned=False))
    await city.deliver(ride)
    assert await city.credit(UNEARNED_FARES) == 1_000_000


async def test_the_whole_run(city: City) -> None:
    order_id = uuid4()
    await city.deliver(city.ride({"Toei": 220}, order_id=order_id))
    await city.deliver(city.ride({"Yurikamome": 320}, order_id=order_id, index=1))
    ship = city.ride({"3010401020097": 7210}, order_id=order_id, index=2)
    await city.deliver(ship)
    run = await city.run()
    assert run["state"] == "instructed"
    assert run["entry_count"] == 6
    statements = {each["operator_id"]: each for each in run["statements"]}
    # commission 5 %, tax 10 % of it, both down: 220 - 11 - 1; 320 - 16 - 1; 7210 - 360 - 36
    nets = {"Toei": 208, "Yurikamome": 303, "3010401020097": 6814}
    assert {name: each["net"]["amount_minor"] for name, each in statements.items()} == nets
    assert statements["3010401020097"]["commission_tax"]["amount_minor"] == 36
    positions = {each["participant"]: each["net"]["amount_minor"] for each in run["positions"]}
    assert positions == {**nets, "platform": -7325}
    # gross 7750 + 387 + 38; net 7325
    assert (run["gross"]["amount_minor"], run["net"]["amount_minor"]) == (8175, 7325)
    assert run["efficiency_bp"] == (8175 - 7325) * 10_000 // 8175
    assert {each["payee"]: each["amount"]["amount_minor"] for each in run["payments"]} == nets
    assert run["pay_on"] == "2026-05-21"
    assert await city.credit(SETTLEMENT_CLEARING) == 7325
    assert await city.credit(CONSUMPTION_TAX) == 38
    await _check_bank_files(city, run)
    await _check_statement(city, run["batch_id"], ship)
    await _check_confirmation(city, run["batch_id"])
    await city.check()


async def _check_bank_files(city: City, run: Any) -> None:
    assert run["bank_files"] == ["zengin", "pain001"]
    status, zengin = await city.call("GET", f"runs/{run['batch_id']}/bank-files/zengin")
    assert status == 200
    records = zengin.split(b"\r\n")[:-1]
    assert [record[:1] for record in records] == [b"1", b"2", b"2", b"2", b"8", b"9"]
    assert records[-2][1:19] == b"000003" + b"000000007325"
    status, pain = await city.call("GET", f"runs/{run['batch_id']}/bank-files/pain001")
    assert status == 200
    assert pain.count(b"<CdtTrfTxInf>") == 3
    assert b"<CtrlSum>7325</CtrlSum>" in pain
    status, _ = await city.call("GET", f"runs/{run['batch_id']}/bank-files/csv")
    assert status == 422


async def _check_statement(city: City, batch_id: str, ship: RideRated) -> None:
    path = f"runs/{batch_id}/statements/3010401020097"
    status, statement = await city.call("GET", path)
    assert status == 200
    assert [(each["code"], each["amount_minor"]) for each in statement["lines"]] == [
        ("ride", 7210),
        ("commission", -360),
    ]
    assert statement["lines"][0]["reference"] == f"order:{ship.order_id}"
    invoice = statement["invoice"]
    assert invoice["issuer_registration_number"] == "T1234567890123"
    assert (invoice["rate_percent"], invoice["taxable_minor"], invoice["tax_minor"]) == (10, 360, 36)
    assert invoice["recipient_name"] == "東海汽船"
    clerk = {"role": Role.CLERK, "subject": "clerk", "operator_id": "3010401020097"}
    assert await city.call("GET", path, **clerk) == (200, statement)
    status, listed = await city.call("GET", "operators/3010401020097/statements", **clerk)
    assert (status, listed) == (200, [statement])
    other = {**clerk, "operator_id": "Toei"}
    for forbidden in (path, "operators/3010401020097/statements"):
        status, problem = await city.call("GET", forbidden, **other)
        assert (status, problem["code"]) == (404, "statement_not_found")
    for closed in ("runs", f"runs/{batch_id}", f"runs/{batch_id}/bank-files/zengin", "agreements"):
        status, _ = await city.call("GET", closed, **clerk)
        assert status == 403


async def _check_confirmation(city: City, batch_id: str) -> None:
    path = f"runs/{batch_id}/confirmations"
    status, run = await city.call("POST", path, {"outcome": "failed", "operator_ids": ["Toei"]})
    assert (status, run["state"]) == (200, "instructed")
    status, problem = await city.call("POST", path, {"outcome": "confirmed", "operator_ids": ["Toei"]})
    assert (status, problem["code"]) == (409, "conflict")
    status, run = await city.call("POST", path, {"outcome": "confirmed"})
    assert (status, run["state"]) == (200, "confirmed")
    assert {each["payee"]: each["outcome"] for each in run["payments"]} == {
        "Toei": "failed",
        "Yurikamome": "confirmed",
        "3010401020097": "confirmed",
    }
    assert await city.credit(SETTLEMENT_CLEARING) == 0
    assert await city.credit(BANK_CASH) == 303 + 6814
    # What did not arrive is paid by the next run.
    later = await city.run()
    assert {each["payee"]: each["amount"]["amount_minor"] for each in later["payments"]} == {"Toei": 208}


async def test_the_next_run_shows_refunds_earned_or_not(city: City) -> None:
    ride = city.ride({"Toei": 1000})
    await city.deliver(ride)
    await city.run()
    cancelled = city.ride({"3010401020097": 7210})
    await city.deliver(city.refund(cancelled, {"3010401020097": 7210}, was_earned=False))
    await city.deliver(city.refund(ride, {"Toei": 1000}))
    run = await city.run()
    statements = {each["operator_id"]: each for each in run["statements"]}
    # Toei owes back what it was paid: 1000 less 50 commission and 5 tax.
    assert statements["Toei"]["net"]["amount_minor"] == -945
    assert statements["3010401020097"]["net"]["amount_minor"] == 0
    assert statements["3010401020097"]["note_count"] == 1
    assert [(each["payer"], each["amount"]["amount_minor"]) for each in run["payments"]] == [("Toei", 945)]
    assert run["bank_files"] == []
    _, statement = await city.call("GET", f"runs/{run['batch_id']}/statements/3010401020097")
    assert statement["notes"][0]["amount_minor"] == 7210
    assert statement["notes"][0]["reason"] == "sailing_cancelled"
    assert (await city.run())["statements"] == []
    await city.check()


async def test_who_sold_for_another_is_netted(city: City) -> None:
    await city.deliver(city.ride({"Toei": 1000, "Yurikamome": 200}))
    body = {
        "debtor": "Yurikamome",
        "creditor": "Toei",
        "amount": {"amount_minor": 300, "currency": "JPY"},
        "reason": "tickets sold at Shimbashi",
    }
    first = await city.call("POST", "adjustments", body, key="a")
    assert first[0] == 201
    assert await city.call("POST", "adjustments", body, key="a") == first
    run = await city.run()
    nets = {each["participant"]: each["net"]["amount_minor"] for each in run["positions"]}
    # Toei 1000 - 50 - 5 + 300; Yurikamome 200 - 10 - 1 - 300
    assert (nets["Toei"], nets["Yurikamome"]) == (1245, -111)
    assert sum(nets.values()) == 0
    await city.check()


async def test_an_operator_without_agreement_waits(city: City) -> None:
    await city.deliver(city.ride({"Newcomer": 500, "Toei": 100}))
    assert await city.credit(operator_payable("Newcomer")) == 500
    run = await city.run()
    assert [each["operator_id"] for each in run["statements"]] == ["Toei"]
    await city.agree("Newcomer", "新会社")
    run = await city.run()
    assert [(each["operator_id"], each["net"]["amount_minor"]) for each in run["statements"]] == [
        ("Newcomer", 500)
    ]
    await city.check()


STEPS = ["_cut_off", "_calculate", "_issue_statements", "_lock", "_net", "_instruct"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("place", ["before", "inside"])
async def test_a_run_that_dies_goes_on_as_one_batch(
    city: City, monkeypatch: pytest.MonkeyPatch, step: str, place: str
) -> None:
    await city.deliver(city.ride({"Toei": 1000, "Yurikamome": 200}))
    original = getattr(Runs, step)

    async def dying(self: Runs, *args: Any) -> None:
        if place == "inside":
            await original(self, *args)  # the ledger may have moved money by now
        raise RuntimeError("killed")

    monkeypatch.setattr(Runs, step, dying)
    city.clock.set(START + timedelta(hours=1))
    cut_off = city.clock.now().isoformat()
    status, _ = await city.call("POST", "runs", {"cut_off": cut_off})
    assert status == 500
    monkeypatch.undo()
    # Meanwhile more is ridden; it belongs to the next run if this one had cut off already.
    city.clock.set(START + timedelta(hours=2))
    await city.deliver(city.ride({"Toei": 500}))
    status, run = await city.call("POST", "runs", {"cut_off": cut_off})
    assert (status, run["state"]) == (201, "instructed")
    # 1000 - 50 - 5 and 200 - 10 - 1
    assert {each["payee"]: each["amount"]["amount_minor"] for each in run["payments"]} == {
        "Toei": 945,
        "Yurikamome": 189,
    }
    assert await city.credit(SETTLEMENT_CLEARING) == 945 + 189
    status, runs = await city.call("GET", "runs")
    assert len(runs) == 1
    assert await city.credit(operator_payable("Toei")) == 475
    await city.check()


async def test_an_interrupted_run_is_finished_before_a_new_one(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    await city.deliver(city.ride({"Toei": 1000}))

    async def dying(*_: Any) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(Runs, "_net", dying)
    city.clock.set(START + timedelta(hours=1))
    status, _ = await city.call("POST", "runs", {})
    assert status == 500
    monkeypatch.undo()
    run = await city.run()
    assert run["entry_count"] == 0
    status, runs = await city.call("GET", "runs")
    assert [each["state"] for each in runs] == ["instructed", "instructed"]
    assert await city.credit(SETTLEMENT_CLEARING) == 945
    await city.check()


async def test_two_runs_at_once_are_one_after_the_other(city: City) -> None:
    for _ in range(5):
        await city.deliver(city.ride({"Toei": 1000}))
    city.clock.set(START + timedelta(hours=1))
    body = {"cut_off": city.clock.now().isoformat()}
    answers = await asyncio.gather(*(city.call("POST", "runs", body) for _ in range(4)))
    assert {status for status, _ in answers} == {201}
    assert len({run["batch_id"] for _, run in answers}) == 1
    assert await city.credit(SETTLEMENT_CLEARING) == 5000 - 250 - 25
    await city.check()


async def test_cut_offs_that_are_refused(city: City) -> None:
    status, problem = await city.call("POST", "runs", {"cut_off": (START + timedelta(hours=1)).isoformat()})
    assert (status, problem["code"]) == (409, "cut_off_not_possible")
    await city.run()
    status, problem = await city.call("POST", "runs", {"cut_off": (START - timedelta(hours=1)).isoformat()})
    assert (status, problem["code"]) == (409, "cut_off_not_possible")
    status, problem = await city.call("GET", f"runs/{uuid4()}")
    assert (status, problem["code"]) == (404, "settlement_batch_not_found")
    status, problem = await city.call("POST", f"runs/{uuid4()}/confirmations", {"outcome": "confirmed"})
    assert (status, problem["code"]) == (404, "settlement_batch_not_found")


async def test_without_its_issuer_there_is_no_run(database_url: str, tmp_path: Path) -> None:
    builds = {"ledger": build_ledger, "settlement": build_settlement}
    async with running_house(database_url, builds, clock=FixedClock(START), data_dir=tmp_path) as house:
        status, problem = await City(house, FixedClock(START), database_url).call("POST", "runs", {})
        assert (status, problem["code"]) == (409, "agreement_missing")


async def test_agreements_change_for_the_future_only(city: City) -> None:
    async def put(**fields: Any) -> tuple[int, Any]:
        _, agreements = await city.call("GET", "agreements")
        body = next(dict(each) for each in agreements if each["operator_id"] == "Toei") | fields
        for absent in {"operator_id", "valid_from"} - fields.keys():
            body.pop(absent)
        return await city.call("PUT", "agreements/Toei", body)

    _, same = await put()
    assert same["valid_from"] == "2026-05-20T12:00:00Z"  # nothing new: no new version
    status, problem = await put(commission_bp=900)
    assert (status, problem["code"]) == (409, "conflict")  # two versions at one instant
    status, _ = await put(commission_bp=900, valid_from="2026-06-01T00:00:00Z")
    assert status == 200
    await city.deliver(city.ride({"Toei": 1000}))
    city.clock.set(datetime(2026, 6, 1, 1, tzinfo=UTC))
    await city.deliver(city.ride({"Toei": 1000}))
    assert await city.credit(COMMISSION) == 50 + 90
    status, problem = await put(consignor_code="1234567890")
    assert (status, problem["code"]) == (422, "validation_failed")
    bank = dict(same["bank_account"]) | {"holder_kana": "東京都"}
    status, problem = await put(bank_account=bank, valid_from="2026-07-01T00:00:00Z")
    assert (status, problem["code"]) == (422, "bank_file_invalid")


@pytest.mark.parametrize(
    "statement",
    [
        "update batch_entries set amount_minor = amount_minor + 1",
        "delete from batch_entries",
        "update statements set net_minor = 0",
        "delete from positions",
        "truncate bank_files",
        "update earnings set commission_minor = 0",
        "update batches set state = 'open'",
        "update batches set cut_off = cut_off + interval '1 day'",
        (
            "insert into batch_entries "
            "select gen_random_uuid(), batch_id, 1, 'a', 'b', 1, 'ride', 'x', now(), now() from batches"
        ),
    ],
)
async def test_a_locked_run_never_changes(city: City, statement: str) -> None:
    await city.deliver(city.ride({"Toei": 1000}))
    await city.run()
    with pytest.raises(asyncpg.RestrictViolationError):
        await city.database.execute(statement)
    await city.check()


async def test_the_closed_batch_is_told(city: City) -> None:
    await city.deliver(city.ride({"Toei": 1000}))
    run = await city.run()
    payload = await city.database.fetchval(
        "select payload from outbox where event_type = $1", SettlementBatchClosed.__name__
    )
    assert payload["batch_id"] == run["batch_id"]
    assert payload["total_minor"] == 945


async def test_events_arrive_over_the_bus(city: City) -> None:
    context = city.settlement.context
    async with context.database.transaction() as tx:
        await context.outbox.append(tx, city.ride({"Toei": 1000}))
    for _ in range(200):
        if await city.database.fetchval("select count(*) from inbox"):
            break
        await asyncio.sleep(0.02)
    assert await city.credit(operator_payable("Toei")) == 950


@pytest.mark.parametrize("seed", range(3))
async def test_random_days_end_with_every_yen_where_it_belongs(city: City, seed: int) -> None:
    dice = random.Random(seed)
    rides: list[tuple[RideRated, dict[str, int]]] = []
    for _ in range(40):
        city.clock.set(city.clock.now() + timedelta(minutes=dice.randint(1, 60)))
        match dice.choice(["ride", "ride", "ride", "refund", "run"]):
            case "ride":
                weights = {name: dice.randint(0, 9) for name in NAMES} | {"Toei": 1}
                shares = split_exactly(dice.randint(1, 3000), weights)
                rides.append((city.ride(shares), dict(shares)))
                await city.deliver(rides[-1][0])
            case "refund" if rides:
                ride, left = dice.choice(rides)
                back = {name: dice.randint(0, amount) for name, amount in left.items()}
                if sum(back.values()):
                    await city.deliver(city.refund(ride, back))
                    left |= {name: left[name] - back[name] for name in left}
            case "run":
                run = await city.run()
                if dice.random() < 0.5:
                    outcome = dice.choice(["confirmed", "failed"])
                    path = f"runs/{run['batch_id']}/confirmations"
                    assert (await city.call("POST", path, {"outcome": outcome}))[0] == 200
        await city.check()
    await city.run()
    for name in NAMES:
        assert await city.credit(operator_payable(name)) == 0
    kept = sum(sum(left.values()) for _, left in rides)
    assert await city.credit(UNEARNED_FARES) == 1_000_000 - kept
