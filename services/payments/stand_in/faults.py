"""Faults on demand: what goes wrong with the next calls.

kind            the effect    the caller sees
rate_limited    does not      429
error_before    does not      500, stored under the key as the provider does
error_after     happens       500, stored under the key as the provider does
timeout_before  does not      nothing for `delay_s`
timeout_after   happens       nothing for `delay_s`
timeout_late    happens late  nothing for `delay_s`; the effect comes at the end of it
drop_before     does not      a closed connection
drop_after      happens       a closed connection
"""

from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """What goes wrong. The module's table says how."""

    RATE_LIMITED = "rate_limited"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    TIMEOUT_LATE = "timeout_late"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    DROP_LATE = "drop_late"


@dataclass(slots=True, kw_only=True)
class Fault:
    """A fault for the next `count` calls by `method` whose path begins with `path` and ends with `ending`."""

    kind: FaultKind
    count: int = 1
    method: str = ""
    path: str = "/v1/"
    ending: str = ""
    delay_s: float = 30.0

    def is_for(self, method: str, path: str) -> bool:
        """The fault has calls left and speaks of this one."""
        return (
            self.count > 0
            and self.method in ("", method)
            and path.startswith(self.path)
            and path.endswith(self.ending)
        )


class Faults:
    """The faults asked for, in order."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Ask for a fault."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Everything works again."""
        self._faults.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this call, or None. Each is taken as often as its count says."""
        for fault in self._faults:
            if fault.is_for(method, path):
                fault.count -= 1
                return fault
        return None

    def list_all(self) -> list[Fault]:
        """What may still go wrong."""
        return [fault for fault in self._faults if fault.count > 0]
