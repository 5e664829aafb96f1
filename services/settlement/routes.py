"""Settlement's endpoints: for administrators, and for clerks what concerns their own operator."""

from typing import Any, Literal
from uuid import UUID

from payments.errors import SettlementBatchNotFound
from payments.settlement import PLATFORM, PaymentOutcome
from payments.statements import Statement
from services.platform.auth import Principal, Role
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.platform.service import Call, Reply, Route
from services.settlement import store
from services.settlement.agreements import Agreements
from services.settlement.runs import Runs
from services.settlement.store import Batch
from services.settlement.views import (
    AdjustmentBody,
    AdjustmentView,
    AgreementBody,
    AgreementView,
    ConfirmationBody,
    OperatorId,
    RunBody,
    RunSummary,
    RunView,
    StatementsQuestion,
    agreement_of,
    view_agreement,
    view_run,
    view_summary,
)

_RUNS_SHOWN = 100
_FILE_MEDIA_TYPE = "application/octet-stream"

# Path types are pydantic types as well as classes.
_OPERATOR: Any = OperatorId
_FORMAT: Any = Literal["zengin", "pain001"]


class Endpoints:
    """The handlers, one a route."""

    def __init__(self, context: ServiceContext, runs: Runs, agreements: Agreements) -> None:
        self._context = context
        self._runs = runs
        self._agreements = agreements

    async def put_agreement(self, call: Call) -> AgreementView:
        """The newest version of an agreement."""
        operator_id, body = call.path["operator_id"], call.body
        if (operator_id == PLATFORM) != (body.consignor_code is not None):
            raise Problem(
                "validation_failed",
                detail="The platform's agreement, and only that, has a consignor_code.",
            )
        agreement = agreement_of(operator_id, body, self._context.clock.now())
        return view_agreement(await self._agreements.put(agreement, valid_from=body.valid_from))

    async def list_agreements(self, _call: Call) -> list[AgreementView]:
        """The agreements in force."""
        return [view_agreement(each) for each in await self._agreements.list_in_force()]

    async def post_adjustment(self, call: Call) -> AdjustmentView:
        """An adjustment between two participants."""
        body: AdjustmentBody = call.body
        if body.debtor == body.creditor:
            raise Problem("validation_failed", detail="debtor and creditor are the same participant.")
        await self._agreements.adjust(
            call.command_id,
            debtor=body.debtor,
            creditor=body.creditor,
            amount_minor=body.amount.amount_minor,
            reason=body.reason,
        )
        return AdjustmentView(adjustment_id=call.command_id, **dict(body))

    async def run_settlement(self, call: Call) -> RunView:
        """A run up to the bank."""
        body: RunBody = call.body
        return await self._view(await self._runs.run(cut_off=body.cut_off, pay_on=body.pay_on))

    async def list_runs(self, _call: Call) -> list[RunSummary]:
        """The newest runs."""
        batches = await store.list_batches(self._context.database, limit=_RUNS_SHOWN)
        return [view_summary(batch) for batch in batches]

    async def get_run(self, call: Call) -> RunView:
        """One run."""
        return await self._view(await self._get_batch(call.path["batch_id"]))

    async def get_statement(self, call: Call) -> Statement:
        """An operator's statement for a run."""
        operator_id = _check_own(call.caller, call.path["operator_id"])
        statement = await store.find_statement(self._context.database, call.path["batch_id"], operator_id)
        if statement is None:
            raise Problem("statement_not_found", detail="List your statements to find it.")
        return statement

    async def list_statements(self, call: Call) -> list[Statement]:
        """An operator's newest statements."""
        operator_id = _check_own(call.caller, call.path["operator_id"])
        return await store.list_statements_of_operator(
            self._context.database, operator_id, limit=call.query.limit
        )

    async def get_bank_file(self, call: Call) -> Reply:
        """A file for the bank."""
        batch = await self._get_batch(call.path["batch_id"])
        name = call.path["format"]
        content = await self._context.database.fetchval(store.queries["find_bank_file"], batch.batch_id, name)
        if content is None:
            raise Problem("not_found", detail=f"The run is {batch.state} and has nothing for the bank.")
        disposition = f'attachment; filename="{batch.batch_id}.{"txt" if name == "zengin" else "xml"}"'
        return Reply(body=content, media_type=_FILE_MEDIA_TYPE, headers={"Content-Disposition": disposition})

    async def confirm(self, call: Call) -> RunView:
        """What the bank did."""
        body: ConfirmationBody = call.body
        batch = await self._runs.confirm(
            call.path["batch_id"], outcome=PaymentOutcome(body.outcome), operator_ids=body.operator_ids
        )
        return await self._view(batch)

    async def _get_batch(self, batch_id: UUID) -> Batch:
        batch = await store.find_batch(self._context.database, "find_batch", batch_id)
        if batch is None:
            raise SettlementBatchNotFound(f"No batch has the id {batch_id}. List the runs to find it.")
        return batch

    async def _view(self, batch: Batch) -> RunView:
        database = self._context.database
        return view_run(
            batch,
            entry_count=await database.fetchval(store.queries["count_batch_entries"], batch.batch_id),
            statements=await store.list_statements(database, batch.batch_id),
            positions=await store.list_positions(database, batch.batch_id),
            payments=await store.list_payments(database, batch.batch_id),
        )


