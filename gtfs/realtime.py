"""GTFS-Realtime messages as plain records.

Problem   A live feed is protobuf with presence bits and unsigned oddities, and may be cut off or garbage.
Idea      Decode once into frozen records: absent is None, times are aware instants, relations are enums.
          Entities that say nothing usable are left out with a notice.
Not here  Fetching, and matching updates with the timetable.
Source    GTFS-Realtime reference 2.0; fields of later revisions that older bindings lack are passed over.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from google.protobuf.message import DecodeError
from google.transit import gtfs_realtime_pb2

from gtfs.notices import Notices, Severity
from gtfs.service_time import find_seconds

_EPOCH_S_MAX = 4_102_444_800  # the year 2100
_DATE_CHARS = 8
_UNTOLD: tuple[int | None, datetime | None] = (None, None)
_LAT_MAX, _LON_MAX = 90.0, 180.0


class TripRelation(StrEnum):
    """What became of a trip. What newer revisions add and we do not know is UNKNOWN."""

    SCHEDULED = "SCHEDULED"
    ADDED = "ADDED"
    UNSCHEDULED = "UNSCHEDULED"
    CANCELED = "CANCELED"
    REPLACEMENT = "REPLACEMENT"
    DUPLICATED = "DUPLICATED"
    DELETED = "DELETED"
    NEW = "NEW"
    UNKNOWN = "UNKNOWN"


class StopRelation(StrEnum):
    """What became of a call at a stop."""

    SCHEDULED = "SCHEDULED"
    SKIPPED = "SKIPPED"
    NO_DATA = "NO_DATA"
    UNSCHEDULED = "UNSCHEDULED"
    UNKNOWN = "UNKNOWN"


class VehicleStatus(StrEnum):
    """Where a vehicle is to the stop that is told: before it, just before it, or at it."""

    IN_TRANSIT_TO = "IN_TRANSIT_TO"
    INCOMING_AT = "INCOMING_AT"
    STOPPED_AT = "STOPPED_AT"
    UNKNOWN = "UNKNOWN"


_STOP_RELATIONS = {
    value.number: StopRelation(value.name)
    for value in gtfs_realtime_pb2.TripUpdate.StopTimeUpdate.ScheduleRelationship.DESCRIPTOR.values
    if value.name in StopRelation.__members__
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TripRef:
    """Which trip is meant, as far as the feed says."""

    trip_id: str | None
    route_id: str | None
    direction_id: int | None
    start_date: date | None
    start_s: int | None
    relation: TripRelation


@dataclass(frozen=True, slots=True, kw_only=True)
class StopUpdate:
    """A call that differs. Delays in seconds, negative when early; `assigned_stop_id`: there instead."""

    stop_sequence: int | None
    stop_id: str | None
    relation: StopRelation
    arrival_delay_s: int | None
    arrives_at: datetime | None
    departure_delay_s: int | None
    departs_at: datetime | None
    assigned_stop_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTripRef:
    """What a trip beside the timetable is called and when it starts, as far as the feed says."""

    trip_id: str | None
    start_date: date | None
    start_s: int | None
    headsign: str | None
    short_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TripUpdate:
    """How a trip runs now. `delay_s` is for the whole trip where no stop says better.

    `new_trip` is what a trip that is not in the timetable is called: a duplicate's own, not its model's.
    """

    trip: TripRef
    vehicle_id: str | None
    delay_s: int | None
    measured_at: datetime | None
    stops: tuple[StopUpdate, ...]
    new_trip: NewTripRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VehiclePosition:
    """Where a vehicle is. Bearing in degrees from north; speed in metres per second.

    lat and lon are None where only its stop is told. `status` is to the stop of `stop_sequence` or `stop_id`;
    where neither is told it means nothing.
    """

    vehicle_id: str | None
    trip: TripRef | None
    lat: float | None
    lon: float | None
    bearing: float | None
    speed_m_s: float | None
    stop_id: str | None
    measured_at: datetime | None
    stop_sequence: int | None = None
    status: VehicleStatus = VehicleStatus.IN_TRANSIT_TO


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A message for travellers. Texts by language, the empty string where none is given."""

    alert_id: str
    header: dict[str, str]
    description: dict[str, str]
    cause: str
    effect: str
    effect_detail: dict[str, str]
    agency_ids: tuple[str, ...]
    route_ids: tuple[str, ...]
    stop_ids: tuple[str, ...]
    trips: tuple[TripRef, ...]
    periods: tuple[tuple[datetime | None, datetime | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveMessage:
    """One message. `deleted_ids` are of entities that a differential feed takes away."""

    made_at: datetime | None
    is_differential: bool
    trip_updates: tuple[TripUpdate, ...]
    positions: tuple[VehiclePosition, ...]
    alerts: tuple[Alert, ...]
    deleted_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LiveReading:
    """What came of decoding: `message` is None if the bytes are none; the notices say why."""

    message: LiveMessage | None
    notices: Notices


def decode_message(content: bytes, *, source: str = "") -> LiveReading:
    """Decode a FeedMessage. Whatever the bytes are, nothing is raised."""
    notices = Notices()
    raw = gtfs_realtime_pb2.FeedMessage()
    try:
        raw.ParseFromString(content)
        fault = "" if raw.IsInitialized() else "it has no header"
    except (DecodeError, ValueError, RuntimeError) as error:
        fault = str(error)
    if fault:
        message = f"This is no GTFS-Realtime message ({fault}); look at what the address answers."
        notices.add("live_unreadable", Severity.ERROR, message, file=source)
        return LiveReading(None, notices)
    gone = [entity for entity in raw.entity if entity.is_deleted]
    here = [entity for entity in raw.entity if not entity.is_deleted]
    message_read = LiveMessage(
        made_at=_instant(raw.header.timestamp),
        is_differential=raw.header.incrementality == gtfs_realtime_pb2.FeedHeader.DIFFERENTIAL,
        trip_updates=tuple(_trip_updates(here, source, notices)),
        positions=tuple(_positions(here, source, notices)),
        alerts=tuple(_alert(_string(each.id), each.alert) for each in here if each.HasField("alert")),
        deleted_ids=tuple(_string(entity.id) for entity in gone),
    )
    return LiveReading(message_read, notices)


def _trip_updates(entities: list[Any], source: str, notices: Notices) -> Iterable[TripUpdate]:
    for entity in entities:
        if not entity.HasField("trip_update"):
            continue
        update = entity.trip_update
        trip = _trip(update.trip)
        if trip.trip_id is None and trip.route_id is None:
            message = f"Entity `{_string(entity.id)}` updates a trip without saying which; it was left out."
            notices.add("live_trip_unnamed", Severity.WARNING, message, file=source, field="trip_id")
            continue
        yield TripUpdate(
            trip=trip,
            vehicle_id=_text(update.vehicle, "id"),
            delay_s=update.delay if update.HasField("delay") else None,
            measured_at=_instant(update.timestamp),
            stops=tuple(_stop(each) for each in update.stop_time_update),
            new_trip=_new_trip(update.trip_properties) if update.HasField("trip_properties") else None,
        )


def _new_trip(properties: Any) -> NewTripRef:
    return NewTripRef(
        trip_id=_text(properties, "trip_id"),
        start_date=_date(_string(properties.start_date)),
        start_s=find_seconds(_string(properties.start_time)),
        headsign=_text(properties, "trip_headsign"),
        short_name=_text(properties, "trip_short_name"),
    )


def _stop(update: Any) -> StopUpdate:
    has = update.HasField
    arrival_delay_s, arrives_at = _event(update.arrival) if has("arrival") else _UNTOLD
    departure_delay_s, departs_at = _event(update.departure) if has("departure") else _UNTOLD
    return StopUpdate(
        stop_sequence=update.stop_sequence if has("stop_sequence") else None,
        stop_id=_text(update, "stop_id"),
        relation=_STOP_RELATIONS.get(update.schedule_relationship, StopRelation.UNKNOWN),
        arrival_delay_s=arrival_delay_s,
        arrives_at=arrives_at,
        departure_delay_s=departure_delay_s,
        departs_at=departs_at,
        assigned_stop_id=(
            _text(update.stop_time_properties, "assigned_stop_id") if has("stop_time_properties") else None
        ),
    )


def _event(event: Any) -> tuple[int | None, datetime | None]:
    return (event.delay if event.HasField("delay") else None), (_instant(event.time) if event.time else None)


def _positions(entities: list[Any], source: str, notices: Notices) -> Iterable[VehiclePosition]:
    for entity in entities:
        if not entity.HasField("vehicle"):
            continue
        vehicle = entity.vehicle
        lat, lon = vehicle.position.latitude, vehicle.position.longitude
        is_placed = vehicle.HasField("position") and _is_place(lat, lon)
        if (
            not is_placed
            and not vehicle.HasField("stop_id")
            and not vehicle.HasField("current_stop_sequence")
        ):
            message = (
                f"Entity `{_string(entity.id)}` has no place on earth and names no stop; it was left out."
            )
            notices.add("live_position_missing", Severity.WARNING, message, file=source, field="position")
            continue
        yield VehiclePosition(
            vehicle_id=_text(vehicle.vehicle, "id"),
            trip=_trip(vehicle.trip) if vehicle.HasField("trip") else None,
            lat=lat if is_placed else None,
            lon=lon if is_placed else None,
            bearing=vehicle.position.bearing if vehicle.position.HasField("bearing") else None,
            speed_m_s=vehicle.position.speed if vehicle.position.HasField("speed") else None,
            stop_id=_text(vehicle, "stop_id"),
            measured_at=_instant(vehicle.timestamp),
            stop_sequence=vehicle.current_stop_sequence
            if vehicle.HasField("current_stop_sequence")
            else None,
            status=VehicleStatus(_name(vehicle, "current_status", VehicleStatus)),
        )


def _is_place(lat: float, lon: float) -> bool:
    return abs(lat) <= _LAT_MAX and abs(lon) <= _LON_MAX and (lat, lon) != (0, 0)


def _alert(alert_id: str, alert: Any) -> Alert:
    informed = list(alert.informed_entity)
    return Alert(
        alert_id=alert_id,
        header=_texts(alert.header_text),
        description=_texts(alert.description_text),
        cause=gtfs_realtime_pb2.Alert.Cause.Name(alert.cause),
        effect=gtfs_realtime_pb2.Alert.Effect.Name(alert.effect),
        effect_detail=_texts(alert.effect_detail),
        agency_ids=_distinct(informed, "agency_id"),
        route_ids=_distinct(informed, "route_id"),
        stop_ids=_distinct(informed, "stop_id"),
        trips=tuple(_trip(each.trip) for each in informed if each.HasField("trip")),
        periods=tuple((_instant(each.start), _instant(each.end)) for each in alert.active_period),
    )


def _texts(translated: Any) -> dict[str, str]:
    return {_string(each.language): _string(each.text) for each in translated.translation}


def _distinct(entities: list[Any], field: str) -> tuple[str, ...]:
    found = (_text(entity, field) for entity in entities)
    return tuple(dict.fromkeys(text for text in found if text is not None))


def _trip(trip: Any) -> TripRef:
    return TripRef(
        trip_id=_text(trip, "trip_id"),
        route_id=_text(trip, "route_id"),
        direction_id=trip.direction_id if trip.HasField("direction_id") else None,
        start_date=_date(_string(trip.start_date)),
        start_s=find_seconds(_string(trip.start_time)),
        relation=TripRelation(_name(trip, "schedule_relationship", TripRelation)),
    )


def _name(message: Any, field: str, known: type[StrEnum]) -> str:
    """The name of an enum's value; UNKNOWN for one that we do not know."""
    names = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    value = names.get(getattr(message, field))
    return value.name if value is not None and value.name in known.__members__ else "UNKNOWN"


def _text(message: Any, field: str) -> str | None:
    return _string(getattr(message, field)) or None


def _string(value: str | bytes) -> str:
    """A text of a message: what is no UTF-8 comes as bytes, and is then no id of anything."""
    return value if isinstance(value, str) else value.decode(errors="replace")


def _date(text: str) -> date | None:
    if len(text) != _DATE_CHARS or not text.isascii() or not text.isdecimal():
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def _instant(epoch_s: int) -> datetime | None:
    """Zero and what is beyond the year 2100 mean that nothing was said."""
    return datetime.fromtimestamp(epoch_s, UTC) if 0 < epoch_s < _EPOCH_S_MAX else None
