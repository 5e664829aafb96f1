"""Taps go out as TIDES fare transactions and come in again: nobody can be followed, nothing comes twice."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from maas.tides import FIELDS, FareTransaction, read_csv, write_csv
from services.cli.errors import CommandFailed
from services.cli.tides import read_file, run_export, run_import, tides
from services.platform.auth import Role
from tests.support.counter import EVENING, Counter, open_counter, tap_body
from tests.support.tickets import TOKAI, tokyo_time

PATH = "/api/ticketing/tides/fare-transactions"
CARD = "m_6f1c2a9b77e0a1b2"


async def export(counter: Counter, operator: str, **query: Any) -> Any:
    asked = {"operator_id": operator, "service_date": "2026-05-20", **query}
    words = "&".join(f"{name}={value}" for name, value in asked.items())
    status, body = await counter.house.call("GET", f"{PATH}?{words}", role=Role.ADMIN)
    assert status == 200, body
    return body


async def send_in(counter: Counter, operator: str, *rows: dict[str, Any], **caller: Any) -> tuple[int, Any]:
    body = {"operator_id": operator, "transactions": list(rows)}
    return await counter.house.call("POST", PATH, body=body, **({"role": Role.ADMIN} | caller))


def row(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "transaction_id": f"toei-{number}",
        "service_date": "2026-05-20",
        "event_timestamp": f"2026-05-20T11:{number:02}:00Z",
        "amount": 0,
        "fare_action": "Enter",
        "fare_capped": False,
        "stop_id": "demo:Toei.Oedo.Tochomae",
        "token_id": CARD,
        **changes,
    }


async def ride_the_evening(counter: Counter) -> str:
    payload = str((await counter.tickets(await counter.confirm()))[0]["payload"])
    for tap in EVENING:
        assert await counter.statuses(payload, tap) == ["accepted"]
    await counter.settle()
    return payload


async def test_a_ticket_goes_out_with_its_fare_and_without_its_name(counter: Counter) -> None:
    payload = await ride_the_evening(counter)
    page = await export(counter, "Toei")
    assert page["next"] is None
    entry, leaving = page["transactions"]
    assert set(entry) == set(FIELDS)
    # The fare from 都庁前 to 汐留 is 280 yen (test_ticketing.PRICES); it stands at the entry.
    assert (entry["fare_action"], entry["amount"], entry["currency_type"]) == ("Enter", 280, "JPY")
    assert (leaving["fare_action"], leaving["amount"]) == ("Exit", 0)
    assert (entry["event_timestamp"], entry["stop_id"]) == ("2026-05-20T11:31:00Z", "demo:Toei.Oedo.Tochomae")
    assert (entry["rider_category"], entry["num_riders"], entry["fare_media_id"]) == (
        "adult",
        1,
        "Optical scan",
    )
    assert entry["token_id"] == leaving["token_id"]
    assert payload not in str(page)
    ref = await counter.context.database.fetchval("select distinct ticket_ref from tap")
    assert ref not in str(page)
    # A ship's single scan carries the whole fare; nothing of another operator is in its table.
    ship = (await export(counter, TOKAI))["transactions"]
    assert [(each["fare_action"], each["amount"]) for each in ship] == [("Enter", 5750)]


async def test_pages_join_without_a_gap_and_csv_says_the_same(counter: Counter) -> None:
    taps = [
        {**tap_body("", *EVENING[0]), "sequence": number, "medium": f"{CARD}{number % 3}"}
        for number in range(7)
    ]
    for tap in taps:
        del tap["payload"]
    await counter.send(taps, operator="Toei")
    whole = (await export(counter, "Toei"))["transactions"]
    found: list[Any] = []
    after: dict[str, Any] = {}
    while True:
        page = await export(counter, "Toei", limit=3, **after)
        found += page["transactions"]
        if page["next"] is None:
            break
        after = page["next"]
    assert found == whole
    assert len(whole) == 7
    text = (await export(counter, "Toei", format="csv")).decode()
    read = [each for _, each in read_csv(text.splitlines(), file="page")]
    assert read == [FareTransaction.model_validate(each) for each in whole]


async def test_tokens_join_a_day_and_no_two_days_and_are_no_medium(counter: Counter) -> None:
    for sequence, clock in ((1, "20:31"), (2, "20:57"), (3, "44:31")):
        body = tap_body("", "enter", "Toei", "Toei.Oedo.Tochomae", clock)
        del body["payload"]
        counter.clock.set(tokyo_time(20, clock))
        await counter.send([{**body, "sequence": sequence, "medium": CARD}], operator="Toei")
    first = [each["token_id"] for each in (await export(counter, "Toei"))["transactions"]]
    second = [
        each["token_id"]
        for each in (await export(counter, "Toei", service_date="2026-05-21"))["transactions"]
    ]
    assert len(set(first)) == len(set(second)) == 1
    assert len({*first, *second, CARD}) == 3


async def test_an_operators_own_transactions_come_in_once(counter: Counter) -> None:
    rows = [
        row(1),
        row(2, fare_action="Exit", stop_id="demo:Toei.Oedo.Shiodome", vehicle_id="12-650", num_riders=1),
        row(3, fare_action="Add", amount=1000),
        row(4, token_id=None, fare_media_id="Cash or coins"),
        row(5, stop_id=None),
        row(6, token_id="4242424242424242"),  # noqa: S106 - a card's number, where a token should be
    ]
    status, report = await send_in(counter, "Toei", *rows)
    assert status == 200, report
    assert (report["stored"], report["repeated"], report["conflicting"]) == (2, 0, [])
    assert [(each["index"], each["reason"], each["field"]) for each in report["left_out"]] == [
        (2, "not_a_tap", "fare_action"),
        (3, "no_token", "token_id"),
        (4, "no_stop", "stop_id"),
        (5, "unusable", "token_id"),
    ]
    assert "4242424242424242" not in str(await counter.context.database.fetch("select * from tap"))
    again = (await send_in(counter, "Toei", *rows))[1]
    assert (again["stored"], again["repeated"]) == (0, 2)
    changed = (await send_in(counter, "Toei", row(1, amount=99)))[1]
    assert (changed["stored"], changed["conflicting"]) == (0, ["toei-1"])
    taps = await counter.context.database.fetch(
        "select kind, medium_ref, verdict from tap order by tapped_at"
    )
    assert [tuple(tap) for tap in taps] == [("enter", CARD, "recorded"), ("exit", CARD, "recorded")]


async def test_a_clerk_exchanges_for_its_own_operator_only(counter: Counter) -> None:
    clerk = {"role": Role.CLERK, "operator_id": TOKAI}
    status, answer = await send_in(counter, "Toei", row(1), **clerk)
    assert (status, answer["code"]) == (403, "forbidden")
    path = f"{PATH}?operator_id=Toei&service_date=2026-05-20"
    status, answer = await counter.house.call("GET", path, **clerk)
    assert (status, answer["code"]) == (403, "forbidden")
    assert (await send_in(counter, TOKAI, row(1), **clerk))[0] == 200


@pytest.mark.parametrize(("field", "value"), [("fare_action", "Tap"), ("amount", None), ("colour", "red")])
async def test_a_wrong_row_is_refused_by_its_number_and_field(
    counter: Counter, field: str, value: Any
) -> None:
    status, answer = await send_in(counter, "Toei", row(1), row(2, **{field: value}))
    assert (status, answer["code"]) == (422, "validation_failed")
    assert answer["errors"][0]["field"] == f"body.transactions.1.{field}"
    assert await counter.context.database.fetchval("select count(*) from tap") == 0


async def test_what_goes_out_comes_in_elsewhere_and_goes_out_the_same(
    counter: Counter, postgres_server: Any, tmp_path: Path
) -> None:
    await ride_the_evening(counter)
    out = (await export(counter, "Toei"))["transactions"]
    url = postgres_server.create_database()
    try:
        async with open_counter(url, tmp_path / "other", counter.clock) as other:
            status, report = await send_in(other, "Toei", *out)
            assert (status, report["stored"]) == (200, len(out))
            back = (await export(other, "Toei"))["transactions"]
    finally:
        postgres_server.drop_database(url)
    # All fields are as they were, but for the tokens: the other house has its own, which join the same taps.
    by_id = {each["transaction_id"]: each for each in back}
    assert [{**by_id[each["transaction_id"]], "token_id": each["token_id"]} for each in out] == out
    pairs = {(each["token_id"], by_id[each["transaction_id"]]["token_id"]) for each in out}
    assert len(pairs) == len({each["token_id"] for each in out}) == 1


async def test_the_commands_write_a_file_and_read_it_into_a_house(counter: Counter, tmp_path: Path) -> None:
    url = str(counter.house.client.make_url(""))
    token = counter.house.key.token("admin", Role.ADMIN)
    await send_in(counter, "Toei", *(row(number) for number in range(5)))
    day = date(2026, 5, 20)
    files = [tmp_path / "taps.csv", tmp_path / "taps.json"]
    for file in files:
        assert await run_export(file, "Toei", day, url, token) == 5
    (first, notices), (second, _) = (read_file(file) for file in files)
    assert notices == []
    assert [each for _, each in first] == [each for _, each in second]
    # The other operator's own system has seen them, too: five taps of its own, then none that is new.
    for stored, repeated in ((5, 0), (0, 5)):
        report = await run_import([each for _, each in first], "Yurikamome", url, token)
        assert (report["stored"], report["repeated"], report["conflicting"]) == (stored, repeated, [])
    with pytest.raises(CommandFailed, match="forbidden"):
        await run_export(files[0], "Toei", day, url, counter.house.key.token("x", Role.TRAVELLER))
    assert len(read_file(files[0])[0]) == 5, "a file that could not be written anew stays as it was"
    with pytest.raises(CommandFailed, match="maas up"):
        await run_export(files[0], "Toei", day, "http://127.0.0.1:9", token)


def test_a_file_with_a_wrong_row_is_told_and_not_sent(tmp_path: Path) -> None:
    file = tmp_path / "fare_transactions.csv"
    good = FareTransaction.model_validate(row(1))
    text = write_csv([good, good]) + write_csv([good], with_header=False).replace("Enter", "Tap")
    file.write_text(text, encoding="utf-8")
    found, notices = read_file(file)
    assert [number for number, _ in found] == [2, 3]
    assert [(each.code, each.row, each.field) for each in notices] == [
        ("id_twice", 3, "transaction_id"),
        ("unknown_word", 4, "fare_action"),
    ]
    result = CliRunner().invoke(tides, ["import", str(file), "--operator", "Toei"])
    assert isinstance(result.exception, CommandFailed)
    assert "fare_transactions.csv:4 fare_action" in result.output
    assert "2 errors. Nothing was sent" in str(result.exception)
    with pytest.raises(CommandFailed, match="cannot be read"):
        read_file(tmp_path / "none.csv")
