"""`fare_amount_invalid`: a price that is no plain decimal, is negative, or has no ISO 4217 currency code.

A product that no leg rule sells may be negative: it is the discount of a transfer rule.

Effect    The product is left out with its rules: no price is better than a wrong one.
"""

import polars as pl

from gtfs.notices import Notices, Severity
from gtfs.tables import Feed

CODE = "fare_amount_invalid"
_AMOUNT = r"^[0-9]{1,9}(\.[0-9]{1,4})?$"
_DISCOUNT = r"^-[0-9]{1,9}(\.[0-9]{1,4})?$"
_CURRENCY = r"^[A-Z]{3}$"


def judge(feed: Feed, notices: Notices) -> Feed:
    """See the module."""
    feed = _judge_table(feed, "fare_products", "fare_product_id", ("amount", "currency"), notices)
    return _judge_table(feed, "fare_attributes", "fare_id", ("price", "currency_type"), notices)


def _judge_table(feed: Feed, table: str, key: str, columns: tuple[str, str], notices: Notices) -> Feed:
    amount, currency = columns
    is_right = pl.col(amount).str.contains(_AMOUNT) & pl.col(currency).str.contains(_CURRENCY)
    if table == "fare_products":
        is_sold = pl.col(key).is_in(feed["fare_leg_rules"][key].implode())
        is_discount = pl.col(amount).str.contains(_DISCOUNT) & pl.col(currency).str.contains(_CURRENCY)
        is_right |= is_discount & ~is_sold
    wrong = feed[table].filter(~is_right)
    if wrong.is_empty():
        return feed
    template = "`{" + amount + "}` `{" + currency + "}` is no price; write 220 and JPY. It was left out."
    rows = wrong.select("row", amount, currency)
    notices.add_rows(CODE, Severity.ERROR, template, rows, file=f"{table}.txt", field=amount)
    kept = feed[table].filter(is_right)
    gone = wrong.join(kept, on=key, how="anti")[key].implode()
    rules = {"fare_products": ("fare_leg_rules", "fare_transfer_rules"), "fare_attributes": ("fare_rules",)}
    tables = {
        name: feed[name].filter(~pl.col(key).is_in(gone).fill_null(value=False)) for name in rules[table]
    }
    return feed.with_tables(**{table: kept}, **tables)
