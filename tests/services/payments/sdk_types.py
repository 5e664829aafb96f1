"""Hold a JSON object against the type that the provider's SDK declares for it."""

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
