"""Fare transactions as transit agencies exchange them: TIDES `fare_transactions`.

Problem   Operators and cities keep what gates and fare boxes saw in one agreed form; ours must go out in it,
          and theirs come in, and a wrong row must be named, not guessed.
Idea      One model is the table: its fields, what must be there, which words are allowed. A file is read
          row by row; each row is a transaction or notices with row and field. "NA", "NaN" and nothing are
          missing. What is written is what a strict reader of the table's schema takes: UTC to the second,
          plain numbers.
Not here  Which taps become transactions (services/ticketing/tides); other tables of TIDES.
Source    TIDES fare_transactions.schema.json, a Frictionless Table Schema.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, ValidationError

from gtfs.notices import Notice, Severity

MISSING = frozenset({"NA", "NaN", ""})


class FareAction(StrEnum):
    """What was done."""

    UNKNOWN = "Unknown action type"
    PURCHASE = "Purchase"
    ENTER = "Enter"
    EXIT = "Exit"
    TRANSFER_ENTRANCE = "Transfer entrance"
    TRANSFER_EXIT = "Transfer exit"
    ADD = "Add"
    NEW = "New"
    CAPTURE = "Capture"
    EXTEND = "Extend"
    COMBINE = "Combine"
    VOID = "Void"
    ACTIVATE = "Activate"
    ADJUST = "Adjust"
    OTHER = "Other"


class FareMedia(StrEnum):
    """With what it was done."""

    CASH = "Cash or coins"
    SMART_CARD = "Smart card or ticket"
    MAGNETIC = "Magnetic-stripe card or ticket"
    BANK_CARD = "Bank card"
    MOBILE_NFC = "Mobile NFC"
    OPTICAL = "Optical scan"
    BUTTON = "Button pressed by driver or operator to indicate a boarding or alighting passenger."
    OTHER = "Other type"


def _write_instant(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _plain(value: float) -> float | int:
    """180, not 180.0: yen have no fraction."""
    return int(value) if value == int(value) else value


Instant = Annotated[AwareDatetime, PlainSerializer(_write_instant, return_type=str)]
Number = Annotated[float, Field(allow_inf_nan=False), PlainSerializer(_plain)]
Text = Annotated[str, Field(min_length=1, max_length=512)]


class FareTransaction(BaseModel):
    """One row. None: not known. `amount` and `balance` are in units of the currency, not minor ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    transaction_id: Text
    service_date: date
    event_timestamp: Instant
    location_ping_id: Text | None = None
    amount: Number
    currency_type: Text | None = None
    fare_action: FareAction
    trip_id_performed: Text | None = None
    trip_id_scheduled: Text | None = None
    pattern_id: Text | None = None
    trip_stop_sequence: int | None = Field(default=None, ge=1)
    scheduled_stop_sequence: int | None = Field(default=None, ge=0)
    vehicle_id: Text | None = None
    device_id: Text | None = None
    fare_id: Text | None = None
    stop_id: Text | None = None
    num_riders: int | None = Field(default=None, ge=0)
    fare_media_id: FareMedia | None = None
    rider_category: Text | None = None
    fare_product: Text | None = None
    fare_period: Text | None = None
    fare_capped: bool
    token_id: Text | None = None
    balance: Number | None = None


FIELDS = tuple(FareTransaction.model_fields)
REQUIRED = frozenset(name for name, field in FareTransaction.model_fields.items() if field.is_required())


def read_csv(lines: Iterable[str], *, file: str) -> Iterator[tuple[int, FareTransaction | list[Notice]]]:
    """Each row of a CSV file with its line number, as a transaction or as what is wrong with it."""
    reader = csv.reader(lines)
    header = [name.strip().removeprefix("\ufeff") for name in next(reader, [])]
    wrong = _judge_header(header, file)
    if wrong:
        yield 1, wrong
        return
    for values in reader:
        if not values:
            continue
        if len(values) != len(header):
            message = f"{len(values)} values under {len(header)} columns. Quote commas inside of values."
            yield reader.line_num, [_notice("row_length", file, reader.line_num, "", message)]
            continue
        yield (
            reader.line_num,
            read_row(dict(zip(header, values, strict=True)), file=file, row=reader.line_num),
        )


def read_json(text: str | bytes, *, file: str) -> Iterator[tuple[int, FareTransaction | list[Notice]]]:
    """Each row of a JSON array, numbered from 1, as a transaction or as what is wrong with it."""
    try:
        rows = json.loads(text)
    except ValueError as error:
        yield 0, [_notice("not_json", file, None, "", f"{error}. Give an array of objects.")]
        return
    if not isinstance(rows, list):
        yield 0, [_notice("not_json", file, None, "", "The file is no array of objects.")]
        return
    for number, row in enumerate(rows, 1):
        if isinstance(row, dict):
            yield number, read_row(row, file=file, row=number)
        else:
            yield number, [_notice("not_json", file, number, "", "A row is an object of the table's fields.")]


def read_row(values: Mapping[str, Any], *, file: str, row: int) -> FareTransaction | list[Notice]:
    """One row, values as text or as JSON has them."""
    known = {
        name: None if isinstance(value, str) and value.strip() in MISSING else value
        for name, value in values.items()
    }
    given = {name: value for name, value in known.items() if value is not None}
    try:
        return FareTransaction.model_validate(given)
    except ValidationError as error:
        return [
            _notice(_code(each["type"]), file, row, ".".join(map(str, each["loc"])), each["msg"])
            for each in error.errors(include_url=False, include_context=False, include_input=False)
        ]


def write_csv(transactions: Iterable[FareTransaction], *, with_header: bool = True) -> str:
    """The rows as CSV with all columns; what is not known is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if with_header:
        writer.writerow(FIELDS)
    for each in transactions:
        values = each.model_dump(mode="json")
        writer.writerow([_word(values[name]) for name in FIELDS])
    return out.getvalue()


def _word(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _judge_header(header: list[str], file: str) -> list[Notice]:
    missing = [name for name in FIELDS if name in REQUIRED and name not in header]
    unknown = [name for name in header if name not in FIELDS]
    twice = sorted({name for name in header if header.count(name) > 1})
    return [
        *(_notice("missing_column", file, 1, name, "The column is required.") for name in missing),
        *(_notice("unknown_column", file, 1, name, "The table has no such column.") for name in unknown),
        *(_notice("column_twice", file, 1, name, "The column stands twice.") for name in twice),
    ]


def _code(kind: str) -> str:
    """Our word for one of pydantic's."""
    return {"missing": "missing_value", "extra_forbidden": "unknown_column", "enum": "unknown_word"}.get(
        kind, "invalid_value"
    )


def _notice(code: str, file: str, row: int | None, field: str, message: str) -> Notice:
    return Notice(code, Severity.ERROR, file, row, field, message)
