"""Read a tariff folder: small CSV tables, one row type each, judged row by row.

Problem   A tariff is typed by people from a printed table. A wrong digit must be found at loading, with its
          file, row and field, and never as a wrong price.
Idea      A table is a frozen dataclass; the annotation of a field is its parser. Every row is dated
          (`valid_from` to `valid_to`, both inclusive, empty = open) and names its source. All problems of a
          folder are collected and raised together.
Not here  The row types (tables.py), rules between tables (check.py) and the rows in force (in_force.py).
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import ClassVar, Literal, NewType, TypeVar, get_args, get_origin, get_type_hints

from maas.errors import TariffUnreadable

KmTenths = NewType("KmTenths", int)
AMOUNT_MINOR_MAX = 10_000_000
BYTES_MAX = 20_000_000
KM_DIGITS_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffProblem:
    """One cell that cannot be used. `row` counts from 1 with the header as row 1; 0 means the whole file."""

    file: str
    row: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.file} row {self.row} {self.field}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """What every row carries. A fare changes with the first train of `valid_from`'s service day."""

    table: ClassVar[str] = ""
    valid_from: date
    valid_to: date | None
    source: str
    row: int = field(default=0, compare=False)

    def is_valid_on(self, day: date) -> bool:
        """Whether the row is in force on a service date."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


RowType = TypeVar("RowType", bound=Dated)


class BadCell(ValueError):
    """A cell that its field's type refuses; the message is the cure."""


def _parse_text(text: str) -> str:
    if not text:
        raise BadCell("is empty; fill it in")
    return text


def _parse_whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > AMOUNT_MINOR_MAX:
        raise BadCell(f"{text!r} is no whole number from 0 to {AMOUNT_MINOR_MAX}; write digits only")
    return int(text)


def _parse_km(text: str) -> KmTenths:
    whole, point, tenths = text.partition(".")
    if (
        not (whole.isascii() and whole.isdigit())
        or len(whole) > KM_DIGITS_MAX
        or (point and not _is_digit(tenths))
    ):
        raise BadCell(f"{text!r} is no distance in km with at most one decimal; write it as 12.3")
    return KmTenths(int(whole) * 10 + int(tenths or 0))


def _is_digit(text: str) -> bool:
    return len(text) == 1 and text.isascii() and text.isdigit()


def _parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadCell(f"{text!r} is no date; write it as 2026-03-14") from None


def _parse_one_of(choices: tuple[str, ...], text: str) -> str:
    if text not in choices:
        raise BadCell(f"{text!r} is none of: {', '.join(choices)}")
    return text


PARSERS: dict[object, Callable[[str], object]] = {
    str: _parse_text,
    int: _parse_whole,
    KmTenths: _parse_km,
    date: _parse_day,
}


def _parse_cell(kind: object, text: str) -> object:
    if get_origin(kind) is Literal:
        return _parse_one_of(get_args(kind), text)
    if type(None) in get_args(kind):
        inner = next(part for part in get_args(kind) if part is not type(None))
        return PARSERS[inner](text) if text else None
    return PARSERS[kind](text)


def read_table(folder: Path, row_type: type[RowType], problems: list[TariffProblem]) -> tuple[RowType, ...]:
    """The rows of a table; an absent file is an empty table. Problems are added to `problems`."""
    path = folder / f"{row_type.table}.csv"
    if not path.exists():
        return ()
    kinds = {name: kind for name, kind in get_type_hints(row_type).items() if name not in ("table", "row")}
    found = []
    try:
        if path.stat().st_size > BYTES_MAX:
            problems.append(_whole_file(path, f"is over {BYTES_MAX} bytes; a tariff table is small"))
            return ()
        lines = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines(), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        problems.append(_whole_file(path, f"is no UTF-8 CSV ({error}); save it as UTF-8 CSV"))
        return ()
    names = [cell.strip() for cell in lines[0]] if lines else []
    missing, unknown = sorted(kinds.keys() - set(names)), sorted(set(names) - kinds.keys())
    if missing or unknown or len(names) != len(set(names)):
        wanted = ",".join(f.name for f in fields(row_type) if f.name != "row")
        problems.append(
            _whole_file(path, f"has missing {missing} or unknown {unknown} columns; needs {wanted}")
        )
        return ()
    for number, cells in enumerate(lines[1:], start=2):
        if any(cell.strip() for cell in cells):
            found += list(
                _read_row(path.name, number, dict(zip(names, cells, strict=False)), row_type, problems)
            )
    return tuple(found)


def _whole_file(path: Path, message: str) -> TariffProblem:
    return TariffProblem(file=path.name, row=0, field="", message=message)


def _read_row(
    file: str, number: int, cells: dict[str, str], row_type: type[RowType], problems: list[TariffProblem]
) -> Iterator[RowType]:
    values: dict[str, object] = {"row": number}
    before = len(problems)
    for name, kind in get_type_hints(row_type).items():
        if name in ("table", "row"):
            continue
        try:
            values[name] = _parse_cell(kind, cells.get(name, "").strip())
        except BadCell as error:
            problems.append(TariffProblem(file=file, row=number, field=name, message=str(error)))
    if len(problems) == before:
        yield row_type(**values)  # type: ignore[arg-type]  # each value was parsed by its field's type


def raise_if_any(problems: list[TariffProblem]) -> None:
    """Raises TariffUnreadable naming the first twenty problems and their true count."""
    if problems:
        shown = "\n".join(str(problem) for problem in problems[:20])
        raise TariffUnreadable(f"{len(problems)} problem(s) in the tariff tables:\n{shown}")
