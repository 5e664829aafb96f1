"""An operator's own fare transactions come in and become taps, each once.

Idea      Entries and exits of a token at a stop are taps; everything else a fare box does (sales, top-ups,
          cash) is left out and told. The transaction's id names the tap for ever, so a file that is sent
          again stores nothing. The token is the medium's, as its gates would send it; account-based travel
          rates it then.
Rule      What looks like a card's number is no token: it is refused, and nothing of it is kept.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from maas.taps import TapKind, service_date_of
from maas.tides import FareAction, FareTransaction
from services.platform.context import ServiceContext
from services.platform.database import load_queries
from services.ticketing.models import Model, TapIn
from services.ticketing.tap_store import ArrivedTap, TapKey, TapStore

queries = load_queries(__file__)

_KINDS = {
    FareAction.ENTER: TapKind.ENTER,
    FareAction.TRANSFER_ENTRANCE: TapKind.ENTER,
    FareAction.EXIT: TapKind.EXIT,
    FareAction.TRANSFER_EXIT: TapKind.EXIT,
}


class LeftOut(Model):
    """A transaction that became no tap, and why. `index` counts from 0 in what was sent."""

    index: int
    reason: Literal["not_a_tap", "no_token", "no_stop", "unusable"]
    field: str
    message: str


class ImportReport(Model):
    """What became of the transactions sent. `conflicting`: known under that id with other content."""

    stored: int
    repeated: int
    conflicting: list[str]
    left_out: list[LeftOut]


@dataclass(slots=True)
class _Sorted:
    taps: dict[TapKey, tuple[ArrivedTap, FareTransaction]] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)


class TidesImport:
    """Stores transactions as taps."""

    def __init__(self, context: ServiceContext, taps: TapStore, *, zone: ZoneInfo) -> None:
        self._context = context
        self._taps = taps
        self._zone = zone

    async def store(self, operator_id: str, transactions: Sequence[FareTransaction]) -> ImportReport:
        """Keep what is a tap, all in one transaction."""
        found = self._sort(operator_id, transactions)
        now = self._context.clock.now()
        async with self._context.database.transaction() as tx:
            fresh = await self._taps.insert_taps(tx, [tap for tap, _ in found.taps.values()], now)
            kept = {key: each for key, (_, each) in found.taps.items() if key in fresh}
            await tx.execute(
                queries["insert_documents"],
                [device_id for device_id, _ in kept],
                [sequence for _, sequence in kept],
                [_document(each) for each in kept.values()],
            )
            news = [found.taps[key][0] for key in fresh]
            media = [(each.tap.medium, each.service_date) for each in news if each.tap.medium is not None]
            await self._taps.mark_media_due(tx, media, now)
            before = await self._list_documents(tx, [key for key in found.taps if key not in fresh])
        conflicting = [
            each.transaction_id
            for key, (_, each) in found.taps.items()
            if key not in fresh and before.get(key) != _document(each)
        ]
        return ImportReport(
            stored=len(fresh),
            repeated=len(found.taps) - len(fresh) - len(conflicting),
            conflicting=conflicting,
            left_out=found.left_out,
        )

    async def _list_documents(self, tx: Any, keys: Sequence[TapKey]) -> dict[TapKey, Any]:
        devices, sequences = [device_id for device_id, _ in keys], [sequence for _, sequence in keys]
        rows = await tx.fetch(queries["list_documents"], devices, sequences)
        return {(row["device_id"], row["sequence"]): row["document"] for row in rows}

    def _sort(self, operator_id: str, transactions: Sequence[FareTransaction]) -> _Sorted:
        found = _Sorted()
        for index, each in enumerate(transactions):
            arrived = self._arrive(operator_id, index, each)
            if isinstance(arrived, LeftOut):
                found.left_out.append(arrived)
            else:
                found.taps.setdefault(arrived.key, (arrived, each))
        return found

    def _arrive(self, operator_id: str, index: int, each: FareTransaction) -> ArrivedTap | LeftOut:
        kind = _KINDS.get(each.fare_action)
        if kind is None:
            message = f"{each.fare_action} is neither an entry nor an exit."
            return LeftOut(index=index, reason="not_a_tap", field="fare_action", message=message)
        if each.token_id is None:
            message = "Without a token nobody can be asked to pay."
            return LeftOut(index=index, reason="no_token", field="token_id", message=message)
        if each.stop_id is None:
            message = "Without a stop there is no fare."
            return LeftOut(index=index, reason="no_stop", field="stop_id", message=message)
        try:
            tap = TapIn(
                sequence=_sequence_of(each.transaction_id),
                tapped_at=each.event_timestamp,
                kind=kind,
                operator_id=operator_id,
                stop_id=each.stop_id,
                medium=each.token_id,
                accepted_offline=True,
            )
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            names = {"medium": "token_id", "tapped_at": "event_timestamp"}
            place = names.get(str(first["loc"][0]), str(first["loc"][0])) if first["loc"] else ""
            return LeftOut(index=index, reason="unusable", field=place, message=first["msg"])
        return ArrivedTap(
            device_id=f"tides/{operator_id}"[:128],
            tap=tap,
            stop_id=each.stop_id,
            service_date=service_date_of(each.event_timestamp, zone=self._zone),
        )


def _sequence_of(transaction_id: str) -> int:
    """63 bits of a hash of the id.

    That two of a hundred million share one is as likely as one in two thousand; it is told as conflicting.
    """
    return int.from_bytes(hashlib.sha256(transaction_id.encode()).digest()[:8], "big") >> 1


def _document(each: FareTransaction) -> dict[str, Any]:
    """The row as it was sent, without the token: the tap has it."""
    return each.model_dump(mode="json", exclude={"token_id"}, exclude_none=True)
