"""Files for the bank: Zengin's general transfer and ISO 20022 pain.001.

Problem   A bank pays what the file says, so the file must be right to the byte, and a name that the format
          cannot carry must be refused when it is entered, not on the day of payment.
Idea      A record is a tuple of (width, value) fields whose widths sum to 120; text is half-width kana. The
          checks are the formats' own: `check_bank_account` runs when an account is registered.
Not here  Sending the file, and which day the bank is open: the caller chooses `pay_on`.
Source    Facts on payments, rule 24 (Japanese Bankers Association, general transfer, data kind 21);
          ISO 20022 pain.001.001.03, clearing system code JPZGN.
"""

import re
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from payments.errors import BankFileInvalid
from payments.money import JPY

RECORD_BYTES = 120
ZENGIN_AMOUNT_MAX = 10**10 - 1
ZENGIN_COUNT_MAX = 10**6 - 1
PAIN_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.03"

_ALLOWED = re.compile(r"[0-9A-Zｱ-ﾝｦﾞﾟ ()\-/.｢｣¥,]*")
_SMALL_KANA = str.maketrans("ァィゥェォッャュョヮ", "アイウエオツヤユヨワ")
_KATAKANA_FROM_HIRAGANA = {code: code + 0x60 for code in range(0x3041, 0x3097)}
_PUNCTUATION = str.maketrans("ー‐−–・「」、。\u3099\u309a", "----.｢｣,.ﾞﾟ")
_HALF_WIDTH = {
    unicodedata.normalize("NFKC", half): half
    for half in (chr(code) for code in range(ord("ｦ"), ord("ﾝ") + 1))
    if half != "ｰ"  # the long vowel is written as a hyphen
}


class AccountType(StrEnum):
    """Zengin's kinds of account: ordinary (futsu) and current (toza)."""

    ORDINARY = "1"
    CURRENT = "2"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAccount:
    """An account at a Japanese bank. Names are kana of any width; the files carry them half-width."""

    bank_code: str
    bank_name_kana: str
    branch_code: str
    branch_name_kana: str
    account_type: AccountType
    account_number: str
    holder_kana: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """Who pays: its account, its name, and the ten digits by which its bank knows it as a consignor."""

    name: str
    consignor_code: str
    account: BankAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class BankTransfer:
    """One payment of a file. `customer_code` is the payer's own name for the payee."""

    payment_id: UUID
    payee_name: str
    payee: BankAccount
    amount_minor: int
    customer_code: str = ""


def to_half_width(text: str) -> str:
    """`text` in the characters a Zengin file may carry. Raises BankFileInvalid."""
    plain = unicodedata.normalize("NFKC", text).upper().translate(_KATAKANA_FROM_HIRAGANA)
    parts = unicodedata.normalize("NFD", plain.translate(_SMALL_KANA)).translate(_PUNCTUATION)
    half = "".join(_HALF_WIDTH.get(character, character) for character in parts)
    if not _ALLOWED.fullmatch(half):
        wrong = sorted({character for character in half if not _ALLOWED.fullmatch(character)})
        raise BankFileInvalid(f"{text!r} has characters that no bank file carries: {' '.join(wrong)}")
    return half


def check_bank_account(account: BankAccount) -> None:
    """Raises BankFileInvalid unless both files can carry the account."""
    for name, value, length in (
        ("bank_code", account.bank_code, 4),
        ("branch_code", account.branch_code, 3),
        ("account_number", account.account_number, 7),
    ):
        if not (value.isascii() and value.isdigit() and len(value) == length):
            raise BankFileInvalid(f"{name} {value!r} must have {length} digits")
    for name, value, length in (
        ("bank_name_kana", account.bank_name_kana, 15),
        ("branch_name_kana", account.branch_name_kana, 15),
        ("holder_kana", account.holder_kana, 30),
    ):
        if not 1 <= len(to_half_width(value)) <= length:
            raise BankFileInvalid(f"{name} {value!r} must have 1 to {length} half-width characters")


def build_zengin(*, payer: Payer, transfers: Sequence[BankTransfer], pay_on: date) -> bytes:
    """The general transfer file: header, one record a transfer, trailer, end; CRLF between records."""
    total = sum(transfer.amount_minor for transfer in transfers)
    if len(transfers) > ZENGIN_COUNT_MAX:
        raise BankFileInvalid(f"{len(transfers)} transfers do not fit one file")
    records = [
        _header(payer, pay_on),
        *(_data_record(transfer) for transfer in transfers),
        _record((1, "8"), (6, len(transfers)), (12, total), (101, "")),
        _record((1, "9"), (119, "")),
    ]
    return b"".join(record + b"\r\n" for record in records)


