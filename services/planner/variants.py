"""Routers of one network for searches that may not use all of it, or not as fast.

Idea      How somebody goes (routing/pacing.py; in a wheelchair or with a pram routing/profiles.py), shared
          bikes between rides (bikes/between.py), which modes are ridden (mode_filter.py) and how long
          interchanges take (routing/transfer_rules.py) each make another router of the same arrays, in this
          order. The last few are kept. Over places on the way leads a router of layers (routing/via.py), of
          whichever of these; it is several times as large, and fewer are kept.
"""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from maas.journeys import Mode
from routing.added_walks import build_with_walks
from routing.pacing import build_paced
from routing.raptor import Router
from routing.streets.ways import ON_FOOT, Manner, Profile
from routing.timetable import NO
from routing.transfer_rules import AS_PLANNED, TransferRule, build_with_rule
from routing.via import Via, ViaRouter
from services.planner.bikes.stations import BikeWalks
from services.planner.inside import Inside
from services.planner.mode_filter import build_filtered
from services.planner.modes import is_any_scheduled

_KEPT = 8
"""Routers kept; each holds the windows that it laid out."""

_OVER_KEPT = 4

_Key = tuple[Manner, BikeWalks | None, frozenset[Mode] | None, bool, TransferRule]


class Variants:
    """Routers of one network by what a search keeps to. Safe to use from several threads."""

    def __init__(self) -> None:
        self.inside: Inside | None = None
        self._routers: OrderedDict[_Key, Router] = OrderedDict()
        self._over: OrderedDict[tuple[_Key, tuple[Via, ...]], Router] = OrderedDict()
        self._lock = Lock()

    def get(
        self,
        router: Router,
        *,
        modes: frozenset[Mode] | None = None,
        takes_bikes: bool = False,
        rule: TransferRule = AS_PLANNED,
        manner: Manner = ON_FOOT,
        bike_walks: BikeWalks | None = None,
        vias: tuple[Via, ...] = (),
    ) -> Router:
        """The router that uses these modes only (None: any), and trips that take bikes, under this rule.

        It leads over these places (`vias`). Footpaths are walked in this manner; bike_walks are others
        besides, made for who walks so.

        The one given, if nothing of that is asked.
        """
        wanted = None if modes is None or is_any_scheduled(modes) else modes
        is_thinned = wanted is not None or takes_bikes
        if vias:
            plain = self.get(
                router, modes=modes, takes_bikes=takes_bikes, rule=rule, manner=manner, bike_walks=bike_walks
            )
            return self._get_over(plain, (manner, bike_walks, wanted, takes_bikes, rule), vias)
        if not is_thinned and rule == AS_PLANNED and manner == ON_FOOT and bike_walks is None:
            return router
        with self._lock:
            # The plain one of a manner is kept too: walks are told from it, whatever is ridden.
            found = router
            if manner != ON_FOOT:
                found = self._keep((manner, None, None, False, AS_PLANNED), lambda: self._go(router, manner))
            if bike_walks is not None:
                paced = found
                found = self._keep(
                    (manner, bike_walks, None, False, AS_PLANNED), lambda: _with_bikes(paced, bike_walks)
                )
            if not is_thinned and rule == AS_PLANNED:
                return found
            return self._keep(
                (manner, bike_walks, wanted, takes_bikes, rule),
                lambda: _vary(found, wanted, takes_bikes=takes_bikes, rule=rule),
            )

    def _get_over(self, plain: Router, key: _Key, vias: tuple[Via, ...]) -> Router:
        with self._lock:
            found = self._over.get((key, vias))
            if found is None:
                found = self._over[key, vias] = ViaRouter(plain, vias)
            self._over.move_to_end((key, vias))
            while len(self._over) > _OVER_KEPT:
                self._over.popitem(last=False)
        return found

    def _go(self, router: Router, manner: Manner) -> Router:
        """For who goes in this manner; in a wheelchair without trips that are said to take none."""
        if manner.profile is Profile.WALK or self.inside is None:
            return build_paced(router, manner)
        found = self.inside.build_router(router, manner)
        has_barred = manner.profile is Profile.WHEELCHAIR and (router.timetable.trips.wheelchairs == NO).any()
        return build_filtered(found, None, takes_wheelchairs=True) if has_barred else found

    def _keep(self, key: _Key, build: Callable[[], Router]) -> Router:
        """The router of that key, built if it is not there. The lock is held."""
        found = self._routers.get(key)
        if found is None:
            found = self._routers[key] = build()
        self._routers.move_to_end(key)
        while len(self._routers) > _KEPT:
            self._routers.popitem(last=False)
        return found


def _with_bikes(router: Router, walks: BikeWalks) -> Router:
    return build_with_walks(router, walks.sources, walks.targets, walks.seconds)


def _vary(router: Router, modes: frozenset[Mode] | None, *, takes_bikes: bool, rule: TransferRule) -> Router:
    is_thinned = modes is not None or takes_bikes
    found = build_filtered(router, modes, takes_bikes=takes_bikes) if is_thinned else router
    return found if rule == AS_PLANNED else build_with_rule(found, rule)
