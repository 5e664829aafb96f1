"""Taps of media: kept like tickets' taps, and told to account-based travel by due markers."""

from typing import Any

import pytest

from tests.support.counter import Counter, tap_body

GATE = ("enter", "Toei", "Toei.Oedo.Tochomae", "20:31")
LEFT = ("exit", "Toei", "Toei.Oedo.Shiodome", "20:57")
AFTER_MIDNIGHT = ("enter", "Toei", "Toei.Oedo.Tochomae", "24:10")
NEXT_DAY = ("enter", "Toei", "Toei.Oedo.Tochomae", "28:10")
CARD = "m_6f1c2a9b77e0"


def medium_tap(tap: tuple[str, str, str, str], medium: str = CARD) -> dict[str, Any]:
    body = tap_body("", *tap)
    del body["payload"]
    return {**body, "medium": medium}


async def test_a_mediums_taps_are_kept_and_marked_due_once_a_service_day(counter: Counter) -> None:
    taps = [medium_tap(tap) for tap in (GATE, LEFT, AFTER_MIDNIGHT, NEXT_DAY)]
    status, body = await counter.send(taps, operator="Toei")
    assert status == 200, body
    assert [each["status"] for each in body["answers"]] == ["recorded"] * 4
    # A repetition is no news.
    assert [each["storage"] for each in (await counter.send(taps, operator="Toei"))[1]["answers"]] == [
        "repeated"
    ] * 4
    database = counter.context.database
    kept = await database.fetch(
        "select service_date::text, payload, ticket_ref from tap where medium_ref = $1", CARD
    )
    assert sorted(tuple(row) for row in kept) == [("2026-05-20", None, None)] * 3 + [
        ("2026-05-21", None, None)
    ]
    due = await database.fetch("select medium_ref, service_date::text from medium_due order by 2")
    assert [tuple(row) for row in due] == [(CARD, "2026-05-20"), (CARD, "2026-05-21")]


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"medium": CARD, "payload": "X"},
        {"medium": "4242424242424242"},  # a card number is no token
        {"medium": "short"},
        {"medium": "has space in it"},
    ],
)
async def test_a_tap_shows_one_thing_and_never_a_card_number(counter: Counter, shown: dict[str, str]) -> None:
    body = medium_tap(GATE)
    del body["medium"]
    status, answer = await counter.send([{**body, **shown}], operator="Toei")
    assert (status, answer["code"]) == (422, "validation_failed")
    assert await counter.context.database.fetchval("select count(*) from tap") == 0
