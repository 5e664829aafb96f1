"""The rows of taps and devices, many at a time. Methods with `tx` take part in the caller's transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import Any
from uuid import UUID, uuid5

from maas.taps import Tap, TapKind
from services.platform.database import Database, load_queries
from services.ticketing.models import TapIn, TapStatus

queries = load_queries(__file__)

_TAPS = UUID("7b6f1f0e-8d0c-5b7e-9c36-7461702d6964")

TapKey = tuple[str, int]
"""(device_id, sequence): the name of a tap for ever."""


def tap_id_of(device_id: str, sequence: int) -> UUID:
    """The id of a tap: the same for every repetition."""
    return uuid5(_TAPS, f"{device_id}/{sequence}")


@dataclass(slots=True, kw_only=True)
class ArrivedTap:
    """A tap on its way into the table. `stop_id` is where it counts; what was judged is set later.

    `area_ids` are the networks and zones of its device, None: not asked.
    """

    device_id: str
    tap: TapIn
    stop_id: str
    service_date: date
    area_ids: tuple[str, ...] | None = None
    verdict: TapStatus = "recorded"
    ticket_ref: str | None = None
    fare_index: int | None = None
    is_counted: bool = True

    @property
    def key(self) -> TapKey:
        """Its name."""
        return self.device_id, self.tap.sequence

    def as_tap(self) -> Tap:
        """As rides are made of it."""
        return Tap(
            device_id=self.device_id,
            sequence=self.tap.sequence,
            tapped_at=self.tap.tapped_at,
            kind=self.tap.kind,
            operator_id=self.tap.operator_id,
            stop_id=self.stop_id,
        )


# The columns of insert_taps, in the query's order.
_COLUMNS = tuple(
    attrgetter(path)
    for path in (
        "device_id",
        "tap.sequence",
        "tap.operator_id",
        "stop_id",
        "tap.stop_id",
        "tap.kind",
        "tap.tapped_at",
        "service_date",
        "tap.payload",
        "tap.medium",
        "tap.accepted_offline",
        "verdict",
        "ticket_ref",
        "is_counted",
    )
)


class TapStore:
    """The SQL of taps, due media and devices."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert_taps(self, tx: Any, taps: Sequence[ArrivedTap], now: datetime) -> set[TapKey]:
        """Keep taps; returns those that were not there before. In one order: two writers never deadlock."""
        ordered = sorted(taps, key=lambda each: each.key)
        columns = [list(map(column, ordered)) for column in _COLUMNS]
        rows = await tx.fetch(queries["insert_taps"], *columns, now)
        return {(row["device_id"], row["sequence"]) for row in rows}

    async def list_taps(self, tx: Any, keys: Iterable[TapKey]) -> dict[TapKey, Any]:
        """The stored rows of these taps, by key."""
        asked = list(keys)
        if not asked:
            return {}
        rows = await tx.fetch(
            queries["list_taps"], [device_id for device_id, _ in asked], [sequence for _, sequence in asked]
        )
        return {(row["device_id"], row["sequence"]): row for row in rows}

    async def list_counted_taps(self, tx: Any, ticket_refs: Iterable[str]) -> dict[str, list[Tap]]:
        """The taps that rides of these tickets are made of; a list for each ticket."""
        found: dict[str, list[Tap]] = {ref: [] for ref in ticket_refs}
        if not found:
            return found
        for ticket_ref, *row in await tx.fetch(queries["list_counted_taps"], list(found)):
            device_id, sequence, tapped_at, kind, operator_id, stop_id = row
            found[ticket_ref].append(
                Tap(
                    device_id=device_id,
                    sequence=sequence,
                    tapped_at=tapped_at,
                    kind=TapKind(kind),
                    operator_id=operator_id,
                    stop_id=stop_id,
                )
            )
        return found

    async def mark_media_due(self, tx: Any, media: Iterable[tuple[str, date]], now: datetime) -> None:
        """Tell account-based travel that these media have new taps on these service dates."""
        news = sorted(set(media))
        if news:
            refs, dates = [ref for ref, _ in news], [service_date for _, service_date in news]
            await tx.execute(queries["mark_media_due"], refs, dates, now)

    async def lock_devices(self, tx: Any, *, alone: bool) -> None:
        """Hold the devices as they are until the transaction ends: beside readers, or alone for a change."""
        await tx.execute(queries["lock_devices_alone" if alone else "lock_devices"])

    async def list_devices(self, tx: Any, device_ids: Iterable[str]) -> list[Any]:
        """These devices with their placements."""
        rows: list[Any] = await tx.fetch(queries["list_devices"], list(set(device_ids)))
        return rows

    async def list_devices_page(self, operator_id: str | None, after: str, limit: int) -> list[Any]:
        """Devices by id, above `after`."""
        return await self._database.fetch(queries["list_devices_page"], operator_id, after, limit)

    async def upsert_device(
        self,
        tx: Any,
        device_id: str,
        *,
        operator_id: str,
        public_key: bytes,
        state: str,
        area_ids: Sequence[str] | None,
        now: datetime,
    ) -> None:
        """Register a device, or change its key, state or areas."""
        areas = None if area_ids is None else list(area_ids)
        await tx.execute(queries["upsert_device"], device_id, operator_id, public_key, state, now, areas)

    async def place_device(self, tx: Any, device_id: str, valid_from: datetime, stop_id: str | None) -> None:
        """From then on it stands there, whatever was said before about that time."""
        await tx.execute(queries["forget_placements"], device_id, valid_from)
        await tx.execute(queries["place_device"], device_id, valid_from, stop_id)

    async def replace_taps(self, tx: Any, device_id: str, now: datetime) -> None:
        """Put all taps of a device where its placements say, and have what they make worked out anew."""
        moved = await tx.fetch(queries["move_taps"], device_id)
        refs = sorted({row["ticket_ref"] for row in moved if row["ticket_ref"]})
        await tx.execute(queries["ask_for_rating"], refs)
        media = [(row["medium_ref"], row["service_date"]) for row in moved if row["medium_ref"]]
        await self.mark_media_due(tx, media, now)

    async def get_device_health(self, device_id: str) -> Any:
        """What its last thousand taps say."""
        return await self._database.fetchrow(queries["get_device_health"], device_id)
