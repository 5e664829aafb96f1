"""Follows what bike systems tell, so that no search waits for anybody.

Idea      All stations are asked for every few seconds and kept as one `BikeStations`. While the port does not
          answer, what was told last holds for some minutes, then nothing: a bike of an hour ago is none.
"""

import asyncio
from datetime import timedelta

import structlog

from maas.ports import BikesPort
from services.planner.bikes.between import warm_up
from services.planner.bikes.stations import NO_BIKES, BikeStations
from services.platform.away import is_away
from services.platform.context import ServiceContext
from services.platform.errors import SettingsInvalid

log = structlog.get_logger()

ASK_EVERY_S = 15.0
KEPT_FOR = timedelta(minutes=10)


class BikesNow:
    """Holds what is known of bikes."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._stations = NO_BIKES
        self._is_warm = False

    def get(self) -> BikeStations:
        """What is known; nothing while it is too old."""
        told_at = self._stations.told_at
        if told_at is not None and self._context.clock.now() - told_at > KEPT_FOR:
            return NO_BIKES
        return self._stations

    async def refresh(self) -> None:
        """Ask now. Where nobody answers what is known stays; who is told of no partners has no bikes."""
        try:
            port = self._context.ports.get(BikesPort)
            systems, rows = await port.list_systems(), await port.list_stations()
            vehicles = await port.list_vehicles()
            geofences = {
                each.system_id: await port.get_geofences(system_id=each.system_id)
                for each in systems
                if each.geofences and not self._stations.has_fences(each)
            }
        except Exception as error:
            if not is_away(error) and not isinstance(error, SettingsInvalid):
                raise
            log.info("bikes_not_known", reason=str(error))
            return
        fresh = self._stations.renewed(rows, self._context.clock.now(), vehicles, systems)
        # Tens of thousands of rows: beside the loop, and before any search sees them.
        await asyncio.to_thread(fresh.prepare, self._stations, geofences)
        if rows and not self._is_warm:
            await asyncio.to_thread(warm_up)
            self._is_warm = True
        self._stations = fresh

    async def follow(self) -> None:
        """For ever: ask every few seconds."""
        while True:
            await self.refresh()
            await asyncio.sleep(ASK_EVERY_S)
