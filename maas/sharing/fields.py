"""One JSON object from outside, read field by field, with a notice for whatever is wrong.

Problem   A feed of six thousand stations has a few bad rows; one of them must not cost the others, nor pass.
Idea      A `Fields` wraps one object and knows its file and row. A getter returns a value of the right type
          or None, and notes why. `require` says afterwards whether the row can be used.
Not here  What the fields mean (gbfs.py).
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any, TypeGuard

from gtfs.notices import Notices, Severity
from maas.sharing.records import NO_LANGUAGE

_INT_MAX = 2**31 - 1
_LATEST_POSIX_S = 4_102_444_800  # 2100-01-01
_TEXT_CHARS_MAX = 2_000


class Fields:
    """A JSON object with its place in a file; `row` counts from 1."""

    def __init__(self, values: Mapping[str, Any], notices: Notices, *, file: str, row: int | None) -> None:
        self._values = values
        self._notices = notices
        self._file = file
        self._row = row
        self._is_usable = True

    def __contains__(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._values.get(name) is not None

    @property
    def is_usable(self) -> bool:
        """Whether every required field so far had a value."""
        return self._is_usable

    def refuse(self, name: str, why: str) -> None:
        """Note that this row cannot be used because of this field."""
        self._is_usable = False
        self._note("gbfs_row_left_out", Severity.ERROR, name, f"{why}; the row was left out. Correct it.")

    def doubt(self, name: str, why: str) -> None:
        """Note that this field was ignored."""
        self._note("gbfs_field_ignored", Severity.WARNING, name, f"{why}; the field was ignored. Correct it.")

    def text(self, name: str, *, required: bool = False) -> str:
        """A string; numbers are taken as their text, as some systems send ids. Empty if absent."""
        value = self._values.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and 0 < len(value) <= _TEXT_CHARS_MAX and "\x00" not in value:
            return value
        self._missing(name, value, "a text", required=required)
        return ""

    def count(self, name: str, *, required: bool = False) -> int | None:
        """A whole number of zero or more, or None."""
        value = self._values.get(name)
        if _is_whole(value) and 0 <= int(value) <= _INT_MAX:
            return int(value)
        self._missing(name, value, "a whole number of zero or more", required=required)
        return None

    def degrees(self, name: str, limit: int, *, required: bool = False) -> float | None:
        """Degrees within plus or minus `limit`, or None."""
        value = self._values.get(name)
        if _is_number(value) and -limit <= value <= limit:
            return float(value)
        self._missing(name, value, f"degrees within {limit}", required=required)
        return None

    def metres(self, name: str) -> int | None:
        """Metres of zero or more, rounded, or None."""
        value = self._values.get(name)
        if _is_number(value) and 0 <= value <= _INT_MAX:
            return round(value)
        self._missing(name, value, "metres of zero or more", required=False)
        return None

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """A boolean; 0 and 1 are taken too, as GBFS 1 sent them. Required unless it has a default."""
        value = self._values.get(name)
        if isinstance(value, bool) or (isinstance(value, int) and value in (0, 1)):
            return bool(value)
        self._missing(name, value, "true or false", required=default is None)
        return bool(default)

    def instant(self, name: str) -> datetime | None:
        """An instant from RFC 3339 text (3.0) or POSIX seconds (2.x), or None."""
        value = self._values.get(name)
        found = parse_instant(value)
        if found is None:
            self._missing(name, value, "a time (RFC 3339, or POSIX seconds)", required=False)
        return found

    def names(self, name: str, *, required: bool = False) -> dict[str, str]:
        """A text by language: a list of texts with languages (3.0) or one text (2.x)."""
        value = self._values.get(name)
        if isinstance(value, str) and value:
            return {NO_LANGUAGE: self.text(name, required=required)}
        if isinstance(value, list):
            found = {
                each["language"]: each["text"]
                for each in value
                if isinstance(each, dict)
                and isinstance(each.get("text"), str)
                and isinstance(each.get("language"), str)
                and "\x00" not in each["text"] + each["language"]
            }
            if found:
                return found
        self._missing(name, value, "a text by language", required=required)
        return {}

    def uris(self, name: str) -> dict[str, str]:
        """Addresses by platform (`android`, `ios`, `web`)."""
        value = self._values.get(name)
        if not isinstance(value, dict):
            self._missing(name, value, "an object of addresses", required=False)
            return {}
        return {str(key): uri for key, uri in value.items() if isinstance(uri, str) and "\x00" not in uri}

    def rows(self, name: str, *, required: bool = False) -> "Iterator[Fields]":
        """The objects of a list, each with its place; what is no object is noted."""
        value = self._values.get(name)
        if not isinstance(value, list):
            self._missing(name, value, "a list", required=required)
            return
        for index, each in enumerate(value, start=1):
            row = Fields(
                each if isinstance(each, dict) else {},
                self._notices,
                file=self._file,
                row=index if self._row is None else self._row,
            )
            if isinstance(each, dict):
                yield row
            else:
                row.refuse(name, "an object was expected here")

    def within(self, name: str) -> "Fields":
        """The object of that name, or an empty one, which then misses whatever is required of it."""
        value = self._values.get(name)
        if not isinstance(value, dict):
            self._missing(name, value, "an object", required=True)
        return Fields(value if isinstance(value, dict) else {}, self._notices, file=self._file, row=self._row)

    def list_objects(self) -> list[str]:
        """The names of the fields that are objects themselves."""
        return [name for name, value in self._values.items() if isinstance(value, dict)]

    def raw(self, name: str) -> Any:
        """The value as it came."""
        return self._values.get(name)

    def _missing(self, name: str, value: Any, wanted: str, *, required: bool) -> None:
        if required:
            self.refuse(name, f"`{name}` must be {wanted}")
        elif value is not None:
            self.doubt(name, f"`{name}` should be {wanted}")

    def _note(self, code: str, severity: Severity, name: str, message: str) -> None:
        self._notices.add(code, severity, message, file=self._file, row=self._row, field=name)


def parse_instant(value: Any) -> datetime | None:
    """RFC 3339 text or POSIX seconds as an aware instant in UTC; None for anything else."""
    if _is_whole(value) and 0 <= value <= _LATEST_POSIX_S:
        return datetime.fromtimestamp(int(value), UTC)
    if not isinstance(value, str):
        return None
    try:
        instant = datetime.fromisoformat(value)
        return instant.astimezone(UTC) if instant.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _is_number(value: Any) -> TypeGuard[float]:
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and isfinite(value)
    )


def _is_whole(value: Any) -> TypeGuard[float]:
    return _is_number(value) and value == int(value)
