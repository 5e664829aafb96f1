"""Calls to the provider that are written down before they are made.

Invariant No call that may have happened is forgotten: its key is in the database first, and a later try
          uses that key again until it is known that the call has ended without its effect.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from payments.errors import ProviderRefused
from services.payments.provider import ProviderFault
from services.payments.store import PaymentsStore

R = TypeVar("R")
"""A dataclass: what the provider reports."""


async def run_call(store: PaymentsStore, key: str, act: Callable[[str], Awaitable[R]]) -> R:
    """Make the call under its key and write down how it ended. What raises without an end stays `started`."""
    try:
        report = await act(key)
    except ProviderFault as fault:
        await store.end_call(key, "faulted", fault)
        raise
    except ProviderRefused as refusal:
        await store.end_call(key, "refused", refusal)
        raise
    await store.end_call(key, "answered", report)
    return report
