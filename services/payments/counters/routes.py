"""The endpoints of counters: a clerk's sales and till; the city's cashless ratio."""

from datetime import UTC, date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from payments.cashless import ratio_bp
from payments.money import Money, yen
from payments.wallets import TopUpVerdict
from services.payments.counters.handlers import CashSale, Counters, Handover
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.platform.service import Call, Route

TAG = "counters"
_EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
Id = Annotated[str, StringConstraints(pattern=r"^[^:\s]{1,64}$")]
Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{0,40}$")]
Month = Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")]


class Model(BaseModel):
    """A document of counters: unknown fields are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SaleRequest(Model):
    """Cash taken. With `traveller_id` it fills their wallet, else it paid a fare of `operator_id`."""

    amount: int = Field(ge=1, le=1_000_000)
    reference: Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
    sold_at: Annotated[AwareDatetime, Field(ge=_EARLIEST)] | None = None
    rider_category: Label = ""
    area: Label = ""
    traveller_id: Id | None = None
    operator_id: Id | None = None


class SaleView(Model):
    """A recorded sale, and what the till should hold now."""

    sale_id: UUID
    counter_id: str
    amount: Money
    sold_at: datetime
    till: Money


class HandoverRequest(Model):
    """Cash that leaves the till: the operator keeps it, or it goes to the platform's bank."""

    amount: int = Field(ge=1, le=100_000_000)
    destination: Literal["operator", "bank"]
    operator_id: Id | None = None


class TillView(Model):
    """What a till should hold; count it."""

    counter_id: str
    till: Money


class RatioQuery(Model):
    """Months, both included."""

    first: Month
    last: Month


class RatioRow(Model):
    """One operator in one month; `operator_id` is empty in the sum of all. Basis points: 4280 is 42.8 %."""

    month: str
    operator_id: str
    cashless: Money
    cash: Money
    ratio_bp: int | None


class CashGroup(Model):
    """Cash fares by rider category and area, as clerks recorded them."""

    month: str
    rider_category: str
    area: str
    cash: Money
    sale_count: int


class CashlessRatio(Model):
    """How much of travel is paid without cash, by month and operator, and who still pays cash."""

    months: list[RatioRow]
    operators: list[RatioRow]
    cash_groups: list[CashGroup]


class CounterEndpoints:
    """HTTP in front of counters."""

    def __init__(self, context: ServiceContext, counters: Counters) -> None:
        self._context = context
        self._counters = counters

    async def sell(self, call: Call) -> SaleView:
        """Record cash that was taken."""
        body: SaleRequest = call.body
        now = self._context.clock.now()
        sold_at = body.sold_at or now
        if sold_at > now:
            raise Problem("validation_failed", detail="sold_at is in the future.")
        sale = CashSale(
            sale_id=call.command_id,
            counter_id=call.path["counter_id"],
            operator_id=_operator_of(call, body.operator_id),
            amount=yen(body.amount),
            reference=body.reference,
            sold_at=sold_at,
            recorded_by=call.caller.subject,
            rider_category=body.rider_category,
            area=body.area,
            traveller_id=body.traveller_id,
        )
        verdict = await self._counters.sell(sale)
        if verdict is not TopUpVerdict.ACCEPTED:
            code = "wallet_not_open" if verdict is TopUpVerdict.WALLET_NOT_OPEN else "top_up_refused"
            raise Problem(code, detail="100 yen or more; a wallet holds at most 100,000.")
        till = await self._counters.get_till(sale.counter_id)
        return SaleView(
            sale_id=sale.sale_id,
            counter_id=sale.counter_id,
            amount=sale.amount,
            sold_at=sold_at,
            till=yen(till),
        )

    async def hand_over(self, call: Call) -> TillView:
        """Empty the till."""
        body: HandoverRequest = call.body
        handover = Handover(
            handover_id=call.command_id,
            counter_id=call.path["counter_id"],
            operator_id=_operator_of(call, body.operator_id),
            amount=yen(body.amount),
            to_bank=body.destination == "bank",
            recorded_by=call.caller.subject,
        )
        if not await self._counters.hand_over(handover):
            raise Problem("conflict", detail="The till, or what the operator took, is less than that.")
        return await self._till(handover.counter_id)

    async def get_till(self, call: Call) -> TillView:
        """What the till should hold."""
        return await self._till(call.path["counter_id"])

    async def get_ratio(self, call: Call) -> CashlessRatio:
        """The ratio, month by month."""
        first, last = _month(call.query.first), _month(call.query.last)
        if last < first:
            raise Problem("validation_failed", detail="`last` is before `first`.")
        rows = await self._counters.list_ratio(first, last)
        months = sorted({row["month"] for row in rows})
        groups = [(month, row) for month in months for row in await self._counters.list_cash_groups(month)]
        return CashlessRatio(
            months=[
                _row(
                    month,
                    "",
                    sum(row["cashless_minor"] for row in rows if row["month"] == month),
                    sum(row["cash_minor"] for row in rows if row["month"] == month),
                )
                for month in months
            ],
            operators=[
                _row(row["month"], row["operator_id"], row["cashless_minor"], row["cash_minor"])
                for row in rows
            ],
            cash_groups=[
                CashGroup(
                    month=f"{month:%Y-%m}",
                    rider_category=row["rider_category"],
                    area=row["area"],
                    cash=yen(row["amount_minor"]),
                    sale_count=row["sale_count"],
                )
                for month, row in groups
            ],
        )

    async def _till(self, counter_id: str) -> TillView:
        return TillView(counter_id=counter_id, till=yen(await self._counters.get_till(counter_id)))


