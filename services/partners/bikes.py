"""Bike systems: their GBFS is read in the background, answered from memory.

Problem   A traveller's search must not wait for somebody else's server, nor show bikes of an hour ago.
Idea      Each system is read on its own beat: live counts as often as its ttl asks (bounded), facts seldom.
          Facts and stations are kept in PostgreSQL and are there again at once after a restart; counts live
          in memory only. Counts that grew old are told as unknown, never as they were.
Invariant A failure of one system changes nothing of another, and never removes stations.
Not here  What GBFS means (maas/sharing); unlocking a bike.
"""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import orjson

from gtfs.notices import Notices
from maas.ports import BikeSystemNow, StationNow, VehicleNow
from maas.sharing.gbfs import (
    Envelope,
    open_document,
    read_discovery,
    read_station_statuses,
    read_stations,
    read_system,
    read_vehicle_types,
    read_vehicles,
)
from maas.sharing.geofences import NO_GEOFENCES, Geofences, read_geofences
from maas.sharing.prices import read_pricing_plans
from maas.sharing.records import FreeVehicle, SharingStation, StationStatus
from services.partners import store
from services.partners.messages import BikeSystemSettings
from services.partners.store import SystemFacts, SystemRecord
from services.platform.context import ServiceContext
from services.platform.errors import PlatformError

STALE_AFTER = timedelta(minutes=10)
_TIMEOUT = aiohttp.ClientTimeout(total=20, connect=5)
_BYTES_MAX = 50 * 1024 * 1024
_LIVE_S_MIN, _LIVE_S_MAX = 15, 300
_FACTS_S = 6 * 3600.0
_FAULT_PAUSE_S_MIN, _FAULT_PAUSE_S_MAX = 2.0, 60.0
_BEAT_S = 1.0


class SystemUnreadable(PlatformError):
    """A bike system's GBFS cannot be read now. It is tried again; check the address if it stays so."""

    code = "bike_system_unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemView:
    """A system as it is known now. `statuses` are by station; `read_at` is None before the first read."""

    record: SystemRecord
    stations: tuple[SharingStation, ...] = ()
    statuses: Mapping[str, StationStatus] = field(default_factory=dict)
    vehicles: tuple[FreeVehicle, ...] = ()
    geofences: Geofences = NO_GEOFENCES
    geofences_name: str = ""
    read_at: datetime | None = None
    notice_count: int = 0
    fault: str = ""

    def find_status(self, station_id: str, now: datetime) -> StationStatus | None:
        """What is at the station, if that is known and not too old."""
        return self.statuses.get(station_id) if self.is_fresh(now) else None

    def is_fresh(self, now: datetime) -> bool:
        """Whether what stands where was read, and not too long ago."""
        return self.read_at is not None and now - self.read_at <= STALE_AFTER


@dataclass(slots=True)
class _Beat:
    """When a system is read next, in seconds of the loop's own clock."""

    urls: Mapping[str, str] = field(default_factory=dict)
    facts_due_s: float = 0.0
    live_due_s: float = 0.0
    fault_pause_s: float = _FAULT_PAUSE_S_MIN