def build_routes(endpoints: Endpoints) -> list[Route]:
    """The endpoints."""
    return [*_agreement_routes(endpoints), *_run_routes(endpoints), *_statement_routes(endpoints)]


def _agreement_routes(endpoints: Endpoints) -> list[Route]:
    return [
        Route(
            method="PUT",
            path="/api/settlement/agreements/{operator_id}",
            operation="putAgreement",
            handler=endpoints.put_agreement,
            summary="Agree with an operator, or say who the platform is (operator_id `platform`)",
            tag="settlement",
            path_types={"operator_id": _OPERATOR},
            body=AgreementBody,
            response=AgreementView,
            problems=("bank_file_invalid", "conflict"),
        ),
        Route(
            method="GET",
            path="/api/settlement/agreements",
            operation="listAgreements",
            handler=endpoints.list_agreements,
            summary="The agreements in force",
            tag="settlement",
            response=list[AgreementView],
        ),
        Route(
            method="POST",
            path="/api/settlement/adjustments",
            operation="postAdjustment",
            handler=endpoints.post_adjustment,
            summary="Let one participant owe another; the next run settles it",
            tag="settlement",
            body=AdjustmentBody,
            response=AdjustmentView,
            status=201,
            idempotent=True,
            problems=("transfer_refused",),
        ),
    ]


def _run_routes(endpoints: Endpoints) -> list[Route]:
    batch = {"batch_id": UUID}
    return [
        Route(
            method="POST",
            path="/api/settlement/runs",
            operation="runSettlement",
            handler=endpoints.run_settlement,
            summary="Settle everything up to a cut-off: statements, netting, bank files",
            tag="settlement",
            body=RunBody,
            response=RunView,
            status=201,
            idempotent=True,
            problems=("cut_off_not_possible", "agreement_missing", "conflict", "transfer_refused"),
        ),
        Route(
            method="GET",
            path="/api/settlement/runs",
            operation="listSettlementRuns",
            handler=endpoints.list_runs,
            summary="The newest runs",
            tag="settlement",
            response=list[RunSummary],
        ),
        Route(
            method="GET",
            path="/api/settlement/runs/{batch_id}",
            operation="getSettlementRun",
            handler=endpoints.get_run,
            summary="A run with its positions and payments",
            tag="settlement",
            path_types=batch,
            response=RunView,
            problems=("settlement_batch_not_found",),
        ),
        Route(
            method="GET",
            path="/api/settlement/runs/{batch_id}/bank-files/{format}",
            operation="getBankFile",
            handler=endpoints.get_bank_file,
            summary="The run's payments as a file for the bank",
            tag="settlement",
            path_types={**batch, "format": _FORMAT},
            problems=("settlement_batch_not_found", "not_found"),
            media_type=_FILE_MEDIA_TYPE,
        ),
        Route(
            method="POST",
            path="/api/settlement/runs/{batch_id}/confirmations",
            operation="confirmSettlement",
            handler=endpoints.confirm,
            summary="Say what the bank did with the run's payments",
            tag="settlement",
            path_types=batch,
            body=ConfirmationBody,
            response=RunView,
            idempotent=True,
            problems=("settlement_batch_not_found", "conflict", "transfer_refused"),
        ),
    ]


def _statement_routes(endpoints: Endpoints) -> list[Route]:
    return [
        Route(
            method="GET",
            path="/api/settlement/runs/{batch_id}/statements/{operator_id}",
            operation="getStatement",
            handler=endpoints.get_statement,
            summary="An operator's statement for a run",
            tag="settlement",
            path_types={"batch_id": UUID, "operator_id": _OPERATOR},
            response=Statement,
            problems=("statement_not_found",),
        ),
        Route(
            method="GET",
            path="/api/settlement/operators/{operator_id}/statements",
            operation="listStatements",
            handler=endpoints.list_statements,
            summary="An operator's newest statements",
            tag="settlement",
            path_types={"operator_id": _OPERATOR},
            query=StatementsQuestion,
            response=list[Statement],
            problems=("statement_not_found",),
        ),
    ]


def _check_own(caller: Principal, operator_id: str) -> str:
    """The operator's id, if the caller may see its statements; another's does not exist for a clerk."""
    if caller.role is Role.CLERK and caller.operator_id != operator_id:
        raise Problem("statement_not_found", detail="Clerks see their own operator's statements.")
    return str(operator_id)
