"""The endpoints of TIDES exchange: for administrators, and for clerks what concerns their own operator."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import orjson
from pydantic import Field

from maas.tides import FareTransaction, write_csv
from services.platform.auth import Principal, Role
from services.platform.problem import Problem
from services.platform.service import Call, Reply, Route
from services.ticketing.models import Identifier, Model
from services.ticketing.tides.exporting import TidesExport
from services.ticketing.tides.importing import ImportReport, TidesImport

PAGE_MAX = 10_000
SENT_MAX = 1_000


class TidesQuery(Model):
    """Which transactions: of an operator on a service date, after the `next` of the page before."""

    operator_id: Identifier
    service_date: date
    after_device: str = ""
    after_sequence: int = -1
    limit: int = Field(default=1_000, ge=1, le=PAGE_MAX)
    format: Literal["json", "csv"] = "json"


class NextPage(Model):
    """What to ask for the next page with."""

    after_device: str
    after_sequence: int


class TidesPage(Model):
    """Fare transactions; `next` is null on the last page. CSV has it in X-Next-Device, X-Next-Sequence."""

    transactions: list[FareTransaction]
    next: NextPage | None


class TidesBatch(Model):
    """An operator's own transactions."""

    operator_id: Identifier
    transactions: list[FareTransaction] = Field(min_length=1, max_length=SENT_MAX)


@dataclass(frozen=True, slots=True)
class TidesDesk:
    """The handlers."""

    exporting: TidesExport
    importing: TidesImport

    async def list_transactions(self, call: Call) -> TidesPage | Reply:
        """A page of transactions."""
        query: TidesQuery = call.query
        _check_own(call.caller, query.operator_id)
        transactions, last = await self.exporting.list_page(
            query.operator_id,
            query.service_date,
            after=(query.after_device, query.after_sequence),
            limit=query.limit,
        )
        if query.format == "csv":
            following = {} if last is None else {"X-Next-Device": last[0], "X-Next-Sequence": str(last[1])}
            text = write_csv(transactions, with_header=query.after_sequence < 0)
            return Reply(body=text.encode(), media_type="text/csv", headers=following)
        following_page = None if last is None else NextPage(after_device=last[0], after_sequence=last[1])
        page: dict[str, Any] = {
            "transactions": [each.model_dump(mode="json") for each in transactions],
            "next": following_page and following_page.model_dump(),
        }
        return Reply(body=orjson.dumps(page))

    async def import_transactions(self, call: Call) -> ImportReport:
        """Store an operator's transactions as taps."""
        batch: TidesBatch = call.body
        _check_own(call.caller, batch.operator_id)
        return await self.importing.store(batch.operator_id, batch.transactions)


def _check_own(caller: Principal, operator_id: str) -> None:
    if caller.role is Role.CLERK and caller.operator_id != operator_id:
        raise Problem("forbidden", detail=f"You act for {caller.operator_id}, not for {operator_id}.")


def build_tides_routes(desk: TidesDesk) -> list[Route]:
    """The endpoints."""
    return [
        Route(
            method="GET",
            path="/api/ticketing/tides/fare-transactions",
            operation="listFareTransactions",
            handler=desk.list_transactions,
            summary="An operator's taps of a service date as TIDES fare transactions, media hashed",
            tag="ticketing",
            query=TidesQuery,
            response=TidesPage,
        ),
        Route(
            method="POST",
            path="/api/ticketing/tides/fare-transactions",
            operation="importFareTransactions",
            handler=desk.import_transactions,
            summary="Keep an operator's own TIDES fare transactions as taps; safe to repeat",
            tag="ticketing",
            body=TidesBatch,
            response=ImportReport,
        ),
    ]
