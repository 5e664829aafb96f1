"""Every position of every vehicle, judged by shortest paths in the graph of time constraints.

A sequence of visits is feasible if and only if its difference constraints x_j - x_i <= w have no negative
cycle (Floyd and Warshall); the earliest times are the negated distances to the origin node. Slow and obvious;
it shares no code with maas.on_demand but the plain records.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from maas.on_demand.insertion import RideRequest
from maas.on_demand.places import Point
from maas.on_demand.schedules import Schedule, VisitKind

FAR = 10**12

# kind, booking, place, riders, earliest, latest, service, longest ride, fixed time or None
Row = tuple[VisitKind, UUID, Point, int, int, int, int, int, int | None]
Travel = Callable[[Point, Point], int]


def find_earliest_times(
    schedule: Schedule, rows: Sequence[Row], *, travel: Travel, now_s: int
) -> list[int] | None:
    count = len(rows)
    origin = count  # the instant zero
    weight = [[0 if i == j else FAR for j in range(count + 1)] for i in range(count + 1)]

    def at_least(later: int, earlier: int, seconds: int) -> None:
        """x_later - x_earlier >= seconds, that is x_earlier - x_later <= -seconds."""
        weight[later][earlier] = min(weight[later][earlier], -seconds)

    place, service = schedule.vehicle.depot, None
    for i, (kind, booking, here, _, earliest, latest, own_service, ride_max, fixed) in enumerate(rows):
        drive = travel(place, here)
        at_least(i, origin, earliest if fixed is None else fixed)
        at_least(origin, i, -(latest if fixed is None else fixed))
        if service is None:
            at_least(i, origin, schedule.vehicle.shift_starts_s + drive)
        else:
            at_least(i, i - 1, service + drive)
        if fixed is None and (i == 0 or rows[i - 1][8] is not None):
            at_least(i, origin, now_s + drive)
        if kind is VisitKind.DROPOFF:
            pickup = next(j for j, row in enumerate(rows) if row[0] is VisitKind.PICKUP and row[1] == booking)
            at_least(pickup, i, -(rows[pickup][6] + ride_max))
        place, service = here, own_service
    if rows:
        home = rows[-1][6] + travel(rows[-1][2], schedule.vehicle.depot)
        at_least(origin, count - 1, -(schedule.vehicle.shift_ends_s - home))
    close_by_shortest_paths(weight)
    if any(weight[i][i] < 0 for i in range(count + 1)):
        return None
    return [-weight[i][origin] for i in range(count)]


def close_by_shortest_paths(weight: list[list[int]]) -> None:
    nodes = range(len(weight))
    for k in nodes:
        for i in nodes:
            for j in nodes:
                weight[i][j] = min(weight[i][j], weight[i][k] + weight[k][j])


def measure_drive(schedule: Schedule, rows: Sequence[Row], travel: Travel) -> int:
    if not rows:
        return 0
    total, place = 0, schedule.vehicle.depot
    for row in rows:
        total += travel(place, row[2])
        place = row[2]
    return total + travel(place, schedule.vehicle.depot)


def list_rows(schedule: Schedule, *, travel: Travel, now_s: int) -> tuple[list[Row], int]:
    """The schedule's visits as rows, and how many of them the vehicle is already bound to."""
    bound, place = 0, schedule.vehicle.depot
    for i, visit in enumerate(schedule.visits):
        if visit.at_s - travel(place, visit.place) <= now_s:
            bound = i + 1
        place = visit.place
    rows: list[Row] = [
        (v.kind, v.booking_id, v.place, v.riders, v.earliest_s, v.latest_s, v.service_s, v.ride_s_max,
         v.at_s if i < bound else None)
        for i, v in enumerate(schedule.visits)
    ]  # fmt: skip
    return rows, bound


def find_best(
    schedules: Sequence[Schedule], request: RideRequest, *, travel: Travel, now_s: int
) -> tuple[int, int] | None:
    """(added driving, pickup time) of the best insertion, or None if there is none at all."""
    found: list[tuple[int, int]] = []
    pickup: Row = (VisitKind.PICKUP, request.booking_id, request.pickup, request.riders,
                   request.earliest_pickup_s, request.latest_pickup_s, request.service_s,
                   request.ride_s_max, None)  # fmt: skip
    dropoff: Row = (VisitKind.DROPOFF, request.booking_id, request.dropoff, request.riders,
                    request.earliest_pickup_s, request.latest_dropoff_s, request.service_s,
                    request.ride_s_max, None)  # fmt: skip
    for schedule in schedules:
        rows, bound = list_rows(schedule, travel=travel, now_s=now_s)
        before = measure_drive(schedule, rows, travel)
        for p in range(bound, len(rows) + 1):
            for d in range(p + 1, len(rows) + 2):
                trial = list(rows)
                trial.insert(p, pickup)
                trial.insert(d, dropoff)
                load, worst = 0, 0
                for row in trial:
                    load += row[3] if row[0] is VisitKind.PICKUP else -row[3]
                    worst = max(worst, load)
                if worst > schedule.vehicle.seats:
                    continue
                times = find_earliest_times(schedule, trial, travel=travel, now_s=now_s)
                if times is not None:
                    found.append((measure_drive(schedule, trial, travel) - before, times[p]))
    return min(found, default=None)
