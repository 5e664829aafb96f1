"""Demand's endpoints: each metric as MDS-like JSON and as CSV, and the releases."""

import csv
import io
from collections.abc import Awaitable, Callable
from uuid import uuid4

from maas.demand.metrics import CITY, Metric
from maas.demand.privacy import K
from services.demand.handlers import Demand, Row
from services.demand.messages import (
    AskedFor,
    Column,
    DemandAnswer,
    DemandQuery,
    Filter,
    ReleaseCommand,
    ReleaseList,
    ReleaseRow,
)
from services.platform.service import Call, Reply, Route

_TAG = "demand"
_PROBLEMS = ("demand_period_invalid", "demand_answer_too_large")
_SUMMARIES = {
    Metric.SEARCHES: "Answered searches by area and hour",
    Metric.UNMET: "Searches without an answer by area and hour: where people want to go and cannot",
    Metric.RIDES: "Rides by area and hour",
    Metric.ORDERS: "Orders by area and hour",
}


class Endpoints:
    """HTTP's view of Demand."""

    def __init__(self, demand: Demand) -> None:
        self._demand = demand

    def answer(self, metric: Metric) -> Callable[[Call], Awaitable[DemandAnswer]]:
        """GET /api/demand/{metric}."""

        async def answer(call: Call) -> DemandAnswer:
            rows = await self._demand.ask(metric, call.query)
            return _answer(metric, call.query, rows)

        return answer

    def export(self, metric: Metric) -> Callable[[Call], Awaitable[Reply]]:
        """GET /api/demand/{metric}/table.csv."""

        async def export(call: Call) -> Reply:
            query: DemandQuery = call.query
            rows = await self._demand.ask(metric, query)
            text = io.StringIO()
            table = csv.writer(text)
            table.writerow([*query.dimensions, metric.value])
            table.writerows(rows)
            name = f"{metric.value}_{query.since}_{query.until}_k{K}.csv"
            return Reply(
                body=text.getvalue().encode(),
                media_type="text/csv",
                headers={"Content-Disposition": f'attachment; filename="{name}"'},
            )

        return export

    async def release(self, call: Call) -> ReleaseRow:
        """POST /api/demand/releases."""
        return await self._demand.release(call.body.day)

    async def list_releases(self, _call: Call) -> ReleaseList:
        """GET /api/demand/releases."""
        return ReleaseList(releases=await self._demand.list_releases())


def _answer(metric: Metric, query: DemandQuery, rows: list[Row]) -> DemandAnswer:
    filters = [Filter(name="end", values=[query.end.value])]
    if query.within is not None:
        filters.append(Filter(name="within", values=[query.within]))
    if query.category is not None:
        filters.append(Filter(name="category", values=[query.category]))
    return DemandAnswer(
        id=uuid4(),
        query=AskedFor(
            measures=[metric.value],
            interval=f"P{(query.until - query.since).days + 1}D",
            start_date=query.since,
            end_date=query.until,
            timezone=CITY.key,
            k_value=K,
            dimensions=list(query.dimensions),
            filters=filters,
        ),
        columns=[
            *(
                Column(
                    name=name,
                    column_type="dimension",
                    data_type="integer" if name == "hour" else "string",
                )
                for name in query.dimensions
            ),
            Column(name=metric.value, column_type="measure", data_type="integer"),
        ],
        rows=[list(row) for row in rows],
    )


def build_routes(endpoints: Endpoints) -> list[Route]:
    """All endpoints of demand."""
    return [
        *(_answer_route(endpoints, metric) for metric in Metric),
        *(_export_route(endpoints, metric) for metric in Metric),
        Route(
            method="GET",
            path="/api/demand/releases",
            operation="listDemandReleases",
            handler=endpoints.list_releases,
            summary="Which days were released",
            tag=_TAG,
            response=ReleaseList,
        ),
        Route(
            method="POST",
            path="/api/demand/releases",
            operation="releaseDemand",
            handler=endpoints.release,
            summary="Release a day that is over now, instead of waiting for the nightly release",
            tag=_TAG,
            body=ReleaseCommand,
            response=ReleaseRow,
            problems=("demand_day_not_over",),
        ),
    ]


def _answer_route(endpoints: Endpoints, metric: Metric) -> Route:
    return Route(
        method="GET",
        path=f"/api/demand/{metric.value}",
        operation=f"getDemand{metric.value.title()}",
        handler=endpoints.answer(metric),
        summary=_SUMMARIES[metric],
        tag=_TAG,
        query=DemandQuery,
        response=DemandAnswer,
        problems=_PROBLEMS,
    )


def _export_route(endpoints: Endpoints, metric: Metric) -> Route:
    return Route(
        method="GET",
        path=f"/api/demand/{metric.value}/table.csv",
        operation=f"exportDemand{metric.value.title()}",
        handler=endpoints.export(metric),
        summary=f"{_SUMMARIES[metric]}, as CSV",
        tag=_TAG,
        query=DemandQuery,
        problems=_PROBLEMS,
        media_type="text/csv",
    )
