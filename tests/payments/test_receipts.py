"""Receipts: tax rounded once per rate, the exemption of public transport, and what is no supply."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.receipts import InvoiceReceipt, Issuer, ReceiptLine, build_receipt, included_tax

DAY = date(2026, 5, 20)
TSUNAGU = Issuer(name="Tsunagu", registration_number="T1234567890123")


def line(amount: int, *, rate: int | None = 10, transport: bool = False) -> ReceiptLine:
    return ReceiptLine(
        description="x",
        supplied_on=DAY,
        amount_minor=amount,
        rate_percent=rate,
        is_public_transport=transport,
    )


def receipt(*lines: ReceiptLine, issuer: Issuer = TSUNAGU, included: bool = True) -> InvoiceReceipt:
    return build_receipt(
        issuer=issuer, recipient="山田 花子", issued_on=DAY, lines=lines, is_tax_included=included
    )


def test_tax_is_rounded_once_per_rate() -> None:
    """The vector: 105 yen three times at 10 % is 31.5, down to 31; line by line it would be 3 x 10 = 30."""
    three = receipt(*[line(105)] * 3, included=False)
    [total] = three.totals
    assert (total.net_minor, total.tax_minor, total.total_minor) == (315, 31, 346)


def test_each_rate_is_rounded_by_itself() -> None:
    """108 at 8 % holds 8; 222 at 10 % holds 20.18, down to 20."""
    mixed = receipt(line(108, rate=8), line(111), line(111))
    assert [(each.rate_percent, each.net_minor, each.tax_minor) for each in mixed.totals] == [
        (8, 100, 8),
        (10, 202, 20),
    ]
    assert mixed.total_minor == 330


@pytest.mark.parametrize(
    ("lines", "is_exempt"),
    [
        ([line(29_999, transport=True)], True),
        ([line(30_000, transport=True)], False),
        ([line(20_000, transport=True), line(10_000, transport=True)], False),
        ([line(220, transport=True), line(110)], False),  # a fee needs an invoice
        ([line(3000, rate=None)], False),  # stored value is no supply
        ([line(220, transport=True), line(3000, rate=None)], True),
    ],
)
def test_public_transport_below_30000_needs_no_invoice(lines: list[ReceiptLine], *, is_exempt: bool) -> None:
    assert receipt(*lines).is_exempt is is_exempt


def test_a_receipt_is_qualified_by_its_number() -> None:
    nameless = Issuer(name="Tsunagu", registration_number=None)
    assert receipt(line(110)).is_qualified
    assert not receipt(line(110), issuer=nameless).is_qualified
    assert not receipt(line(3000, rate=None)).is_qualified
    for number in ("1234567890123", "T123456789012", "T12345678901234", "t1234567890123"):
        with pytest.raises(AssertionError, match="13 digits"):
            Issuer(name="x", registration_number=number)


@given(st.lists(st.integers(-3000, 3000), min_size=1, max_size=30))
def test_net_and_tax_are_the_total(amounts: list[int]) -> None:
    [total] = receipt(*[line(amount) for amount in amounts]).totals
    assert total.net_minor + total.tax_minor == total.total_minor == sum(amounts)
    # Never more than one yen from the exact tax, and what is given back mirrors what was taken.
    assert abs(total.tax_minor * 110 - sum(amounts) * 10) < 110
    assert included_tax(-sum(amounts), 10) == -included_tax(sum(amounts), 10)
