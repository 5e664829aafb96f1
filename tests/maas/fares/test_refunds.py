from datetime import date, datetime, timedelta

import pytest

from maas.errors import FareNotFound
from maas.fares.refunds import RefundRules
from maas.prices import Addend, FareComponent
from payments.money import yen
from tests.support.fares import TARIFFS, TOKYO

RULES = RefundRules.from_folder(TARIFFS)
SAILS_AT = datetime(2026, 6, 30, 22, 0, tzinfo=TOKYO)
TOKAI = "3010401020097"


def component(product_id: str, operator: str, fare_class: str | None, amount: int) -> FareComponent:
    addend = Addend(
        text="x", text_en="x", amount_minor=amount, rule_id="x", valid_from=date(2026, 1, 1), source="x"
    )
    return FareComponent(
        leg_indices=(0,),
        product_id=product_id,
        amount=yen(amount),
        addends=(addend,),
        shares={operator: amount},
        fare_class=fare_class,
    )


SECOND = component("tokai_ship:2nd", TOKAI, "2nd", 5750)
JET = component("tokai_jet:jet", TOKAI, "jet", 9310)
CHEAP = component("tokai_ship:2nd", TOKAI, "2nd", 1080)


def fee(what: FareComponent, now: datetime, departs_at: datetime = SAILS_AT) -> int:
    decision = RULES.refund_for(what, price_paid=what.amount, now=now, departs_at=departs_at)
    assert decision.amount + decision.fee == what.amount
    assert decision.text
    assert decision.text_en
    return decision.fee.amount_minor


@pytest.mark.parametrize(
    ("what", "days", "expected"),
    [
        (SECOND, 29, 500),
        (SECOND, 28, 1725),  # 30 %
        (SECOND, 0, 1725),
        (CHEAP, 1, 500),  # 30 % is 324: at least 500
        (JET, 7, 500),
        (JET, 6, 931),  # 10 %
        (JET, 2, 931),
        (JET, 1, 2793),  # 30 %
        (component("yurikamome:distance", "Yurikamome", None, 190), 3, 190),
        (component("tokyo_metro:distance", "TokyoMetro", None, 260), 3, 170),
        (component("toei_subway:distance", "Toei", None, 220), 3, 0),
    ],
)
def test_the_fee_by_operator_class_and_days_left(what: FareComponent, days: int, expected: int) -> None:
    assert fee(what, SAILS_AT - timedelta(days=days)) == expected


def test_days_are_those_of_the_calendar_not_of_the_clock() -> None:
    # 23:59 two evenings before a 22:00 sailing is under 48 hours and still two days before.
    assert fee(JET, datetime(2026, 6, 28, 23, 59, tzinfo=TOKYO)) == 931
    assert fee(JET, datetime(2026, 6, 29, 0, 0, tzinfo=TOKYO)) == 2793


def test_after_departure_nothing_comes_back() -> None:
    assert fee(SECOND, SAILS_AT + timedelta(seconds=1)) == 5750
    assert fee(component("toei_subway:distance", "Toei", None, 220), SAILS_AT + timedelta(days=1)) == 220


def test_the_price_paid_counts_not_the_tariff_of_today() -> None:
    decision = RULES.refund_for(
        JET,
        price_paid=yen(9000),
        now=SAILS_AT - timedelta(days=1),
        departs_at=SAILS_AT,
    )
    assert decision.fee == yen(2700)


def test_a_day_without_a_rule_is_told() -> None:
    long_ago = datetime(2010, 1, 1, tzinfo=TOKYO)
    with pytest.raises(FareNotFound, match="no refund rule"):
        fee(SECOND, long_ago, long_ago + timedelta(days=1))
