"""Files the bank reads: columns counted by hand, XML read back."""

import xml.etree.ElementTree as ET
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.bank_files import (
    PAIN_NAMESPACE,
    AccountType,
    BankAccount,
    BankTransfer,
    Payer,
    build_pain001,
    build_zengin,
    check_bank_account,
    to_half_width,
)
from payments.errors import BankFileInvalid

PAYER = Payer(
    name="つなぐ株式会社",
    consignor_code="1234567890",
    account=BankAccount(
        bank_code="0001",
        bank_name_kana="ミズホ",
        branch_code="001",
        branch_name_kana="トウキヨウエイギヨウブ",
        account_type=AccountType.CURRENT,
        account_number="0123456",
        holder_kana="カ)ツナグ",
    ),
)
TOEI = BankAccount(
    bank_code="0005",
    bank_name_kana="三菱UFJ".replace("三菱", "ミツビシ"),
    branch_code="777",
    branch_name_kana="トチョウ",
    account_type=AccountType.ORDINARY,
    account_number="7654321",
    holder_kana="とうきょうとこうつうきょく",
)
TRANSFERS = [
    BankTransfer(
        payment_id=UUID(int=1), payee_name="東京都交通局", payee=TOEI, amount_minor=312, customer_code="Toei"
    ),
    BankTransfer(payment_id=UUID(int=2), payee_name="東海汽船", payee=TOEI, amount_minor=9_999_999_999),
]


def build() -> bytes:
    return build_zengin(payer=PAYER, transfers=TRANSFERS, pay_on=date(2026, 5, 25))


def test_golden_file() -> None:
    # Each field is written with its width: spaces fill text on the right, zeros fill numbers on the left.
    header = (
        "1" "21" "0"
        "1234567890"
        + "ｶ)ﾂﾅｸﾞ".ljust(40)  # the voiced mark is a character of its own: 6 of 40
        + "0525" "0001"
        + "ﾐｽﾞﾎ".ljust(15)
        + "001"
        + "ﾄｳｷﾖｳｴｲｷﾞﾖｳﾌﾞ".ljust(15)  # 13 with its two voiced marks
        + "2" "0123456"
        + " " * 17
    )  # fmt: skip
    first = (
        "2" "0005"
        + "ﾐﾂﾋﾞｼUFJ".ljust(15)
        + "777"
        + "ﾄﾁﾖｳ".ljust(15)  # the small yo is written large
        + "    " "1" "7654321"
        + "ﾄｳｷﾖｳﾄｺｳﾂｳｷﾖｸ".ljust(30)
        + "0000000312" "0"
        + "TOEI".ljust(10)
        + " " * 10
        + "7" " "
        + " " * 7
    )  # fmt: skip
    second = first[:80] + "9999999999" + "0" + " " * 20 + "7" + " " * 8
    # 312 + 9,999,999,999 = 10,000,000,311: eleven digits in the trailer's twelve
    trailer = "8" + "000002" + "010000000311" + " " * 101
    end = "9" + " " * 119
    expected = "".join(record + "\r\n" for record in (header, first, second, trailer, end))
    assert build().decode("cp932") == expected
    assert all(len(record) == 120 for record in build().split(b"\r\n")[:-1])


def test_the_yen_sign_is_one_byte() -> None:
    odd = BankAccount(**{**_fields(TOEI), "holder_kana": "¥エン"})
    file = build_zengin(
        payer=PAYER,
        transfers=[BankTransfer(payment_id=UUID(int=1), payee_name="x", payee=odd, amount_minor=1)],
        pay_on=date(2026, 5, 25),
    )
    # 1+4+15+3+15+4+1+7 = 50 bytes stand before the holder's name; the record starts behind 120 + CRLF
    assert file[122 + 50 : 122 + 53] == b"\x5c\xb4\xdd"


def _fields(account: BankAccount) -> dict[str, object]:
    return {name: getattr(account, name) for name in account.__slots__}


