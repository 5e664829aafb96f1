"""Which alerts concern a ride.

Rule      An alert is of the trips, routes, stops and agencies that it names, in its own feed, and of rides
          that its periods touch. A sailing that may not land (条件付) is told by an alert with that word in
          its effect's detail or its header: such a ride is never shown as certain.
Source    GTFS-Realtime reference, alerts; the islands' words in the project's facts, C2.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from gtfs.realtime import Alert
from maas.journeys import ServiceAlert
from routing.journey import TripLeg
from routing.strings import get_string
from routing.timetable import Timetable

CONDITIONAL = "条件付"

Alerts = Sequence[tuple[str, Alert]]
"""Alerts, each with the feed whose ids it uses."""


def list_alerts(alerts: Alerts, timetable: Timetable, leg: TripLeg) -> Iterator[Alert]:
    """Those that concern this ride, in their order."""
    if not alerts:
        return
    names = {
        "trip": get_string(timetable.trip_ids, leg.trip),
        "route": get_string(timetable.route_ids, int(timetable.trips.routes[leg.trip])),
        "agency": get_string(
            timetable.agency_ids, int(timetable.routes.agencies[int(timetable.trips.routes[leg.trip])])
        ),
    }
    ends = {get_string(timetable.stop_ids, leg.calls[i].stop) for i in (0, -1)}
    for feed_id, alert in alerts:
        if _is_active(alert, leg.departs_at, leg.arrives_at) and _concerns(feed_id, alert, leg, names, ends):
            yield alert


def tell_alerts(alerts: Iterable[Alert], language: str) -> tuple[ServiceAlert, ...]:
    """The same in a traveller's language."""
    return tuple(
        ServiceAlert(
            header=choose_text(alert.header, language),
            description=choose_text(alert.description, language),
            cause=alert.cause,
            effect=alert.effect,
        )
        for alert in alerts
    )


def find_condition(alerts: Iterable[Alert], language: str) -> str | None:
    """What the operator said where a ride that these alerts concern is not certain."""
    for alert in alerts:
        texts = [*alert.effect_detail.values(), *alert.header.values()]
        if any(CONDITIONAL in text for text in texts):
            return (
                choose_text(alert.description, language) or choose_text(alert.header, language) or CONDITIONAL
            )
    return None


def choose_text(texts: Mapping[str, str], language: str) -> str:
    """The text in a language, else without one, else the first."""
    return texts.get(language) or texts.get("") or next(iter(texts.values()), "")


def _is_active(alert: Alert, begins: datetime, ends: datetime) -> bool:
    return not alert.periods or any(
        (start is None or start <= ends) and (end is None or begins <= end) for start, end in alert.periods
    )


def _concerns(feed_id: str, alert: Alert, leg: TripLeg, names: Mapping[str, str], ends: set[str]) -> bool:
    for trip in alert.trips:
        is_that_day = trip.start_date is None or trip.start_date == leg.service_date
        if trip.trip_id is not None and f"{feed_id}:{trip.trip_id}" == names["trip"] and is_that_day:
            return True
    return (
        names["route"] in {f"{feed_id}:{each}" for each in alert.route_ids}
        or not ends.isdisjoint(f"{feed_id}:{each}" for each in alert.stop_ids)
        or (names["trip"].startswith(f"{feed_id}:") and names["agency"] in alert.agency_ids)
    )
