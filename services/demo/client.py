"""A client of the public API: what any app would do, and nothing else.

Problem   The trip must be played through the front door, as a client would.
Idea      One object per signed-in person or device. Commands carry a fresh Idempotency-Key; an answer that
          is a problem is raised with its code and its cure.
"""

from collections.abc import Mapping
from typing import Any, Self
from uuid import uuid4

import aiohttp


class CallFailed(Exception):
    """The API answered with a problem. `code` is the problem's."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Client:
    """Calls one server as one person, device or nobody."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str = "") -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._token = token

    def with_token(self, token: str) -> Self:
        """The same server, as somebody else."""
        return type(self)(self._session, self._url, token)

    async def sign_in(self, **credentials: str) -> Self:
        """A client for the owner of these: email and password, or client_id and client_secret."""
        answer = await self.post("/api/identity/tokens", credentials)
        return self.with_token(answer["access_token"])

    async def get(self, path: str, **query: Any) -> Any:
        """The JSON (or the bytes) at `path`; values of None are left out. Raises CallFailed."""
        chosen = {name: str(value) for name, value in query.items() if value is not None}
        return await self._call("GET", path, params=chosen)

    async def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """Send a command once. Raises CallFailed."""
        return await self._call("POST", path, json=body, headers={"Idempotency-Key": key or uuid4().hex})

    async def post_signed(self, path: str, body: bytes, signature: Mapping[str, str]) -> Any:
        """Send exactly these bytes of JSON with the headers that sign them. Raises CallFailed."""
        headers = {"Content-Type": "application/json", **signature}
        return await self._call("POST", path, data=body, headers=headers)

    async def put(self, path: str, body: Any) -> Any:
        """Set a resource. Raises CallFailed."""
        return await self._call("PUT", path, json=body, headers={"Idempotency-Key": uuid4().hex})

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        headers = dict(options.pop("headers", {}))
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        async with self._session.request(method, self._url + path, headers=headers, **options) as response:
            is_json = "json" in response.content_type
            answer = await response.json() if is_json else await response.read()
            if response.status >= 400:  # noqa: PLR2004 - where HTTP's errors begin
                code = answer.get("code", "?") if isinstance(answer, dict) else "?"
                detail = answer.get("detail", "") if isinstance(answer, dict) else ""
                raise CallFailed(code, f"{method} {path}: {response.status} {code}. {detail}")
            return answer
