"""A ledger and a settlement service on a real database, with money to earn and a clock to move."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from maas.events import FareRefunded, RideRated
from payments.accounts import CARD_CLEARING, UNEARNED_FARES, chart_account
from payments.ports import LedgerPort
from payments.transfers import Transfer, TransferCode
from services.cli.check import Books, list_wrong
from services.platform.auth import Role
from services.platform.bus import Envelope
from services.platform.clock import FixedClock
from services.platform.outbox import event_adapter, receive
from tests.support.house import TestHouse

START = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)  # a Wednesday
NAMES = {"Toei": "東京都交通局", "Yurikamome": "ゆりかもめ", "3010401020097": "東海汽船"}


class City:
    """A ledger and a settlement service, with money to earn and a clock to move."""

    def __init__(self, house: TestHouse, clock: FixedClock, url: str) -> None:
        self.house, self.clock, self.url = house, clock, url
        self.settlement = house.services["settlement"]
        self.database = self.settlement.context.database
        self.ledger: Any = house.services["ledger"].ports[LedgerPort]
        self._subscriptions = {each.event.__name__: each for each in self.settlement.subscriptions}

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        asked = {"subject": "admin", "role": Role.ADMIN} | options
        return await self.house.call(method, f"/api/settlement/{path}", body=body, **asked)

    async def agree(self, operator_id: str, name: str, commission_bp: int = 500, **fields: Any) -> None:
        body = {
            "name": name,
            "commission_bp": commission_bp,
            "registration_number": "T1234567890123",
            "bank_account": {
                "bank_code": "0001",
                "bank_name_kana": "ミズホ",
                "branch_code": "001",
                "branch_name_kana": "ホンテン",
                "account_type": "ordinary",
                "account_number": "1234567",
                "holder_kana": "トウキヨウト",
            },
        } | fields
        status, answer = await self.call("PUT", f"agreements/{operator_id}", body)
        assert status == 200, answer

    async def fund(self, amount: int) -> None:
        await self.ledger.open_accounts(
            accounts=[chart_account(each) for each in (CARD_CLEARING, UNEARNED_FARES)]
        )
        funding = Transfer(
            transfer_id=uuid4(),
            debit=CARD_CLEARING,
            credit=UNEARNED_FARES,
            amount_minor=amount,
            code=TransferCode.PAYMENT,
            reference="order:test",
            effective_at=self.clock.now(),
        )
        assert (await self.ledger.post(transfers=[funding]))[0].is_done

    async def deliver(self, event: Any, event_id: UUID | None = None) -> None:
        name = type(event).__name__
        envelope = Envelope(
            event_id=event_id or uuid4(),
            event_type=name,
            payload=event_adapter(name).dump_python(event, mode="json"),
            occurred_at=self.clock.now(),
            source="test",
        )
        await receive(self.database, self._subscriptions, envelope)

    async def run(self, **body: Any) -> Any:
        self.clock.set(self.clock.now() + timedelta(seconds=1))
        status, run = await self.call("POST", "runs", body)
        assert status == 201, run
        return run

    async def credit(self, account_id: str) -> int:
        return int((await self.ledger.get_balance(account_id=account_id)).net_credit)

    async def check(self) -> None:
        assert await list_wrong(self.url, [Books.LEDGER, Books.SETTLEMENT]) == {}

    def ride(self, shares: dict[str, int], *, order_id: UUID | None = None, index: int = 0) -> RideRated:
        return RideRated(
            ride_id=uuid4(),
            order_id=order_id or uuid4(),
            component_index=index,
            leg_indices=(0,),
            shares=shares,
            amount_minor=sum(shares.values()),
            mode="metro",
            operator_id=next(iter(shares)),
            origin_lat=35.7,
            origin_lon=139.7,
            destination_lat=35.6,
            destination_lon=139.7,
            ridden_at=self.clock.now(),
        )

    def refund(self, ride: RideRated, shares: dict[str, int], *, was_earned: bool = True) -> FareRefunded:
        return FareRefunded(
            refund_id=uuid4(),
            order_id=ride.order_id,
            component_index=ride.component_index,
            amount_minor=sum(shares.values()),
            shares=shares,
            was_earned=was_earned,
            reason="sailing_cancelled",
        )
