"""How long a guesser must wait: pure arithmetic over one row.

Idea      after `limit` failures within the window each further try waits twice as long, a quarter of an hour
          at most. Three subjects are counted: the login from one address (few), the address (more: a school
          shares one), the login from anywhere (many: else anybody could lock anybody out).
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=15)
WAIT_MAX_S = 900
PAIR_LIMIT, ADDRESS_LIMIT, LOGIN_LIMIT = 5, 100, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Something that failures are counted for."""

    key: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """What one row holds."""

    failure_count: int
    last_at: datetime


def list_subjects(login: str, address: str) -> list[Subject]:
    """Whom a try concerns, in the order in which their rows are locked. No login is readable from a key."""
    subjects = [
        Subject(key=_key("pair", f"{login}|{address}"), limit=PAIR_LIMIT),
        Subject(key=_key("address", address), limit=ADDRESS_LIMIT),
        Subject(key=_key("login", login), limit=LOGIN_LIMIT),
    ]
    return sorted(subjects, key=lambda subject: subject.key)


def _key(kind: str, text: str) -> str:
    return f"{kind}:{hashlib.sha256(text.encode()).hexdigest()}"


def get_wait_s(attempts: Attempts, limit: int, now: datetime) -> int:
    """Whole seconds until the next try is allowed; 0 is now."""
    if now - attempts.last_at >= WINDOW or attempts.failure_count < limit:
        return 0
    # The exponent is bounded before the power is taken: failures have no bound.
    pause_s = min(WAIT_MAX_S, 2 ** min(attempts.failure_count - limit, 10))
    waited_s = (now - attempts.last_at).total_seconds()
    return max(0, -int(-(pause_s - waited_s) // 1))


def count_try(attempts: Attempts, now: datetime) -> Attempts:
    """The row after one more try, counted as a failure until it proves right."""
    fresh = now - attempts.last_at >= WINDOW
    return Attempts(failure_count=1 if fresh else attempts.failure_count + 1, last_at=now)
