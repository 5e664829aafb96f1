"""Who tapped, without saying who: keyed hashes that hold for one service day.

Problem   A table of taps that goes out must let a day's entry and exit be joined, and must not let a person
          be followed from day to day, nor be found again by whoever holds a card's token.
Idea      HMAC-SHA256 of the service date and the medium (or ticket) under a key that never leaves this house.
"""

import hashlib
import hmac
import os
from datetime import date
from pathlib import Path

KEY_BYTES = 32
_OWNER_ONLY = 0o600


class TokenHasher:
    """Makes tokens. `open` touches the disk: call it in a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key = b""

    def open(self) -> None:
        """Read the key; make it where there is none."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._path.with_suffix(f".{os.getpid()}")
        if not self._path.exists():
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY), "wb") as file:
                file.write(os.urandom(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(fresh, self._path)  # whoever comes second takes the first one's key
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        self._key = self._path.read_bytes()

    def token(self, service_date: date, secret: str) -> str:
        """The token of a medium or a ticket on that day."""
        assert self._key, "the key is read at the start"
        return (
            "t_" + hmac.new(self._key, f"{service_date}|{secret}".encode(), hashlib.sha256).hexdigest()[:32]
        )
