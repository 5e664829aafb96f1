"""A search from places to journeys, on one network, in one thread.

Problem   Somebody names two places and an hour; the router knows stops. And one Pareto set answers "now",
          while a traveller also wants the next few departures.
Idea      Places become stops with walks, the router searches. For more, or for all of a window, it is asked
          for all journeys of some time from the earliest departure found (to arrive by an hour: up to the
          latest arrival), then again from there on. What is answered, and nothing else, the teller names.
          For fewest steps the router is asked for the Pareto set with seconds on foot (routing/frugal.py),
          and for that of a second later than the first of it leaves, until there are enough.
Rule      Walking all the way is an answer too, up to half an hour; a ride that is no earlier is left out:
          it is worse in everything, but where fewest steps are asked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from maas.errors import OutsideFeedDates
from maas.journeys import Journey, PlanRequest
from services.planner.bikes.stations import NO_BIKES, BikeStations
from services.planner.ends import find_walk
from services.planner.limits import ANY, Limits
from services.planner.network import Network
from services.planner.places import End
from services.planner.sought import Answer, Candidate, Sought

_FURTHER_S, _FURTHER_S_MIN, _FURTHER_S_MAX = 3_600, 900, 7_200
"""What is looked at together when more journeys are wanted: at first, and then as little as will do."""
_FURTHER_TIMES = 7
_BEFORE_S = (1_800, 7_200, 28_800, 86_400)
"""How far back is looked for those that leave earlier, until there are enough."""


def search(
    network: Network,
    request: PlanRequest,
    origin: End,
    destination: End,
    *,
    count_min: int = 1,
    limits: Limits = ANY,
    bikes: BikeStations = NO_BIKES,
) -> Answer:
    """The Pareto set at the hour asked; all journeys of `window_s`; later ones, until there are count_min.

    Raises OutsideFeedDates.
    """
    direct = find_walk(network, request, origin, destination, limits)
    sought = Sought(network, request, origin, destination, limits, bikes)
    if limits.fewest_steps:
        return _search_frugal(sought, direct, count_min)
    now = sought.find(request.at)
    in_window = sought.find(request.at, range_s=request.window_s) if request.window_s else []
    found = {each.key: each for each in (*now, *in_window) if _is_short(each, limits)}
    if now and len(found) < count_min:
        for each in _list_further(sought, now, count_min - len(found)):
            if _is_short(each, limits):
                found.setdefault(each.key, each)
            if len(found) >= count_min:
                break
    kept = [each for each in found.values() if not _is_worse(each, direct, request, limits)]
    return sought.answer(kept, direct)


def _search_frugal(sought: Sought, direct: Journey | None, count_min: int) -> Answer:
    """Those least on foot of the hour asked; then those of the next that leaves, until there are enough."""
    found: dict[tuple[Any, ...], Candidate] = {}
    at, arrive_by, is_proven = sought.request.at, sought.request.arrive_by, False
    direct_s = None if direct is None else (direct.arrives_at - direct.departs_at).total_seconds()
    for place in range(_FURTHER_TIMES):
        try:
            group = sought.find(at, is_frugal=True)
        except OutsideFeedDates:
            if not place:
                raise
            break
        if not group:
            break
        for each in sorted(group, key=sought.order):
            is_fewer = direct_s is not None and each.walked_s < direct_s
            is_wanted = is_fewer or not _is_worse(each, direct, sought.request, sought.limits)
            if is_wanted and _is_short(each, sought.limits):
                found.setdefault(each.key, each)
        if not place:
            # What is cut off may have bettered one that leaves later and takes less long.
            is_proven = len(found) == len(group)
        if len(found) >= count_min:
            break
        at = _nearest(group, arrive_by=arrive_by) + timedelta(seconds=-1 if arrive_by else 1)
    return sought.answer(list(found.values()), direct, is_proven=is_proven and bool(found))


def search_before(
    network: Network,
    request: PlanRequest,
    origin: End,
    destination: End,
    *,
    leaves_before: datetime,
    count_min: int = 1,
    limits: Limits = ANY,
    bikes: BikeStations = NO_BIKES,
) -> Answer:
    """The last journeys that leave before an instant, count_min of them if a day has so many.

    Raises OutsideFeedDates.
    """
    direct = find_walk(network, request, origin, destination, limits)
    sought = Sought(network, replace(request, arrive_by=False), origin, destination, limits, bikes)
    sought.check_date(leaves_before)
    kept: list[Candidate] = []
    for length_s in _BEFORE_S:
        begin = leaves_before - timedelta(seconds=length_s)
        try:
            found = sought.find(begin, range_s=length_s - 1)
        except OutsideFeedDates:
            break  # The timetable begins in between.
        kept = [each for each in found if _is_short(each, limits) and not _is_slower(each, direct, limits)]
        if len(kept) >= count_min:
            break
    kept.sort(key=lambda each: (each.departs, each.arrives), reverse=True)
    return sought.answer(kept[:count_min], direct)


def _list_further(sought: Sought, now: Sequence[Candidate], count: int) -> Iterator[Candidate]:
    """Journeys from the first of `now` on, or back from the last to arrive by: the nearest first.

    About so many as wanted, if some hours of service have them.
    """
    arrive_by = sought.request.arrive_by
    at, length_s = _nearest(now, arrive_by=arrive_by), _FURTHER_S
    known = len(now)
    for _ in range(_FURTHER_TIMES):
        try:
            found = sought.find(at, range_s=length_s)
            if found:
                yield from sorted(found, key=lambda each: -each.arrives if arrive_by else each.departs)
                at += timedelta(seconds=-length_s - 1 if arrive_by else length_s + 1)
                # The first range holds those of `now` again.
                count, known = count - max(0, len(found) - known), 0
                length_s = round(1.3 * length_s * max(count, 1) / len(found))
                length_s = min(max(length_s, _FURTHER_S_MIN), _FURTHER_S_MAX)
                continue
            # Where nothing leaves for hours or days, this finds what leaves next.
            found = sought.find(at)
        except OutsideFeedDates:
            return
        if not found:
            return
        at = _nearest(found, arrive_by=arrive_by)


def _is_short(each: Candidate, limits: Limits) -> bool:
    return limits.duration_s_max is None or each.arrives - each.departs <= limits.duration_s_max


def _is_worse(each: Candidate, direct: Journey | None, request: PlanRequest, limits: Limits) -> bool:
    """Whether one who walks at the hour asked is there as early (leaves as late, to arrive by)."""
    asked = request.at.timestamp()
    return _is_walked(asked - each.departs if request.arrive_by else each.arrives - asked, direct, limits)


def _is_slower(each: Candidate, direct: Journey | None, limits: Limits) -> bool:
    """Whether one who walks takes no longer, whenever it is."""
    return _is_walked(each.arrives - each.departs, direct, limits)


def _is_walked(seconds: float, direct: Journey | None, limits: Limits) -> bool:
    if direct is None:
        return False
    return seconds >= limits.direct_factor * (direct.arrives_at - direct.departs_at).total_seconds()


def _nearest(found: Sequence[Candidate], *, arrive_by: bool) -> datetime:
    nearest = max(each.arrives for each in found) if arrive_by else min(each.departs for each in found)
    return datetime.fromtimestamp(nearest, tz=UTC)
