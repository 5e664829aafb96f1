"""A ticket in words, on paper, and in a wallet's terms."""

import re
from dataclasses import replace
from typing import get_args
from xml.etree import ElementTree as ET

import pytest

from maas.prices import RiderCategory
from maas.tickets.drawing import build_qr
from maas.tickets.messages import LANGUAGES, MESSAGES
from maas.tickets.printed import (
    AGAIN_AND_AGAIN,
    IN_THE_APP,
    ONCE,
    RIDER_NAMES,
    Language,
    PrintedFare,
    PrintedTicket,
    draw_sheet,
    write_text,
)
from maas.tickets.wallet import build_apple_pass, build_google_claims
from tests.support.tickets import TOKYO, issue, night_trip, tokyo_time

CODE = issue(night_trip())[0].payload
TICKET = PrintedTicket(
    ticket_ref="0011223344556677",
    riders={RiderCategory.DISABLED: 1, RiderCategory.HELPER: 1},
    valid_from=tokyo_time(20, "04:00"),
    valid_until=tokyo_time(22, "04:00"),
    fares=(
        PrintedFare(origin="都庁前", destination="汐留"),
        PrintedFare(origin="竹芝", destination="岡田港（大島）", fare_class="2nd"),
    ),
    phone_code="1BEQHA24",
    payload=CODE,
)


def test_the_words_of_a_ticket() -> None:
    assert write_text(TICKET, language="en", zone=TOKYO).splitlines() == [
        "Ticket 0011223344556677",
        "Valid: 2026-05-20 04:00 - 2026-05-22 04:00",
        "Riders: disabled rider 1, helper 1",
        "1. 都庁前 → 汐留",
        "2. 竹芝 → 岡田港（大島） (2nd)",
        "To be read by telephone: 1BEQ-HA24",
        ONCE["en"],
    ]
    on_device = replace(TICKET, payload=None)
    assert write_text(on_device, language="ko", zone=TOKYO).splitlines()[-1] == IN_THE_APP["ko"]
    a_pass = replace(TICKET, fares=(PrintedFare(origin="一日乗車券", destination="一日乗車券"),))
    words = write_text(a_pass, language="ja", zone=TOKYO).splitlines()
    assert words[3] == "1. 一日乗車券"
    assert words[-1] == AGAIN_AND_AGAIN["ja"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_its_own_words_and_all_riders(language: Language) -> None:
    texts = {each: write_text(TICKET, language=each, zone=TOKYO) for each in get_args(Language)}
    assert set(texts) == set(LANGUAGES)
    assert len(set(texts.values())) == len(LANGUAGES)
    for rider in RiderCategory:
        assert write_text(replace(TICKET, riders={rider: 2}), language=language, zone=TOKYO).count(
            f"{RIDER_NAMES[rider][language]} 2"
        )


def test_easy_japanese_is_short_and_says_one_thing_a_sentence() -> None:
    """The city's guideline: sentences of at most thirty signs, and no hard words."""
    easy = [texts[LANGUAGES.index("ja-easy")] for texts in MESSAGES.values()]
    easy += [ONCE["ja-easy"], AGAIN_AND_AGAIN["ja-easy"], IN_THE_APP["ja-easy"]]
    for sentence in re.split("。", "。".join(easy)):
        assert len(sentence) <= 30, sentence
        assert not re.search("有効|署名|鍵|払い戻|再発行|申し出|失効|区間|等級", sentence), sentence


def test_the_sheet_carries_the_code_itself_and_the_words() -> None:
    root = ET.fromstring(draw_sheet(TICKET, language="ja", zone=TOKYO))  # noqa: S314  # our own output
    space = "{http://www.w3.org/2000/svg}"
    path = root.find(f"{space}path")
    assert path is not None
    drawn = {(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", path.attrib["d"])}
    expected = {
        (x, y)
        for y, row in enumerate(build_qr(CODE).matrix_iter(border=0))
        for x, is_dark in enumerate(row)
        if is_dark
    }
    assert drawn == expected
    words = [each.text for each in root.iter(f"{space}text")]
    assert words == write_text(TICKET, language="ja", zone=TOKYO).splitlines()
    # Every line fits the sheet: a sign is at most two letters wide.
    assert int(root.attrib["width"]) >= 18 * max(len(line or "") for line in words)


def test_the_wallets_documents_hold_the_code_the_way_and_the_time() -> None:
    apple = build_apple_pass(TICKET, pass_type_id="pass.x", team_id="T", zone=TOKYO)  # noqa: S106
    assert apple["barcodes"][0]["message"] == CODE
    assert apple["barcodes"][0]["altText"] == "1BEQ-HA24"
    fields = apple["boardingPass"]["primaryFields"]
    assert [field["value"] for field in fields] == ["都庁前", "岡田港（大島）"]
    assert apple["expirationDate"] == "2026-05-22T04:00:00+09:00"
    google = build_google_claims(TICKET, issuer_id="33", account="a@b", zone=TOKYO)
    (ticket,) = google["payload"]["transitObjects"]
    assert (ticket["barcode"]["value"], ticket["id"]) == (CODE, "33.0011223344556677")
    assert len(ticket["ticketLegs"]) == 2
    assert ticket["passengerType"] == "MULTIPLE_PASSENGERS"
    assert ticket["classId"] == google["payload"]["transitClasses"][0]["id"]
    alone = replace(TICKET, riders={RiderCategory.ADULT: 1}, fares=TICKET.fares[:1])
    (ticket,) = build_google_claims(alone, issuer_id="33", account="a", zone=TOKYO)["payload"][
        "transitObjects"
    ]
    assert "ticketLeg" in ticket
    assert "ticketLegs" not in ticket
