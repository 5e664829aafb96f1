"""What the stand-in answers when it refuses, in the envelope of the provider's API."""

from typing import Any

JsonObject = dict[str, Any]


class ApiError(Exception):
    """A refusal. `commits` keeps the effects so far (a declined charge is recorded); others roll back.

    `began` is False for a malformed request: its reply is not stored under the idempotency key.
    """

    def __init__(
        self,
        status: int,
        *,
        kind: str,
        message: str,
        code: str | None = None,
        param: str | None = None,
        commits: bool = False,
        began: bool = True,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.commits = commits
        self.began = began
        fields = {"code": code, "message": message, "param": param, "type": kind, **extra}
        self.body: JsonObject = {"error": {key: value for key, value in fields.items() if value is not None}}


def invalid(message: str, *, code: str | None = None, param: str | None = None, **extra: Any) -> ApiError:
    """A request that cannot be done in this state, or with this value."""
    return ApiError(400, kind="invalid_request_error", message=message, code=code, param=param, **extra)


def malformed(message: str, *, code: str, param: str) -> ApiError:
    """A request whose parameters are refused before anything was begun."""
    return ApiError(400, kind="invalid_request_error", message=message, code=code, param=param, began=False)


def missing(kind: str, object_id: str) -> ApiError:
    """No object has this id."""
    return ApiError(
        404,
        kind="invalid_request_error",
        message=f"No such {kind}: '{object_id}'",
        code="resource_missing",
        param="id",
    )


def unexpected_state(verb: str, intent: JsonObject) -> ApiError:
    """A PaymentIntent that is in another state than the verb needs."""
    return invalid(
        f"This PaymentIntent's status is {intent['status']}; it cannot be {verb} in this state.",
        code="payment_intent_unexpected_state",
        payment_intent=intent,
    )


def server_fault() -> ApiError:
    """The provider broke."""
    return ApiError(500, kind="api_error", message="An unknown error occurred (asked for by a fault).")