def _operator_of(call: Call, named: str | None) -> str:
    """A clerk sells for their own operator; the platform's clerks and administrators name one."""
    own = call.caller.operator_id
    if own is not None and named not in (None, own):
        raise Problem("forbidden", detail=f"You sell for {own}.")
    operator_id = own or named
    if operator_id is None:
        raise Problem("validation_failed", detail="operator_id: name whose counter this is.")
    return operator_id


def _month(text: str) -> date:
    return date.fromisoformat(f"{text}-01")


def _row(month: date, operator_id: str, cashless_minor: int, cash_minor: int) -> RatioRow:
    return RatioRow(
        month=f"{month:%Y-%m}",
        operator_id=operator_id,
        cashless=yen(cashless_minor),
        cash=yen(cash_minor),
        ratio_bp=ratio_bp(cashless_minor=cashless_minor, cash_minor=cash_minor),
    )


def build_routes(endpoints: CounterEndpoints) -> list[Route]:
    """The endpoints of counters."""
    return [
        Route(
            method="POST",
            path="/api/counters/{counter_id}/sales",
            operation="recordCashSale",
            handler=endpoints.sell,
            summary="Record cash taken at a counter, for a fare or into a wallet",
            tag=TAG,
            path_types={"counter_id": Id},
            body=SaleRequest,
            response=SaleView,
            status=201,
            idempotent=True,
            problems=("wallet_not_found", "wallet_not_open", "top_up_refused", "forbidden"),
        ),
        Route(
            method="POST",
            path="/api/counters/{counter_id}/handovers",
            operation="handOverCash",
            handler=endpoints.hand_over,
            summary="Take cash out of a till",
            tag=TAG,
            path_types={"counter_id": Id},
            body=HandoverRequest,
            response=TillView,
            status=201,
            idempotent=True,
            problems=("conflict", "forbidden"),
        ),
        Route(
            method="GET",
            path="/api/counters/{counter_id}",
            operation="getTill",
            handler=endpoints.get_till,
            summary="What a till should hold",
            tag=TAG,
            path_types={"counter_id": Id},
            response=TillView,
        ),
        Route(
            method="GET",
            path="/api/cashless-ratio",
            operation="getCashlessRatio",
            handler=endpoints.get_ratio,
            summary="How much of travel is paid without cash, by month and operator",
            tag=TAG,
            query=RatioQuery,
            response=CashlessRatio,
        ),
    ]
