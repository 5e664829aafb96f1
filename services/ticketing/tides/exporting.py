"""Taps go out as TIDES fare transactions, a page at a time.

Idea      One transaction a counted tap: Enter for an entry or a scan, Exit for an exit. What its fare was
          stands at the tap that begins the ride (of a capped or corrected one: what it is now). A tap that
          came in as an operator's own transaction goes out as it came, with a token of ours.
Privacy   Tokens are keyed hashes of one service day (tokens.py); no name, no medium, no ticket.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from maas.tides import FareAction, FareMedia, FareTransaction
from services.platform.database import Database, load_queries
from services.ticketing.tap_store import TapKey, tap_id_of
from services.ticketing.tides.tokens import TokenHasher

queries = load_queries(__file__)

CURRENCY = "JPY"
_MEDIA = {
    "ic_card": FareMedia.SMART_CARD,
    "bank_card": FareMedia.BANK_CARD,
    "phone": FareMedia.MOBILE_NFC,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What a tap's ride costs: in minor units, for how many riders of which category, capped or not."""

    amount_minor: int = 0
    rider_count: int | None = None
    rider: str | None = None
    product: str | None = None
    is_capped: bool = False


class TidesExport:
    """Reads taps and makes transactions of them."""

    def __init__(self, database: Database, tokens: TokenHasher) -> None:
        self._database = database
        self._tokens = tokens

    async def list_page(
        self, operator_id: str, service_date: date, *, after: TapKey, limit: int
    ) -> tuple[list[FareTransaction], TapKey | None]:
        """Transactions after a tap, by device and sequence; with the last tap where there may be more."""
        rows = await self._database.fetch(
            queries["list_transactions"], operator_id, service_date, *after, limit
        )
        more = (rows[-1]["device_id"], rows[-1]["sequence"]) if len(rows) == limit else None
        return [self._build(row) for row in rows], more

    def _build(self, row: Any) -> FareTransaction:
        token = self._tokens.token(row["service_date"], row["medium_ref"] or row["ticket_ref"])
        if row["document"] is not None:
            return FareTransaction.model_validate({**row["document"], "token_id": token})
        charge = _charge_of_ticket(row) if row["ticket_ref"] else _charge_of_medium(row)
        return FareTransaction(
            transaction_id=str(tap_id_of(row["device_id"], row["sequence"])),
            service_date=row["service_date"],
            event_timestamp=row["tapped_at"],
            amount=charge.amount_minor,  # yen have no minor unit
            currency_type=CURRENCY,
            fare_action=FareAction.EXIT if row["kind"] == "exit" else FareAction.ENTER,
            device_id=row["device_id"],
            stop_id=row["stop_id"],
            num_riders=charge.rider_count,
            fare_media_id=_media(row),
            rider_category=charge.rider,
            fare_product=charge.product,
            fare_capped=charge.is_capped,
            token_id=token,
        )


def _media(row: Any) -> FareMedia:
    if row["ticket_ref"]:
        return FareMedia.OPTICAL
    return _MEDIA.get(row["medium_kind"], FareMedia.SMART_CARD)


def _charge_of_ticket(row: Any) -> Charge:
    if row["amount_minor"] is None:
        return Charge()
    return Charge(
        amount_minor=row["amount_minor"],
        rider_count=row["rider_count"],
        rider=row["rider"],
        product="ticket",
    )


def _charge_of_medium(row: Any) -> Charge:
    """From the day's document of account-based travel: the fares whose first ride this tap names."""
    if row["travel"] is None:
        return Charge()
    name = f"{row['device_id']}/{row['sequence']}"
    fares: list[Mapping[str, Any]] = [
        fare for fare in orjson.loads(row["travel"])["fares"] if fare["rides"] and fare["rides"][0] == name
    ]
    if not fares:
        return Charge()
    return Charge(
        amount_minor=sum(fare["charge_minor"] for fare in fares),
        rider_count=len(fares),
        rider=fares[0]["rider"],
        product="maximum fare" if any(fare["is_maximum"] for fare in fares) else "pay as you go",
        is_capped=any(fare["cap"] is not None for fare in fares),
    )
