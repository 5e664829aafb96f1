"""A participant paid through the payment provider: no bank file, confirmed when the provider has paid."""

from dataclasses import dataclass, field
from uuid import UUID

from payments.accounts import BANK_CASH, SETTLEMENT_CLEARING
from payments.errors import AccountNotFound
from payments.ports import OperatorPayout, OperatorPayoutsPort, OperatorPayoutState
from services.settlement.runs import Runs
from tests.support.settlement_city import NAMES, City


@dataclass
class Payouts:
    """An OperatorPayoutsPort that pays when it is `able`."""

    able: bool = False
    asked: dict[UUID, int] = field(default_factory=dict)

    async def pay_operator(self, *, payout_id: UUID, operator_id: str, amount_minor: int) -> OperatorPayout:
        assert self.asked.setdefault(payout_id, amount_minor) == amount_minor, "one payout, one amount"
        state = OperatorPayoutState.PAID if self.able else OperatorPayoutState.OPEN
        return OperatorPayout(
            payout_id=payout_id, operator_id=operator_id, amount_minor=amount_minor, state=state
        )


async def cash(city: City) -> int:
    try:
        return await city.credit(BANK_CASH)
    except AccountNotFound:
        return 0


async def test_the_provider_pays_who_wants_it_and_the_bank_the_others(city: City) -> None:
    payouts = Payouts()
    city.settlement.context.ports.offer(OperatorPayoutsPort, payouts)
    await city.agree("Toei", NAMES["Toei"], 0, paid_by="provider", valid_from="2026-05-20T12:00:01Z")
    city.clock.set(city.clock.now().replace(second=2))
    await city.deliver(city.ride({"Toei": 3_000, "Yurikamome": 2_000}))
    run = await city.run()
    batch_id = run["batch_id"]
    status, file = await city.call("GET", f"runs/{batch_id}/bank-files/zengin")
    assert status == 200
    # 5 % of 2,000 and the tax on it are kept: 1,890 yen to one payee, and again as the file's total.
    assert file.count(b"0000001890") == 2
    assert b"0000003000" not in file
    runs = Runs(city.settlement.context)
    assert await runs.pay_through_provider() == 0, "the provider has not paid yet"
    assert list(payouts.asked.values()) == [3_000]
    status, confirmed = await city.call("POST", f"runs/{batch_id}/confirmations", {"outcome": "confirmed"})
    assert (status, confirmed["state"]) == (200, "instructed"), "the bank has paid, the provider not"
    assert await cash(city) == 1_890
    payouts.able = True
    assert await runs.pay_through_provider() == 1
    assert await runs.pay_through_provider() == 0
    status, closed = await city.call("GET", f"runs/{batch_id}")
    assert closed["state"] == "confirmed"
    # Settlement posts nothing for it: payments does, when the provider's movement is seen.
    assert await cash(city) == 1_890
    assert await city.credit(SETTLEMENT_CLEARING) == 3_000
    await city.check()
