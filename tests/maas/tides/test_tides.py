"""TIDES fare transactions: the published table, every kind of wrong row, and what is written is read."""

import csv
import io
import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtfs.notices import Notice
from maas.tides import (
    FIELDS,
    MISSING,
    REQUIRED,
    FareAction,
    FareMedia,
    FareTransaction,
    read_csv,
    read_json,
    write_csv,
)

ROW = {
    "transaction_id": "a1",
    "service_date": "2026-05-20",
    "event_timestamp": "2026-05-20T11:31:00Z",
    "amount": "180",
    "fare_action": "Enter",
    "fare_capped": "false",
}


def as_csv(*rows: dict[str, str]) -> io.StringIO:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return io.StringIO(out.getvalue())


def notices_of(lines: io.StringIO) -> list[tuple[str, int | None, str]]:
    found: list[Notice] = []
    for _, each in read_csv(lines, file="x.csv"):
        if not isinstance(each, FareTransaction):
            found += each
    return [(notice.code, notice.row, notice.field) for notice in found]


def test_a_plain_row_is_read() -> None:
    [(row, each)] = read_csv(as_csv(ROW | {"num_riders": "NA", "stop_id": ""}), file="x.csv")
    assert isinstance(each, FareTransaction)
    assert (row, each.amount, each.fare_capped) == (2, 180, False)
    assert each.event_timestamp == datetime(2026, 5, 20, 11, 31, tzinfo=UTC)
    assert (each.num_riders, each.stop_id) == (None, None)


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"amount": ""}, "missing_value", "amount"),
        ({"amount": "NaN"}, "missing_value", "amount"),
        ({"amount": "free"}, "invalid_value", "amount"),
        ({"amount": "inf"}, "invalid_value", "amount"),
        ({"fare_action": "Tap"}, "unknown_word", "fare_action"),
        ({"fare_media_id": "Suica"}, "unknown_word", "fare_media_id"),
        ({"event_timestamp": "2026-05-20 11:31"}, "invalid_value", "event_timestamp"),
        ({"service_date": "20 May"}, "invalid_value", "service_date"),
        ({"trip_stop_sequence": "0"}, "invalid_value", "trip_stop_sequence"),
        ({"scheduled_stop_sequence": "-1"}, "invalid_value", "scheduled_stop_sequence"),
        ({"num_riders": "1.5"}, "invalid_value", "num_riders"),
        ({"fare_capped": "perhaps"}, "invalid_value", "fare_capped"),
    ],
)
def test_a_wrong_value_is_named_by_row_and_field(change: dict[str, str], code: str, field: str) -> None:
    assert notices_of(as_csv(ROW | {field: ""}, ROW | change))[-1] == (code, 3, field)


def test_a_wrong_header_and_a_wrong_length_are_told() -> None:
    assert notices_of(io.StringIO("transaction_id,colour\n")) == [
        *(("missing_column", 1, name) for name in FIELDS if name in REQUIRED and name != "transaction_id"),
        ("unknown_column", 1, "colour"),
    ]
    text = as_csv(ROW).getvalue()
    assert notices_of(io.StringIO(text + "a,b\n")) == [("row_length", 3, "")]
    twice = text.replace("amount", "transaction_id", 1)
    assert ("column_twice", 1, "transaction_id") in notices_of(io.StringIO(twice))


@pytest.mark.parametrize("text", ["{", "{}", "[1]"])
def test_what_is_no_array_of_objects_is_told(text: str) -> None:
    [(_, notices)] = read_json(text, file="x.json")
    assert isinstance(notices, list)
    assert notices[0].code == "not_json"


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20
).filter(lambda text: text.strip() not in MISSING and text == text.strip())
MAYBE = st.none() | WORDS
TRANSACTIONS = st.builds(
    FareTransaction,
    transaction_id=WORDS,
    service_date=st.dates(date(2020, 1, 1), date(2100, 1, 1)),
    event_timestamp=st.integers(1_577_836_800, 4_102_444_800).map(lambda at: datetime.fromtimestamp(at, UTC)),
    location_ping_id=MAYBE,
    amount=st.integers(-(10**9), 10**9).map(float) | st.floats(-1e6, 1e6),
    currency_type=MAYBE,
    fare_action=st.sampled_from(FareAction),
    trip_id_performed=MAYBE,
    trip_stop_sequence=st.none() | st.integers(1, 10**6),
    scheduled_stop_sequence=st.none() | st.integers(0, 10**6),
    device_id=MAYBE,
    stop_id=MAYBE,
    num_riders=st.none() | st.integers(0, 100),
    fare_media_id=st.none() | st.sampled_from(FareMedia),
    rider_category=MAYBE,
    fare_capped=st.booleans(),
    token_id=MAYBE,
    balance=st.none() | st.integers(0, 10**6).map(float),
)


@given(st.lists(TRANSACTIONS, max_size=4))
def test_what_is_written_is_read_again(transactions: list[FareTransaction]) -> None:
    text = write_csv(transactions)
    assert [each for _, each in read_csv(io.StringIO(text, newline=""), file="x.csv")] == transactions
    documents = json.dumps([each.model_dump(mode="json") for each in transactions])
    assert [each for _, each in read_json(documents, file="x.json")] == transactions


@pytest.fixture(scope="module")
def schema(real_data: Path) -> dict[str, Any]:
    path = real_data / "tides" / "fare_transactions.schema.json"
    if not path.exists():
        pytest.skip(f"no TIDES schema in {path}")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.real
def test_the_model_is_the_published_table(schema: dict[str, Any]) -> None:
    fields = {field["name"]: field for field in schema["fields"]}
    assert list(FIELDS) == list(fields)
    assert set(schema["missingValues"]) == MISSING
    assert {
        name for name, field in fields.items() if field.get("constraints", {}).get("required")
    } == REQUIRED
    assert fields["fare_action"]["constraints"]["enum"] == [each.value for each in FareAction]
    assert fields["fare_media_id"]["constraints"]["enum"] == [each.value for each in FareMedia]
    for name, field in fields.items():
        constraints = field.get("constraints", {})
        if "minimum" in constraints:
            below = ROW | {name: str(constraints["minimum"] - 1)}
            assert notices_of(as_csv(below)) == [("invalid_value", 2, name)]
            assert notices_of(as_csv(below | {name: str(constraints["minimum"])})) == []


@pytest.mark.real
@given(transaction=TRANSACTIONS)
def test_what_is_written_holds_against_the_schema_itself(
    schema: dict[str, Any], transaction: FareTransaction
) -> None:
    """A reader of our own, written from the Frictionless specification and not from the model."""
    [row] = csv.DictReader(io.StringIO(write_csv([transaction]), newline=""))
    forms = {
        "date": re.compile(r"\d{4}-\d\d-\d\d"),
        "datetime": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
        "integer": re.compile(r"[+-]?\d+"),
        "number": re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?"),
        "boolean": re.compile(r"true|True|TRUE|1|false|False|FALSE|0"),
        "string": re.compile(r".*", re.DOTALL),
    }
    for field in schema["fields"]:
        value, constraints = row[field["name"]], field.get("constraints", {})
        if value in schema["missingValues"]:
            assert not constraints.get("required"), field["name"]
            continue
        assert forms[field["type"]].fullmatch(value), (field["name"], value)
        assert value in constraints.get("enum", [value])
        assert "minimum" not in constraints or int(value) >= constraints["minimum"]
