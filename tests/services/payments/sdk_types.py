"""What the provider's SDK declares: the fields of an object, and the parameters of an endpoint."""

import re
import typing
from collections.abc import Iterator
from types import UnionType
from typing import Any

import stripe

CLASSES: dict[str, type] = {
    "payment_intent": stripe.PaymentIntent,
    "charge": stripe.Charge,
    "setup_intent": stripe.SetupIntent,
    "refund": stripe.Refund,
    "balance_transaction": stripe.BalanceTransaction,
    "customer": stripe.Customer,
    "payment_method": stripe.PaymentMethod,
    "dispute": stripe.Dispute,
    "payout": stripe.Payout,
    "account": stripe.Account,
    "transfer": stripe.Transfer,
    "transfer_reversal": stripe.TransferReversal,
    "event": stripe.Event,
    "webhook_endpoint": stripe.WebhookEndpoint,
}


def list_differences(item: dict[str, Any]) -> list[str]:
    """Where an object of the stand-in is not what the SDK declares."""
    return list(_differences(CLASSES[item["object"]], item, item["object"]))


def _differences(declared: type, value: dict[str, Any], path: str) -> Iterator[str]:
    annotations = {k: v for k, v in declared.__annotations__.items() if "ClassVar" not in str(v)}
    for name in value.keys() - annotations.keys():
        yield f"{path}.{name} is not declared"
    for name, kind in annotations.items():
        if name in value:
            yield from _mismatch(kind, value[name], f"{path}.{name}")
        elif type(None) not in typing.get_args(kind):
            yield f"{path}.{name} is missing"


def _mismatch(kind: Any, value: Any, path: str) -> Iterator[str]:
    options = typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, UnionType) else (kind,)
    if value is None:
        if type(None) not in options:
            yield f"{path} is None"
        return
    literals = [option for option in options if typing.get_origin(option) is typing.Literal]
    if literals:
        if not any(value in typing.get_args(literal) for literal in literals):
            yield f"{path} = {value!r} is none of the declared values"
        return
    if isinstance(value, dict):
        classes = [o for o in options if isinstance(o, type) and issubclass(o, stripe.StripeObject)]
        if classes and classes[0].__annotations__ and "Untyped" not in classes[0].__name__:
            yield from _differences(classes[0], value, path)
        return
    if isinstance(value, list):
        if not any(typing.get_origin(option) is list for option in options):
            yield f"{path} is a list"
        return
    if not any(isinstance(option, type) and type(value) is option for option in options):
        yield f"{path} = {value!r} has none of the types {options}"


_VERBS = {("POST", 1): "create", ("GET", 1): "list", ("GET", 2): "retrieve", ("POST", 2): "update"}
_OPTIONS = frozenset(stripe.RequestOptions.__annotations__)


def declared_parameters(client: stripe.StripeClient, method: str, path: str) -> frozenset[str]:
    """The parameters that the SDK's method for this endpoint takes, by their names."""
    service, name = _method_of(client, method, path)
    annotation = str(getattr(type(service), f"{name}_async").__annotations__["params"])
    match = re.search(r"(\w+Params)", annotation)
    assert match is not None, f"{method} {path} has no parameters in the SDK: {annotation}"
    kind = getattr(stripe.params, match[1])
    fields: set[str] = set()
    for each in kind.__mro__:
        fields |= set(getattr(each, "__annotations__", {}))
    return frozenset(fields - _OPTIONS)


def _method_of(client: stripe.StripeClient, method: str, path: str) -> tuple[Any, str]:
    parts = path.removeprefix("/v1/").split("/")
    service = getattr(client.v1, parts[0])
    if path == "/v1/balance":
        return service, "retrieve"
    if len(parts) == 3 and hasattr(service, parts[2]) and not callable(getattr(service, parts[2])):
        return getattr(service, parts[2]), "create" if method == "POST" else "list"
    if len(parts) == 3 or parts[-1] == "search":
        return service, parts[-1]
    return service, "delete" if method == "DELETE" else _VERBS[method, len(parts)]
