"""Live messages: what the bindings encode comes out as records; whatever else comes in raises nothing."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from google.transit import gtfs_realtime_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

from gtfs.reader import read_feed
from gtfs.realtime import StopRelation, TripRelation, decode_message

NOW_S = 1_780_000_000


def message() -> pb.FeedMessage:
    made = pb.FeedMessage()
    made.header.gtfs_realtime_version = "2.0"
    made.header.timestamp = NOW_S
    return made


def test_a_trip_update_says_delays_skips_and_cancellations() -> None:
    made = message()
    late = made.entity.add(id="1").trip_update
    late.trip.trip_id = "t1"
    late.trip.start_date = "20260520"
    late.trip.start_time = "25:10:00"
    late.delay = 120
    late.stop_time_update.add(stop_sequence=3).arrival.delay = -30
    late.stop_time_update.add(stop_id="S", schedule_relationship=pb.TripUpdate.StopTimeUpdate.SKIPPED)
    late.stop_time_update.add(stop_id="T").departure.time = NOW_S + 60
    gone = made.entity.add(id="2").trip_update
    gone.trip.trip_id = "t2"
    gone.trip.schedule_relationship = pb.TripDescriptor.CANCELED
    made.entity.add(id="3").trip_update.trip.direction_id = 1
    made.entity.add(id="4", is_deleted=True)
    reading = decode_message(made.SerializeToString())
    assert reading.message is not None
    first, second = reading.message.trip_updates
    assert (first.trip.start_date, first.trip.start_s, first.delay_s) == (date(2026, 5, 20), 90_600, 120)
    assert [stop.arrival_delay_s for stop in first.stops] == [-30, None, None]
    assert [stop.relation for stop in first.stops] == [
        StopRelation.SCHEDULED,
        StopRelation.SKIPPED,
        StopRelation.SCHEDULED,
    ]
    assert first.stops[2].departs_at == datetime.fromtimestamp(NOW_S + 60, UTC)
    assert second.trip.relation is TripRelation.CANCELED
    assert reading.message.deleted_ids == ("4",)
    assert reading.notices.count("live_trip_unnamed") == 1


def test_positions_need_a_place_and_alerts_keep_their_languages() -> None:
    made = message()
    here = made.entity.add(id="1").vehicle
    here.position.latitude, here.position.longitude = 35.5, 139.5
    here.vehicle.id = "v"
    nowhere = made.entity.add(id="2").vehicle
    nowhere.position.latitude, nowhere.position.longitude = 0, 0
    alert = made.entity.add(id="a").alert
    alert.cause, alert.effect = pb.Alert.WEATHER, pb.Alert.NO_SERVICE
    alert.header_text.translation.add(text="欠航", language="ja")
    alert.header_text.translation.add(text="Cancelled", language="en")
    alert.informed_entity.add(route_id="R")
    alert.informed_entity.add(route_id="R", stop_id="S").trip.trip_id = "t"
    alert.active_period.add(start=NOW_S)
    reading = decode_message(made.SerializeToString())
    assert reading.message is not None
    assert [(place.vehicle_id, place.lat, place.trip) for place in reading.message.positions] == [
        ("v", 35.5, None)
    ]
    assert reading.notices.count("live_position_missing") == 1
    (told,) = reading.message.alerts
    assert (told.cause, told.effect) == ("WEATHER", "NO_SERVICE")
    assert told.header == {"ja": "欠航", "en": "Cancelled"}
    assert (told.route_ids, told.stop_ids, told.trips[0].trip_id) == (("R",), ("S",), "t")
    assert told.periods == ((datetime.fromtimestamp(NOW_S, UTC), None),)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x00" * 20])
def test_what_is_no_message_gives_an_error(content: bytes) -> None:
    reading = decode_message(content)
    assert reading.message is None
    assert reading.notices.count("live_unreadable") == 1


@given(content=st.data())
def test_damaged_messages_never_raise(content: st.DataObject) -> None:
    made = message()
    update = made.entity.add(id="1").trip_update
    update.trip.trip_id = "t1"
    update.trip.start_date = "20260520"
    update.stop_time_update.add(stop_sequence=3).arrival.time = NOW_S
    damaged = bytearray(made.SerializeToString())
    for _ in range(content.draw(st.integers(1, 3))):
        damaged[content.draw(st.integers(0, len(damaged) - 1))] = content.draw(st.integers(0, 255))
    reading = decode_message(bytes(damaged))
    assert reading.message is not None or reading.notices.has_errors


def test_texts_that_are_no_utf_8_are_texts_all_the_same() -> None:
    """Found by fuzzing: the decoder hands such texts on as bytes."""
    made = message()
    made.entity.add(id="zz", is_deleted=True)
    update = made.entity.add(id="zz").trip_update
    for trip in (update.trip, made.entity.add(id="zz").alert.informed_entity.add(stop_id="zz").trip):
        trip.trip_id = trip.route_id = trip.start_date = trip.start_time = "zz"
    update.vehicle.id = "zz"
    named = update.trip_properties
    named.trip_id = named.start_date = named.start_time = named.trip_headsign = named.trip_short_name = "zz"
    update.stop_time_update.add(stop_id="zz").stop_time_properties.assigned_stop_id = "zz"
    made.entity[-1].alert.header_text.translation.add(text="zz", language="zz")
    vehicle = made.entity.add(id="zz").vehicle
    vehicle.vehicle.id = vehicle.stop_id = "zz"
    vehicle.position.latitude = vehicle.position.longitude = 35
    read = decode_message(made.SerializeToString().replace(b"zz", b"\xff\xfe")).message
    assert read is not None
    (told,), (alert,), (place,) = read.trip_updates, read.alerts, read.positions
    texts = [
        *read.deleted_ids, alert.alert_id, *alert.header, *alert.header.values(), *alert.stop_ids,
        told.trip.trip_id, told.trip.route_id, told.vehicle_id, told.stops[0].stop_id,
        told.stops[0].assigned_stop_id, place.vehicle_id, place.stop_id,
    ]  # fmt: skip
    assert {type(text) for text in texts} == {str}
    assert told.new_trip is not None
    assert (told.trip.start_date, told.trip.start_s, told.new_trip.start_s) == (None, None, None)


@pytest.mark.real
def test_caltrains_messages_match_its_feed(real_data: Path) -> None:
    folder = real_data / "realtime"
    feed = read_feed(folder / "caltrain.zip").feed
    assert feed is not None
    updates = decode_message((folder / "caltrain-trip-updates.pb").read_bytes()).message
    positions = decode_message((folder / "caltrain-vehicle-positions.pb").read_bytes()).message
    assert updates is not None
    assert positions is not None
    # The counts and the full match are stated beside the files.
    assert (len(updates.trip_updates), len(positions.positions)) == (19, 14)
    trip_ids = {update.trip.trip_id for update in updates.trip_updates}
    assert trip_ids <= set(feed["trips"]["trip_id"])
    stop_ids = {stop.stop_id for update in updates.trip_updates for stop in update.stops}
    assert stop_ids <= set(feed["stops"]["stop_id"])
