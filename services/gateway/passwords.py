"""Passwords: argon2id, off the event loop.

Idea      19 MiB, two passes, one lane: the least that OWASP's cheat sheet recommends, 25 ms here. Two at a
          time, so that a flood of sign-ins takes neither all cores nor all memory.
Invariant an unknown login costs the caller the same time as a wrong password.
"""

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_CONCURRENT_MAX = 2


class Passwords:
    """Hash and verify."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._turns = asyncio.Semaphore(_CONCURRENT_MAX)
        self._nobodys_hash: str | None = None

    async def hash(self, password: str) -> str:
        """The hash to keep."""
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is right; None (no such account) is never right, after the same work."""
        if password_hash is None:
            if self._nobodys_hash is None:
                self._nobodys_hash = await self.hash(secrets.token_urlsafe())
            await self._verify(self._nobodys_hash, password)
            return False
        return await self._verify(password_hash, password)

    def is_outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    async def _verify(self, password_hash: str, password: str) -> bool:
        async with self._turns:
            try:
                return await asyncio.to_thread(self._hasher.verify, password_hash, password)
            except (VerificationError, InvalidHashError):
                return False