@pytest.mark.parametrize(
    ("text", "half"),
    [
        ("ガギグ", "ｶﾞｷﾞｸﾞ"),
        ("ぱーく", "ﾊﾟ-ｸ"),
        ("ヴァ", "ｳﾞｱ"),
        ("ＡＢＣ（１）", "ABC(1)"),
        ("ﾄｳｶｲｷｾﾝ", "ﾄｳｶｲｷｾﾝ"),
        ("abc", "ABC"),
    ],
)
def test_to_half_width(text: str, half: str) -> None:
    assert to_half_width(text) == half


@pytest.mark.parametrize("text", ["東京", "é", "a\nb", "ｶ\0", "@", "😀"])
def test_what_no_file_carries_is_refused(text: str) -> None:
    with pytest.raises(BankFileInvalid):
        to_half_width(text)


@given(st.text())
def test_half_width_is_one_byte_a_character_or_refused(text: str) -> None:
    try:
        half = to_half_width(text)
    except BankFileInvalid:
        return
    assert len(half.replace("¥", "\\").encode("cp932")) == len(half)
    assert to_half_width(half) == half


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bank_code", "12"),
        ("bank_code", "１２３４"),
        ("branch_code", "1234"),
        ("account_number", "12345678"),
        ("holder_kana", ""),
        ("holder_kana", "ガ" * 16),  # 32 half-width characters
        ("bank_name_kana", "銀行"),
    ],
)
def test_an_account_that_no_file_carries_is_refused(field: str, value: str) -> None:
    check_bank_account(TOEI)
    with pytest.raises(BankFileInvalid):
        check_bank_account(BankAccount(**{**_fields(TOEI), field: value}))


@pytest.mark.parametrize("amount", [0, -1, 10_000_000_000])
def test_an_amount_that_no_record_carries_is_refused(amount: int) -> None:
    wrong = BankTransfer(payment_id=UUID(int=1), payee_name="x", payee=TOEI, amount_minor=amount)
    with pytest.raises(BankFileInvalid):
        build_zengin(payer=PAYER, transfers=[wrong], pay_on=date(2026, 5, 25))


def test_pain001_sums_and_counts() -> None:
    document = build_pain001(
        payer=PAYER,
        transfers=TRANSFERS,
        pay_on=date(2026, 5, 25),
        message_id="batch1",
        created_at=datetime(2026, 5, 21, 9, 30, tzinfo=UTC),
    )
    root = ET.fromstring(document)  # noqa: S314 - our own file
    path = {"p": PAIN_NAMESPACE}

    def texts(xpath: str) -> list[str | None]:
        return [element.text for element in root.findall(xpath, path)]

    # GrpHdr and PmtInf each say 2 transfers and 312 + 9,999,999,999 yen, without decimals
    assert texts(".//p:NbOfTxs") == ["2", "2"]
    assert texts(".//p:CtrlSum") == ["10000000311", "10000000311"]
    assert texts(".//p:InstdAmt") == ["312", "9999999999"]
    assert {element.get("Ccy") for element in root.findall(".//p:InstdAmt", path)} == {"JPY"}
    assert texts(".//p:Cdtr/p:Nm") == ["東京都交通局", "東海汽船"]
    assert texts(".//p:CdtrAgt//p:MmbId") == ["0005777", "0005777"]
    assert texts(".//p:ReqdExctnDt") == ["2026-05-25"]
    assert texts(".//p:CreDtTm") == ["2026-05-21T09:30:00+00:00"]
    assert all(len(text or "") <= 35 for text in texts(".//p:EndToEndId"))
    # The schema fixes the order of elements within a payment.
    order = [child.tag.rpartition("}")[2] for child in root.find(".//p:CdtTrfTxInf", path) or []]
    assert order == ["PmtId", "Amt", "CdtrAgt", "Cdtr", "CdtrAcct"]
