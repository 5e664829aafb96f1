"""Routers of one network for searches that may not use all of it, or not as fast.

Idea      Which modes are ridden (mode_filter.py) and how long interchanges take (routing/transfer_rules.py)
          each make another router of the same arrays. The last few are kept.
"""

from collections import OrderedDict
from threading import Lock

from maas.journeys import Mode
from routing.raptor import Router
from routing.transfer_rules import AS_PLANNED, TransferRule, build_with_rule
from services.planner.mode_filter import build_filtered
from services.planner.modes import is_any_scheduled

_KEPT = 8
"""Routers kept; each holds the windows that it laid out."""

_Key = tuple[frozenset[Mode] | None, bool, TransferRule]


class Variants:
    """Routers of one network by what a search keeps to. Safe to use from several threads."""

    def __init__(self) -> None:
        self._routers: OrderedDict[_Key, Router] = OrderedDict()
        self._lock = Lock()

    def get(
        self,
        router: Router,
        *,
        modes: frozenset[Mode] | None = None,
        takes_bikes: bool = False,
        rule: TransferRule = AS_PLANNED,
    ) -> Router:
        """The router that uses these modes only (None: any), and trips that take bikes, under this rule.

        The one given, if nothing of that is asked.
        """
        wanted = None if modes is None or is_any_scheduled(modes) else modes
        is_thinned = wanted is not None or takes_bikes
        if not is_thinned and rule == AS_PLANNED:
            return router
        key = (wanted, takes_bikes, rule)
        with self._lock:
            found = self._routers.get(key)
            if found is None:
                found = build_filtered(router, wanted, takes_bikes=takes_bikes) if is_thinned else router
                if rule != AS_PLANNED:
                    found = build_with_rule(found, rule)
                self._routers[key] = found
                while len(self._routers) > _KEPT:
                    self._routers.popitem(last=False)
            self._routers.move_to_end(key)
            return found
