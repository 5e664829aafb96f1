"""The stand-in takes no parameter that the provider's SDK does not declare for the endpoint."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from services.payments.stand_in.book import Book
from services.payments.stand_in.desk import Desk, WebhookWishes
from services.payments.stand_in.forms import Params
from services.payments.stand_in.operations import OPERATIONS
from tests.services.payments.sdk_types import declared_parameters

CLIENT = stripe.StripeClient("sk_test_types")


class Recording(Params):
    """Parameters that tell which names were asked for."""

    @property
    def names(self) -> set[str]:
        return self._read - self._ALWAYS


def accepted_by(operation: Callable[..., Any], folder: Path) -> set[str]:
    """The names an operation asks for: a list is run, as nothing can stop it; others are read."""
    if operation.__name__ == "operation":
        params = Recording({})
        book = Book(folder / "book.sqlite3", durable=False)
        operation(Desk(book=book, now=0.0, base_url="", wishes=WebhookWishes(), request_id="req_1"), params)
        book.close()
        return params.names
    return set(names_read_in(operation))


def names_read_in(function: Callable[..., Any]) -> Iterator[str]:
    """String arguments of every call on `params`, here and in the functions that `params` is handed to."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        target = node.func
        if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "params":
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant))
        elif isinstance(target, ast.Name) and any(ast.unparse(arg) == "params" for arg in node.args):
            yield from names_read_in(function.__globals__[target.id])


@pytest.mark.parametrize(
    ("method", "path", "operation"), OPERATIONS, ids=[f"{method} {path}" for method, path, _ in OPERATIONS]
)
def test_every_parameter_is_declared(
    method: str, path: str, operation: Callable[..., Any], tmp_path: Path
) -> None:
    declared = declared_parameters(CLIENT, method, path)
    assert accepted_by(operation, tmp_path) <= declared


def test_the_reader_finds_what_helpers_read() -> None:
    create = next(op for method, path, op in OPERATIONS if (method, path) == ("POST", "/v1/payment_intents"))
    # `amount` is read by a helper, `off_session` by the operation, `transfer_group` is ignored there.
    assert {"amount", "off_session", "transfer_group"} <= set(names_read_in(create))
    assert "colour" not in declared_parameters(CLIENT, "POST", "/v1/payment_intents")