class BikeSystems:
    """All bike systems that we follow."""

    def __init__(self, context: ServiceContext) -> None:
        self._database = context.database
        self._clock = context.clock
        self._log = context.log
        self._views: dict[str, SystemView] = {}
        self._beats: dict[str, _Beat] = {}
        self._session: aiohttp.ClientSession | None = None
        self._changed = asyncio.Event()

    async def open(self) -> None:
        """Take what the database knows of the systems."""
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        for record in await store.list_systems(self._database):
            await self._follow(record)

    async def close(self) -> None:
        """Close the connections to the systems."""
        if self._session is not None:
            await self._session.close()

    async def put(self, system_id: str, settings: BikeSystemSettings) -> SystemView:
        """Follow a system, or follow it at another address."""
        async with self._database.transaction() as tx:
            await store.put_system(tx, system_id, settings.gbfs_url, settings.operator_id, self._clock.now())
            records = await store.list_systems(tx)
        await self._follow(next(record for record in records if record.system_id == system_id))
        self._changed.set()
        return self._views[system_id]

    def list_views(self) -> Sequence[SystemView]:
        """All systems, by id."""
        return [self._views[system_id] for system_id in sorted(self._views)]

    async def list_stations(self) -> list[StationNow]:
        """See BikesPort. Counts that are not known, or too old, are told as unknown."""
        now = self._clock.now()
        return [
            _station_now(view, station, now)
            for view in self.list_views()
            if view.record.facts is not None
            for station in sorted(view.stations, key=lambda each: each.station_id)
        ]

    async def list_systems(self) -> list[BikeSystemNow]:
        """See BikesPort."""
        return [_system_now(view) for view in self.list_views() if view.record.facts is not None]

    async def get_geofences(self, *, system_id: str) -> Geofences:
        """See BikesPort."""
        view = self._views.get(system_id)
        return NO_GEOFENCES if view is None else view.geofences

    async def list_vehicles(self) -> list[VehicleNow]:
        """See BikesPort. Where vehicles stood too long ago nobody knows any more."""
        now = self._clock.now()
        return [
            each
            for view in self.list_views()
            if view.record.facts is not None and view.is_fresh(now)
            for each in _vehicles_now(view)
        ]

    async def read_for_ever(self) -> None:
        """Read each system when it is due."""
        while True:
            await self._take_over()
            due = [system_id for system_id, beat in self._beats.items() if self._is_due(beat)]
            await asyncio.gather(*(self.read(system_id) for system_id in due))
            try:
                async with asyncio.timeout(_BEAT_S):
                    await self._changed.wait()
            except TimeoutError:
                continue
            self._changed.clear()

    async def read(self, system_id: str) -> None:
        """Read a system now. What goes wrong is kept as its fault, and it is tried again later."""
        view, beat = self._views[system_id], self._beats[system_id]
        try:
            fresh, live_s = await self._read(view, beat)
        except SystemUnreadable as error:
            fresh = replace(view, fault=str(error))
            live_s = beat.fault_pause_s
            beat.fault_pause_s = min(2 * beat.fault_pause_s, _FAULT_PAUSE_S_MAX)
            self._log.warning("bike_system_unreadable", system_id=system_id, error=str(error))
        else:
            beat.fault_pause_s = _FAULT_PAUSE_S_MIN
        beat.live_due_s = self._loop_s() + live_s
        # The system may have been given another address while it was read.
        now = self._views[system_id].record
        if now.gbfs_url == view.record.gbfs_url:
            record = replace(fresh.record, operator_id=now.operator_id)
            self._views[system_id] = replace(fresh, record=record)

    async def _read(self, view: SystemView, beat: _Beat) -> tuple[SystemView, float]:
        """The system as it is now, and after how many seconds to look again. Raises SystemUnreadable."""
        notices = Notices()
        if self._loop_s() >= beat.facts_due_s or not beat.urls:
            view = await self._read_facts(view, beat, notices)
            beat.facts_due_s = self._loop_s() + _FACTS_S
        live_s = float(_LIVE_S_MAX)
        statuses: dict[str, StationStatus] = {}
        vehicles: tuple[FreeVehicle, ...] = ()
        status = await self._find_document(beat, "station_status", notices)
        if status is not None:
            statuses = {each.station_id: each for each in read_station_statuses(status)}
            live_s = status.ttl_s
        free = await self._find_document(beat, "vehicle_status", notices) or await self._find_document(
            beat, "free_bike_status", notices
        )
        if free is not None:
            vehicles = read_vehicles(free)
            live_s = min(live_s, free.ttl_s)
        if statuses.keys() - {each.station_id for each in view.stations}:
            beat.facts_due_s = self._loop_s()  # A station is new: read the facts with the next counts.
        fresh = replace(
            view,
            statuses=statuses,
            vehicles=vehicles,
            read_at=self._clock.now(),
            notice_count=len(notices),
            fault="",
        )
        return fresh, max(_LIVE_S_MIN, min(live_s, _LIVE_S_MAX))

    async def _read_facts(self, view: SystemView, beat: _Beat, notices: Notices) -> SystemView:
        record = view.record
        discovery = open_document(await self._fetch(record.gbfs_url), file="gbfs", notices=notices)
        beat.urls = {} if discovery is None else read_discovery(discovery)
        information = await self._find_document(beat, "system_information", notices)
        system = None if information is None else read_system(information)
        if system is None:
            raise SystemUnreadable(f"{record.gbfs_url} leads to no system_information that says who it is.")
        stations = await self._find_document(beat, "station_information", notices)
        types = await self._find_document(beat, "vehicle_types", notices)
        plans = await self._find_document(beat, "system_pricing_plans", notices)
        zones = await self._find_document(beat, "geofencing_zones", notices)
        facts = SystemFacts(
            system=system,
            vehicle_types=() if types is None else read_vehicle_types(types),
            plans=() if plans is None else read_pricing_plans(plans),
        )
        known = () if stations is None else read_stations(stations)
        async with self._database.transaction() as tx:
            await store.write_facts(tx, record, facts, known)
        for notice in notices:
            self._log.info("gbfs_notice", system_id=record.system_id, notice=str(notice))
        geofences = NO_GEOFENCES if zones is None else read_geofences(zones)
        return replace(
            view,
            record=replace(record, facts=facts),
            stations=known,
            geofences=geofences,
            geofences_name=_name(geofences),
        )

    async def _find_document(self, beat: _Beat, name: str, notices: Notices) -> Envelope | None:
        """A document that the system lists; None if it lists none. Raises SystemUnreadable."""
        url = beat.urls.get(name)
        if url is None:
            return None
        envelope = open_document(await self._fetch(url), file=name, notices=notices)
        if envelope is None:
            raise SystemUnreadable(f"{url} is no GBFS document.")
        return envelope

    async def _fetch(self, url: str) -> Any:
        assert self._session is not None, "systems are opened before they are read"
        if not url.startswith(("http://", "https://")):
            raise SystemUnreadable(f"{url!r} is no web address.")
        try:
            async with self._session.get(url) as response:
                response.raise_for_status()
                body = bytearray()
                async for chunk in response.content.iter_chunked(65_536):
                    body += chunk
                    if len(body) > _BYTES_MAX:
                        raise SystemUnreadable(f"{url} is larger than {_BYTES_MAX} bytes.")
            return orjson.loads(body)
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            raise SystemUnreadable(f"{url} cannot be read: {type(error).__name__} {error}".strip()) from error

    async def _follow(self, record: SystemRecord) -> None:
        """Know a system; what was read before stays as long as the address does."""
        before = self._views.get(record.system_id)
        if before is not None and before.record.gbfs_url == record.gbfs_url:
            self._views[record.system_id] = replace(
                before, record=replace(record, facts=record.facts or before.record.facts)
            )
            return
        stations = await store.list_stations(self._database, record.system_id)
        self._views[record.system_id] = SystemView(
            record=record, stations=stations if record.facts is not None else ()
        )
        self._beats[record.system_id] = _Beat()

    async def _take_over(self) -> None:
        """Follow systems that another process was told about."""
        for record in await store.list_systems(self._database):
            view = self._views.get(record.system_id)
            if view is None or view.record.gbfs_url != record.gbfs_url:
                await self._follow(record)

    def _is_due(self, beat: _Beat) -> bool:
        return self._loop_s() >= beat.live_due_s

    def _loop_s(self) -> float:
        # The beat is the machine's: the city's clock may jump, other people's servers do not.
        return asyncio.get_running_loop().time()


