"""What we found in a feed, for the person who must mend it.

Problem   A feed with a million rows may have a million faults; a report must be short and still true.
Idea      A `Notice` names file, row and field, and its message names the cure. `Notices` keeps the first few
          of each code as samples, and the true count of every code.
Invariant A code always has one severity; counts are exact, however many samples are kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

SAMPLES_MAX = 20
VALUE_CHARS_MAX = 80


class Severity(StrEnum):
    """ERROR: something was left out of the feed. WARNING: probably a mistake. INFO: good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Notice:
    """One finding. `row` is the line in the file (the header is line 1), None for the whole file."""

    code: str
    severity: Severity
    file: str
    row: int | None
    field: str
    message: str

    def __str__(self) -> str:
        """One line: `error decreasing_time stop_times.txt:17 arrival_time: ...`."""
        place = self.file if self.row is None else f"{self.file}:{self.row}"
        words = (self.severity.value, self.code, place, self.field)
        return " ".join(word for word in words if word) + f": {self.message}"


@dataclass(frozen=True, slots=True)
class NoticeCount:
    """How often a code was found, and its first samples."""

    code: str
    severity: Severity
    count: int
    samples: tuple[Notice, ...]


_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


class Notices:
    """Collects notices; see the module."""

    def __init__(self, *, samples_max: int = SAMPLES_MAX) -> None:
        self._samples_max = samples_max
        self._counts: dict[str, int] = {}
        self._samples: dict[str, list[Notice]] = {}
        self._severities: dict[str, Severity] = {}

    def add(
        self,
        code: str,
        severity: Severity,
        message: str,
        *,
        file: str = "",
        row: int | None = None,
        field: str = "",
    ) -> None:
        """Note one finding."""
        self._count(code, severity, 1)
        self._keep(Notice(code, severity, file, row, field, message))

    def add_rows(
        self,
        code: str,
        severity: Severity,
        template: str,
        rows: pl.DataFrame,
        *,
        file: str,
        field: str = "",
    ) -> None:
        """Note one finding for each row of `rows`, which has `row` and the columns that `template` names."""
        if rows.is_empty():
            return
        self._count(code, severity, rows.height)
        for values in rows.head(self._samples_max).iter_rows(named=True):
            shown = {name: _shown(value) for name, value in values.items()}
            message = template.format(**shown)
            self._keep(Notice(code, severity, file, values["row"], field, message))

    def extend(self, other: "Notices") -> None:
        """Take over everything another collector found."""
        for found in other.list_counts():
            self._count(found.code, found.severity, found.count)
            for notice in found.samples:
                self._keep(notice)

    def _count(self, code: str, severity: Severity, count: int) -> None:
        known = self._severities.setdefault(code, severity)
        assert known is severity, "a notice code has one severity"
        self._counts[code] = self._counts.get(code, 0) + count

    def _keep(self, notice: Notice) -> None:
        samples = self._samples.setdefault(notice.code, [])
        if len(samples) < self._samples_max:
            samples.append(notice)

    @property
    def has_errors(self) -> bool:
        """Whether any finding is an ERROR."""
        return Severity.ERROR in self._severities.values()

    def count(self, code: str) -> int:
        """How often this code was found."""
        return self._counts.get(code, 0)

    def count_by_severity(self) -> dict[Severity, int]:
        """The number of findings of each severity, zeros included."""
        totals = dict.fromkeys(Severity, 0)
        for code, count in self._counts.items():
            totals[self._severities[code]] += count
        return totals

    def list_counts(self) -> list[NoticeCount]:
        """Every code found: errors first, then by code."""
        codes = sorted(self._counts, key=lambda code: (_ORDER[self._severities[code]], code))
        return [
            NoticeCount(code, self._severities[code], self._counts[code], tuple(self._samples[code]))
            for code in codes
        ]

    def __iter__(self) -> Iterator[Notice]:
        """The samples kept, errors first."""
        for found in self.list_counts():
            yield from found.samples

    def __len__(self) -> int:
        """How many findings there were, beyond the samples kept."""
        return sum(self._counts.values())


def _shown(value: object) -> object:
    """A value of the feed as it may stand in a message: short, on one line, printable."""
    if not isinstance(value, str):
        return value
    text = "".join(letter if letter.isprintable() else "�" for letter in value[: VALUE_CHARS_MAX + 1])
    return text if len(text) <= VALUE_CHARS_MAX else text[:VALUE_CHARS_MAX] + "…"
