"""Ships, island buses and on-demand vans as rows of trips and stop times.

Problem   A ship's day is irregular and longer than a day; a van has no stop times at all.
Idea      Ships and buses are written call by call in timetable.csv; a van's trip is its zone twice with the
          window in which it runs (GTFS-Flex).
Not here  Trains (trains.py); on which days a rule holds (calendars.py).
"""

import json

from services.demo.city.tables import FOLDER, list_agencies, list_sites, list_timetable

VAN_ROUTE_ID = "Hachijo.Demand"
VAN_BOOKING_RULE_ID = "hachijo_same_day"
VAN_OPENS, VAN_CLOSES = "08:00:00", "18:00:00"
_BY_PHONE_OR_APP = 2

Row = tuple[object, ...]


def clock_text(minutes: int) -> str:
    """H:MM:SS after the start of the service day, past 24:00:00 where it must be."""
    return f"{minutes // 60:02}:{minutes % 60:02}:00"


def list_trip_rows() -> list[Row]:
    """Rows of trips.txt: route, service, trip, headsign, short name, direction."""
    return [
        (trip.route_id, trip.runs, trip.trip_id, trip.headsign, trip.short_name, trip.direction)
        for trip in list_timetable()
    ]


def list_stop_time_rows() -> list[Row]:
    """Rows of stop_times.txt up to the flex columns: trip, times, stop, sequence, pickup, drop-off."""
    sites = list_sites()
    return [
        (
            trip.trip_id,
            clock_text(call.arrives_min),
            clock_text(call.departs_min),
            sites[call.site].stop_id,
            sequence,
            1 if sequence == len(trip.calls) else 0,
            1 if sequence == 1 else 0,
        )
        for trip in list_timetable()
        for sequence, call in enumerate(trip.calls, start=1)
    ]


def list_van_zones() -> dict[str, str]:
    """Zone ids with their names."""
    zones = json.loads((FOLDER / "zones.json").read_text(encoding="utf-8"))
    return {zone["id"]: zone["properties"]["stop_name"] for zone in zones["features"]}


def list_van_trip_rows() -> list[Row]:
    """One trip a zone, every day."""
    return [
        (VAN_ROUTE_ID, "daily", f"{VAN_ROUTE_ID}.{zone_id}", name, "", 0)
        for zone_id, name in list_van_zones().items()
    ]


def list_van_stop_time_rows() -> list[Row]:
    """From anywhere to anywhere in the zone: trip, zone, sequence, window, kinds of stop, booking rules."""
    return [
        (
            f"{VAN_ROUTE_ID}.{zone_id}",
            zone_id,
            sequence,
            VAN_OPENS,
            VAN_CLOSES,
            _BY_PHONE_OR_APP,
            _BY_PHONE_OR_APP,
            VAN_BOOKING_RULE_ID,
            VAN_BOOKING_RULE_ID,
        )
        for zone_id in list_van_zones()
        for sequence in (1, 2)
    ]


def list_booking_rule_rows() -> list[Row]:
    """Same day, half an hour ahead, by telephone or by this platform."""
    phone = next(agency.phone for agency in list_agencies() if agency.agency_id == "HachijoDemand")
    message = "電話またはアプリで30分前までにご予約ください。"
    return [(VAN_BOOKING_RULE_ID, 1, 30, message, phone)]