def _station_now(view: SystemView, station: SharingStation, now: datetime) -> StationNow:
    status = view.find_status(station.station_id, now)
    is_renting = status is None or (status.is_installed and status.is_renting)
    is_returning = status is None or (status.is_installed and status.is_returning)
    return StationNow(
        system_id=view.record.system_id,
        system_names={} if view.record.facts is None else view.record.facts.system.names,
        operator_id=view.record.operator_id,
        station_id=station.station_id,
        names=station.names,
        lat=station.lat,
        lon=station.lon,
        bikes=None if status is None else status.vehicles_to_rent,
        docks=_docks_now(station, status, is_returning=is_returning),
        is_renting=is_renting,
        is_returning=is_returning,
        bikes_by_type={} if status is None else status.vehicles_by_type,
        docks_by_type={} if status is None or station.has_valet else status.docks_by_type,
        rental_uris=station.rental_uris,
    )


def _docks_now(station: SharingStation, status: StationStatus | None, *, is_returning: bool) -> int | None:
    """Where a valet takes vehicles in, free docks are no limit."""
    if status is None:
        return None
    if not is_returning:
        return 0
    return None if station.has_valet else status.docks_available


def _system_now(view: SystemView) -> BikeSystemNow:
    facts = view.record.facts
    assert facts is not None, "only systems that were read are told"
    return BikeSystemNow(
        system_id=view.record.system_id,
        names=facts.system.names,
        operator_id=view.record.operator_id,
        vehicle_types=facts.vehicle_types,
        geofences=view.geofences_name,
    )


def _name(geofences: Geofences) -> str:
    """The same name for the same geofences; empty for none."""
    if geofences == NO_GEOFENCES:
        return ""
    return hashlib.blake2b(repr(geofences).encode(), digest_size=12).hexdigest()


def _vehicles_now(view: SystemView) -> Iterator[VehicleNow]:
    """Those that one may take. What stands at a station is counted there."""
    for each in view.vehicles:
        if each.station_id or each.is_reserved or each.is_disabled or each.lat is None or each.lon is None:
            continue
        yield VehicleNow(
            system_id=view.record.system_id,
            vehicle_id=each.vehicle_id,
            lat=each.lat,
            lon=each.lon,
            vehicle_type_id=each.vehicle_type_id,
            home_station_id=each.home_station_id,
            range_m=each.range_m,
            rental_uris=each.rental_uris,
        )
