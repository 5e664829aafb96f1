"""What comes back when a fare is not ridden: each operator's own refund rule.

Problem   A customer who cancels pays a fee that depends on the operator, the class and the days left; the
          rules are dated and someone must be able to read them.
Idea      refund_rules.csv is read from the top; the first row that is valid on the day of departure and
          matches product, class and the days left decides. The fee is a percentage, at least `fee_minor_min`,
          at most what was paid. A percentage is rounded down to a yen, in the customer's favour.
Not here  An operator that cancels: it gives everything back (maas/disruptions.py). Which legs were not ridden
          (tickets, sales) and moving the money (payments).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from maas.errors import FareNotFound
from maas.fares.csv_tables import TariffProblem, raise_if_any, read_table
from maas.fares.tables import RefundRow
from maas.prices import FareComponent
from payments.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundDecision:
    """What is given back and what is kept. amount + fee = the price paid."""

    amount: Money
    fee: Money
    rule_id: str
    text: str
    text_en: str


class RefundRules:
    """The refund rules of a tariff folder."""

    def __init__(self, rows: Iterable[RefundRow], *, zone: str = "Asia/Tokyo") -> None:
        self._rows = tuple(rows)
        self._zone = ZoneInfo(zone)

    @classmethod
    def from_folder(cls, folder: Path) -> "RefundRules":
        """Read refund_rules.csv. Raises TariffUnreadable naming every bad row."""
        problems: list[TariffProblem] = []
        rows = read_table(folder, RefundRow, problems)
        if not any(
            row.product == "*" and row.fare_class == "*" and row.days_before_min is None for row in rows
        ):
            message = "needs a last row for product *, class * and no days; add it"
            problems.append(TariffProblem(file="refund_rules.csv", row=0, field="product", message=message))
        problems += [
            TariffProblem(file="refund_rules.csv", row=row.row, field="fee_percent", message="is over 100")
            for row in rows
            if row.fee_percent > 100  # noqa: PLR2004  # the whole of a price
        ]
        raise_if_any(problems)
        return cls(rows)

    def refund_for(
        self,
        component: FareComponent,
        *,
        price_paid: Money,
        now: datetime,
        departs_at: datetime,
    ) -> RefundDecision:
        """Decide what a customer who cancels an unused fare gets back.

        `now` and `departs_at` are aware instants. `price_paid` is what was paid for it, whatever the tariff
        says today. Raises FareNotFound when no rule was in force on the day of departure.
        """
        row = self._get_row(_products(component), component.fare_class, now, departs_at)
        percentage = price_paid.amount_minor * row.fee_percent // 100
        fee = Money(min(price_paid.amount_minor, max(percentage, row.fee_minor_min)), price_paid.currency)
        return RefundDecision(
            amount=price_paid - fee, fee=fee, rule_id=row.rule_id, text=row.text, text_en=row.text_en
        )

    def _get_row(
        self, products: frozenset[str], fare_class: str | None, now: datetime, departs_at: datetime
    ) -> RefundRow:
        departure_date = departs_at.astimezone(self._zone).date()
        days = (departure_date - now.astimezone(self._zone).date()).days
        for row in self._rows:
            if (
                row.is_valid_on(departure_date)
                and row.product in products
                and row.fare_class in (fare_class, "*")
                and (row.days_before_min is None or (now <= departs_at and days >= row.days_before_min))
            ):
                return row
        raise FareNotFound(f"no refund rule for {', '.join(sorted(products))} on {departure_date}")


def _products(component: FareComponent) -> frozenset[str]:
    """The names a rule may know a fare by: its network or discount, its only operator, any."""
    operators = component.shares if len(component.shares) == 1 else ()
    return frozenset({component.product_id.split(":", 1)[0], *operators, "*"})