def _header(payer: Payer, pay_on: date) -> bytes:
    account = payer.account
    return _record(
        (1, "1"),
        (2, "21"),
        (1, "0"),  # JIS characters
        (10, int(payer.consignor_code)),
        (40, to_half_width(account.holder_kana)),
        (4, f"{pay_on:%m%d}"),
        (4, account.bank_code),
        (15, to_half_width(account.bank_name_kana)),
        (3, account.branch_code),
        (15, to_half_width(account.branch_name_kana)),
        (1, account.account_type.value),
        (7, account.account_number),
        (17, ""),
    )


def _data_record(transfer: BankTransfer) -> bytes:
    if not 0 < transfer.amount_minor <= ZENGIN_AMOUNT_MAX:
        raise BankFileInvalid(f"{transfer.amount_minor} yen does not fit a transfer record")
    account = transfer.payee
    return _record(
        (1, "2"),
        (4, account.bank_code),
        (15, to_half_width(account.bank_name_kana)),
        (3, account.branch_code),
        (15, to_half_width(account.branch_name_kana)),
        (4, ""),  # clearing house number: not used any more
        (1, account.account_type.value),
        (7, account.account_number),
        (30, to_half_width(account.holder_kana)),
        (10, transfer.amount_minor),
        (1, "0"),  # neither the first transfer to this account nor a changed one
        (10, to_half_width(transfer.customer_code)[:10]),
        (10, ""),
        (1, "7"),  # by wire
        (1, ""),
        (7, ""),
    )


def _record(*fields: tuple[int, str | int]) -> bytes:
    """Numbers stand right with zeros, text left with spaces; the widths make 120 bytes."""
    assert sum(width for width, _ in fields) == RECORD_BYTES, "a Zengin record has 120 bytes"
    cells = []
    for width, value in fields:
        cell = f"{value:0{width}d}" if isinstance(value, int) else value.ljust(width)
        if len(cell) != width:
            raise BankFileInvalid(f"{value!r} does not fit {width} places of a bank file")
        cells.append(cell)
    # In code page 932 the yen sign of JIS X 0201 is the byte that ASCII shows as a backslash.
    record = "".join(cells).replace("¥", "\\").encode("cp932")
    assert len(record) == RECORD_BYTES, "a half-width character is one byte"
    return record


def build_pain001(
    *,
    payer: Payer,
    transfers: Sequence[BankTransfer],
    pay_on: date,
    message_id: str,
    created_at: datetime,
) -> bytes:
    """The same payments as an ISO 20022 customer credit transfer initiation. JPY has no decimals."""
    total = str(sum(transfer.amount_minor for transfer in transfers))
    count = str(len(transfers))
    root = ET.Element("Document", xmlns=PAIN_NAMESPACE)
    initiation = ET.SubElement(root, "CstmrCdtTrfInitn")
    header = ET.SubElement(initiation, "GrpHdr")
    _add(header, "MsgId", message_id)
    _add(header, "CreDtTm", created_at.isoformat(timespec="seconds"))
    _add(header, "NbOfTxs", count)
    _add(header, "CtrlSum", total)
    _add(header, "InitgPty/Nm", payer.name)
    payment = ET.SubElement(initiation, "PmtInf")
    _add(payment, "PmtInfId", message_id)
    _add(payment, "PmtMtd", "TRF")
    _add(payment, "NbOfTxs", count)
    _add(payment, "CtrlSum", total)
    _add(payment, "ReqdExctnDt", pay_on.isoformat())
    _add(payment, "Dbtr/Nm", payer.name)
    _add_account(payment, "DbtrAcct", payer.account)
    _add_agent(payment, "DbtrAgt", payer.account)
    for transfer in transfers:
        _add_transfer(payment, transfer)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _add_transfer(payment: ET.Element, transfer: BankTransfer) -> None:
    line = ET.SubElement(payment, "CdtTrfTxInf")
    _add(line, "PmtId/EndToEndId", transfer.payment_id.hex)
    _add(line, "Amt/InstdAmt", str(transfer.amount_minor)).set("Ccy", JPY)
    _add_agent(line, "CdtrAgt", transfer.payee)
    _add(line, "Cdtr/Nm", transfer.payee_name)
    _add_account(line, "CdtrAcct", transfer.payee)


def _add_account(parent: ET.Element, tag: str, account: BankAccount) -> None:
    block = ET.SubElement(parent, tag)
    _add(block, "Id/Othr/Id", account.account_number)
    _add(block, "Tp/Prtry", account.account_type.value)
    _add(block, "Ccy", JPY)
    _add(block, "Nm", to_half_width(account.holder_kana))


def _add_agent(parent: ET.Element, tag: str, account: BankAccount) -> None:
    member = ET.SubElement(ET.SubElement(ET.SubElement(parent, tag), "FinInstnId"), "ClrSysMmbId")
    _add(member, "ClrSysId/Cd", "JPZGN")
    _add(member, "MmbId", account.bank_code + account.branch_code)


def _add(parent: ET.Element, path: str, text: str) -> ET.Element:
    """Append the elements of `path`, the last one with `text`."""
    for tag in path.split("/"):
        parent = ET.SubElement(parent, tag)
    parent.text = text
    return parent
