"""The endpoints of kept cards: a traveller's own."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from payments.ports import SavedMethod
from services.payments.methods.handlers import MethodsHandlers
from services.platform.service import Call, Route

TAG = "payments"
_PROBLEMS = ("saved_method_not_found", "provider_unavailable", "provider_refused")


class NewMethod(BaseModel):
    """A card to keep: the provider's id of what its page made of the card; no number ever comes here."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    payment_method: str = Field(pattern=r"^pm_[A-Za-z0-9_]{1,200}$", examples=["pm_card_visa"])


class SavedMethods(BaseModel):
    """A traveller's cards, the default first."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    methods: list[SavedMethod]


class MethodsEndpoints:
    """HTTP in front of the handlers."""

    def __init__(self, handlers: MethodsHandlers) -> None:
        self._handlers = handlers

    async def save(self, call: Call) -> SavedMethod:
        """Keep a card; its bank may ask the traveller first."""
        return await self._handlers.save_method(
            method_id=call.command_id,
            customer_id=call.caller.subject,
            payment_method=call.body.payment_method,
        )

    async def list_all(self, call: Call) -> SavedMethods:
        """A traveller's cards."""
        methods = await self._handlers.list_saved_methods(customer_id=call.caller.subject)
        return SavedMethods(methods=methods)

    async def get(self, call: Call) -> SavedMethod:
        """One card, looked at anew."""
        return await self._handlers.get_method(
            method_id=call.path["method_id"], customer_id=call.caller.subject
        )

    async def set_default(self, call: Call) -> SavedMethod:
        """Charge this card when nobody is asked."""
        return await self._handlers.set_default(
            method_id=call.path["method_id"], customer_id=call.caller.subject
        )

    async def detach(self, call: Call) -> SavedMethod:
        """Forget a card here and at the provider."""
        return await self._handlers.detach_method(
            method_id=call.path["method_id"], customer_id=call.caller.subject
        )


def build_routes(endpoints: MethodsEndpoints) -> list[Route]:
    """The endpoints of kept cards."""
    one = "/api/payments/methods/{method_id}"
    return [
        Route(
            method="POST",
            path="/api/payments/methods",
            operation="saveMethod",
            handler=endpoints.save,
            summary="Keep a card for later payments",
            tag=TAG,
            body=NewMethod,
            response=SavedMethod,
            idempotent=True,
            problems=("payment_command_differs", "provider_unavailable", "provider_refused"),
        ),
        Route(
            method="GET",
            path="/api/payments/methods",
            operation="listMethods",
            handler=endpoints.list_all,
            summary="List your kept cards",
            tag=TAG,
            response=SavedMethods,
        ),
        Route(
            method="GET",
            path=one,
            operation="getMethod",
            handler=endpoints.get,
            summary="Look at a kept card of your own",
            tag=TAG,
            path_types={"method_id": UUID},
            response=SavedMethod,
            problems=_PROBLEMS,
        ),
        Route(
            method="PUT",
            path=f"{one}/default",
            operation="setDefaultMethod",
            handler=endpoints.set_default,
            summary="Charge this card when nobody is asked",
            tag=TAG,
            path_types={"method_id": UUID},
            response=SavedMethod,
            problems=_PROBLEMS,
        ),
        Route(
            method="DELETE",
            path=one,
            operation="detachMethod",
            handler=endpoints.detach,
            summary="Forget a kept card, here and at the provider",
            tag=TAG,
            path_types={"method_id": UUID},
            response=SavedMethod,
            problems=_PROBLEMS,
        ),
    ]
