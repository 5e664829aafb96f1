"""The endpoints of operators who are paid through the provider."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from payments.ports import OperatorAccount, OperatorPayout
from services.payments.connect.handlers import ConnectHandlers
from services.platform.auth import Role
from services.platform.problem import Problem
from services.platform.service import Call, Route

TAG = "payments"

# A path type is a pydantic type as well as a class.
_OPERATOR_ID: Any = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]


class ReturnAddress(BaseModel):
    """Where the provider's page sends the operator's clerk back to."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    return_url: str = Field(pattern=r"^https?://[^\x00-\x20]+$", max_length=2000)


class ConnectEndpoints:
    """HTTP in front of the handlers."""

    def __init__(self, handlers: ConnectHandlers) -> None:
        self._handlers = handlers

    async def open_account(self, call: Call) -> OperatorAccount:
        """Open an operator's account, or go on with what the provider still asks."""
        operator_id = call.path["operator_id"]
        if call.caller.role is Role.CLERK and call.caller.operator_id != operator_id:
            raise Problem("forbidden", detail="A clerk opens the account of their own operator only.")
        return await self._handlers.open_account(operator_id=operator_id, return_url=call.body.return_url)

    async def reverse(self, call: Call) -> OperatorPayout:
        """Take a payout back."""
        return await self._handlers.reverse_payout(payout_id=call.path["payout_id"])


def build_routes(endpoints: ConnectEndpoints) -> list[Route]:
    """The endpoints of operators who are paid through the provider."""
    return [
        Route(
            method="POST",
            path="/api/payments/operators/{operator_id}/account",
            operation="openOperatorAccount",
            handler=endpoints.open_account,
            summary="Open an operator's account at the payment provider, and go on with its questions",
            tag=TAG,
            path_types={"operator_id": _OPERATOR_ID},
            body=ReturnAddress,
            response=OperatorAccount,
            problems=("provider_unavailable", "provider_refused"),
        ),
        Route(
            method="POST",
            path="/api/payments/operator-payouts/{payout_id}/reversal",
            operation="reverseOperatorPayout",
            handler=endpoints.reverse,
            summary="Take back a payout that went to an operator through the provider",
            tag=TAG,
            path_types={"payout_id": UUID},
            response=OperatorPayout,
            idempotent=True,
            problems=("operator_payout_not_found",),
        ),
    ]
