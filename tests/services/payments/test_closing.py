"""Closing a wallet: the rest goes back to its cards, or is paid out by a clerk."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from payments.accounts import REFUNDS_DUE, UNEARNED_FARES, counter_cash, traveller_wallet
from payments.money import yen
from payments.ports import Charge, CollectionPort, PaymentState
from payments.transfers import Transfer, TransferCode
from services.payments.books import Books
from services.platform.auth import Role
from tests.services.payments.running import RunningStandIn
from tests.services.payments.wallet_setting import NOW, VISA, WalletSetting, wallet_setting


@pytest.fixture
async def setting(
    database_url: str, stand_in: RunningStandIn, tmp_path: Path
) -> AsyncIterator[WalletSetting]:
    async with wallet_setting(database_url, stand_in, tmp_path) as found:
        yield found


async def close(setting: WalletSetting) -> tuple[int, Any]:
    return await setting.house.call("DELETE", "/api/wallet")


async def put_cash(setting: WalletSetting, amount: int) -> None:
    body = {"amount": amount, "reference": "top-up", "traveller_id": "alice"}
    status, answer = await setting.house.call(
        "POST", "/api/counters/c1/sales", body=body, role=Role.CLERK, operator_id="Toei"
    )
    assert status == 201, answer


async def test_the_rest_goes_back_to_the_card_that_filled_it_last(setting: WalletSetting) -> None:
    await setting.filled(1000)
    await setting.top_up(2000)
    assert (await setting.paid(500)).state is PaymentState.CAPTURED
    status, wallet = await close(setting)
    assert (status, wallet["state"], wallet["balance"]["amount_minor"]) == (200, "closed", 0)
    movements = (await setting.stand_in.client.v1.balance_transactions.list_async()).data
    assert sum(each.amount for each in movements) == 500
    assert (await close(setting))[1]["state"] == "closed"
    status, _ = await setting.house.call(
        "POST", "/api/wallet/top-ups", body={"amount": 1000, "payment_method": "pm_card_visa"}
    )
    assert status == 409
    assert (await setting.put("/api/wallet"))["state"] == "open"
    await setting.check_match()


async def test_what_no_card_takes_is_paid_out_by_a_clerk(setting: WalletSetting) -> None:
    await setting.put("/api/wallet")
    await put_cash(setting, 1500)
    await setting.top_up(500)
    assert (await close(setting))[1]["state"] == "closed"
    assert setting.net(REFUNDS_DUE) == 1500
    listed = await setting.get("/api/wallet-payouts", role=Role.CLERK)
    [payout] = listed["payouts"]
    assert (payout["traveller_id"], payout["amount"]["amount_minor"]) == ("alice", 1500)
    path = f"/api/wallet-payouts/{payout['payout_id']}/confirm"
    call = setting.house.call
    assert (await call("POST", path, body={}, role=Role.CLERK, operator_id="Toei"))[0] == 403
    for _ in range(2):
        status, paid = await call("POST", path, body={"counter_id": "c1"}, role=Role.CLERK)
        assert (status, paid["counter_id"], paid["paid_at"] is not None) == (200, "c1", True)
    assert (setting.net(REFUNDS_DUE), setting.net(counter_cash("c1"))) == (0, 0)
    assert (await setting.get("/api/wallet-payouts", role=Role.CLERK))["payouts"] == []
    missing = f"/api/wallet-payouts/{uuid4()}/confirm"
    assert (await call("POST", missing, body={}, role=Role.CLERK))[0] == 404


async def test_what_somebody_takes_before_it_is_set_aside_is_not_paid_out(
    setting: WalletSetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1,500 are to be paid out; a ride takes 400 of them just before: 1,100 are, once."""
    await setting.put("/api/wallet")
    await put_cash(setting, 1500)
    books, try_to_post = Books(setting.service.context), Books.try_to_post
    ride = Transfer(
        transfer_id=uuid4(),
        debit=traveller_wallet("alice"),
        credit=UNEARNED_FARES,
        amount_minor=400,
        code=TransferCode.PAYMENT,
        reference="a ride",
        effective_at=NOW,
    )

    async def ride_first(self: Books, transfers: Any) -> Any:
        if transfers[0].credit == REFUNDS_DUE:
            await books.post(ride)
        return await try_to_post(self, transfers)

    monkeypatch.setattr(Books, "try_to_post", ride_first)
    assert (await close(setting))[1]["state"] == "closed"
    assert (setting.balance("alice"), setting.net(REFUNDS_DUE)) == (0, 1100)
    listed = await setting.get("/api/wallet-payouts", role=Role.CLERK)
    assert [each["amount"]["amount_minor"] for each in listed["payouts"]] == [1100]


async def test_a_wallet_in_use_is_not_closed(setting: WalletSetting) -> None:
    await setting.filled(1000)
    payment = await setting.opened(300)
    await setting.port.authorise(payment_id=payment.payment_id, payment_method="wallet")
    assert (await close(setting))[0] == 409
    await setting.port.void(payment_id=payment.payment_id)
    port = cast("CollectionPort", setting.service.ports[CollectionPort])
    charge = Charge(
        charge_id=uuid4(),
        customer_id="alice",
        amount=yen(178),
        reference="travel:j",
        service_date=date(2026, 5, 20),
    )
    await port.charge(charges=[charge])
    assert (await close(setting))[0] == 409
    worker: Any = setting.service.workers[1]
    await worker.__self__.step(at_once=True)
    assert (await close(setting))[1]["state"] == "closed"
    await setting.check_match()


async def test_a_process_that_died_while_closing_is_followed(setting: WalletSetting) -> None:
    """The provider breaks after it has paid back: the next round finds that, and pays nothing twice."""
    await setting.filled(1000)
    await setting.stand_in.control("faults", kind="drop_after", path="/v1/refunds")
    assert (await close(setting))[1]["state"] in ("closing", "closed")
    worker: Any = setting.service.workers[1]
    recovery: Any = setting.service.workers[0]
    for _ in range(2):
        await recovery.__self__.step(at_once=True)
        await worker.__self__.step(at_once=True)
    assert (await setting.get("/api/wallet"))["state"] == "closed"
    assert await setting.captured_at_the_provider() == 0
    await setting.check_match()


async def test_a_wallet_that_closes_meanwhile_is_not_filled(
    setting: WalletSetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The top-up has seen an open wallet; it is closed before the top-up is written down."""
    await setting.put("/api/wallet")
    get_balance = Books.get_balance

    async def close_first(books: Books, account_id: str) -> int:
        monkeypatch.setattr(Books, "get_balance", get_balance)
        assert (await close(setting))[1]["state"] == "closed"
        return await get_balance(books, account_id)

    monkeypatch.setattr(Books, "get_balance", close_first)
    body = {"amount": 1000, "payment_method": VISA}
    status, answer = await setting.house.call("POST", "/api/wallet/top-ups", body=body)
    assert (status, answer["code"]) == (409, "wallet_not_open")
    assert await setting.captured_at_the_provider() == 0
