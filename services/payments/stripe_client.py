"""The SDK's client as this service uses it: patient, bounded, and with its errors sorted.

Problem   The SDK makes one attempt unless told otherwise, never repeats a 429, waits 80 seconds, leaks its
          connections unless closed, and lets some network errors through bare.
Idea      Short time-outs, one repetition by the SDK, a few patient ones for 429 here; every error is sorted
          into the three kinds that the caller can act on.
Source    facts on payments, rules 16-19; https://docs.stripe.com/api.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiohttp
import stripe

from payments.errors import PaymentsError, ProviderRefused, ProviderUnavailable
from services.payments.provider import ProviderFault

T = TypeVar("T")

PAGE = 100
_ENDED_STATUS = 500


class StripeClient:
    """The SDK's asynchronous client for Stripe, or for anything that speaks its API at `api_base`.

    `transport` replaces the SDK's HTTP client, for simulations that need no socket.
    """

    def __init__(
        self,
        *,
        api_key: str,
        api_base: str = "",
        timeout_s: float = 10.0,
        network_retries: int = 1,
        rate_limit_pauses_s: tuple[float, ...] = (0.2, 0.5, 1.0),
        transport: stripe.HTTPClient | None = None,
    ) -> None:
        stripe.enable_telemetry = False
        self._pauses_s = rate_limit_pauses_s
        timeout = aiohttp.ClientTimeout(total=timeout_s, connect=min(3.0, timeout_s))
        self._http = transport or stripe.AIOHTTPClient(timeout=timeout)
        self._client = stripe.StripeClient(
            api_key,
            base_addresses={"api": api_base.rstrip("/")} if api_base else {},
            max_network_retries=network_retries,
            http_client=self._http,
        )

    @property
    def v1(self) -> stripe.V1Services:
        """The SDK's services, by the name of their resource."""
        return self._client.v1

    async def close(self) -> None:
        """Let connections go."""
        await self._http.close_async()  # type: ignore[no-untyped-call]  # the SDK gives it no types

    async def ask(self, act: Callable[[], Awaitable[T]]) -> T:
        """What `act` answers. Raises ProviderUnavailable, ProviderFault, ProviderRefused and its kinds."""
        for pause_s in (*self._pauses_s, None):
            try:
                return await act()
            except stripe.RateLimitError as error:
                if pause_s is None:
                    raise ProviderUnavailable("The payment provider is busy. Try again.") from error
                await asyncio.sleep(pause_s)
            except stripe.StripeError as error:
                raise _sorted(error) from error
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise ProviderUnavailable("The payment provider's answer was lost. Try again.") from error
        raise AssertionError("the last pause is None and raises")


class Declined(ProviderRefused):
    """The card's bank says no; the message is its reason."""


class PastThat(ProviderRefused):
    """The payment is in another state than the command needs."""


def _sorted(error: stripe.StripeError) -> Exception:
    """The error in the caller's three kinds, or one of the two that a command answers itself."""
    if isinstance(error, stripe.CardError):
        details = error.error
        return Declined((details.decline_code if details else None) or error.code or "declined")
    if isinstance(error, stripe.InvalidRequestError):
        if error.code == "payment_intent_unexpected_state":
            return PastThat(error.code)
        return ProviderRefused(error.code or error.user_message or "invalid_request")
    return _fault_of(error)


def _fault_of(error: stripe.StripeError) -> PaymentsError:
    if isinstance(error, (stripe.AuthenticationError, stripe.PermissionError)):
        return ProviderUnavailable("The payment provider does not accept our key. Set STRIPE_API_KEY.")
    if error.http_status == _ENDED_STATUS:
        return ProviderFault("The payment provider broke while working on it. Try again.")
    return ProviderUnavailable("The payment provider does not answer. Try again.")


def id_of(item: Any) -> str | None:
    """The id of a field that holds an object or its id."""
    return item if item is None or isinstance(item, str) else str(item.id)
