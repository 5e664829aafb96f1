"""A ledger in a process of its own, so that it can be killed: pickled batches in, pickled statuses out."""

import asyncio
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from payments.transfers import Transfer, TransferStatus

ROOT = Path(__file__).parents[2]


class LedgerProcess:
    """Started when it is first asked; after `kill` the next question starts another."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._process: subprocess.Popen[bytes] | None = None

    async def post(
        self, batches: Sequence[Sequence[Transfer]], *, now: datetime
    ) -> list[list[TransferStatus]]:
        """Ask, and wait for the answer. Raises ConnectionError when the process dies, or its server did."""
        return await asyncio.to_thread(self._ask, (batches, now))

    def kill(self) -> None:
        """End it at once, wherever it is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """End it and forget it."""
        self.kill()
        if self._process is not None and self._process.stdin and self._process.stdout:
            self._process.stdin.close()
            self._process.stdout.close()
        self._process = None

    def _ask(self, question: Any) -> list[list[TransferStatus]]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__)), self._url],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            pickle.dump(question, self._process.stdin)
            self._process.stdin.flush()
            answer = pickle.load(self._process.stdout)  # noqa: S301 - our own process
        except (EOFError, OSError) as error:
            raise ConnectionError("the ledger's process is gone") from error
        if isinstance(answer, str):
            raise ConnectionError(answer)
        statuses: list[list[TransferStatus]] = answer
        return statuses


async def _serve(url: str) -> None:
    # What only the served process needs; the tests that start it have it already.
    import asyncpg  # noqa: PLC0415

    from services.ledger.store import LedgerStore  # noqa: PLC0415
    from services.platform.database import Database  # noqa: PLC0415

    database = Database(url, schema="ledger")
    await database.open()
    store = LedgerStore(database)
    while True:
        try:
            batches, now = await asyncio.to_thread(pickle.load, sys.stdin.buffer)
        except EOFError:
            return
        answer: Any
        try:
            answer = await store.post(batches, now=now)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            answer = repr(error)
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
