"""Live messages: from an operator's PUT into every answer, and nothing that harms the planner."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.transit import gtfs_realtime_pb2 as pb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gtfs.literal import literal_feed
from gtfs.reader import read_feed
from gtfs.realtime import decode_message
from maas.errors import JourneyNotFound
from maas.journeys import Journey, PlanRequest
from routing.assembly import BuildOptions
from routing.build import compile_timetable
from routing.journey import service_day_start
from routing.live.changes import planned_calls
from routing.live.overlay import lay_over
from routing.raptor import Query, Router, list_access, list_egress
from routing.strings import get_string
from routing.timetable import Timetable
from services.planner.live.matching import Matched, match
from services.planner.live.store import LiveNews, LiveSource
from services.planner.network import Network
from services.planner.sailings import SailingNews
from services.platform.auth import Role
from tests.services.planner.conftest import EVENING, PlanningHouse

SHIP = "Sarubia.A"
TONIGHT = date(2026, 5, 20)
MINUTE = 60


def message(at: datetime = EVENING) -> Any:
    made = pb.FeedMessage()
    made.header.gtfs_realtime_version = "2.0"
    made.header.timestamp = int(at.timestamp())
    return made


def update(made: Any, trip_id: str = SHIP, relation: str = "SCHEDULED", on: date = TONIGHT) -> Any:
    told = made.entity.add(id=str(len(made.entity))).trip_update
    told.trip.trip_id = trip_id
    told.trip.start_date = f"{on:%Y%m%d}"
    told.trip.schedule_relationship = relation
    return told


async def put(planning: PlanningHouse, made: Any, source: str = "trips", feed_id: str = "demo") -> Any:
    raw = made if isinstance(made, bytes) else made.SerializeToString()
    status, body = await planning.house.call("PUT", f"/api/live/{feed_id}/{source}", raw=raw, role=Role.ADMIN)
    return status, body


async def sail(planning: PlanningHouse) -> list[Any]:
    """Rides to 岡田 tonight, as itineraries of the MOTIS API."""
    path = "/api/v6/plan?fromPlace=竹芝&toPlace=大島 岡田&time=2026-05-20T11:00:00Z"
    status, body = await planning.house.call("GET", path)
    assert status == 200, body
    return list(body["itineraries"])


def ship_legs(itineraries: list[Any], on: date = TONIGHT) -> list[Any]:
    return [
        leg
        for each in itineraries
        for leg in each["legs"]
        if leg.get("feedTripId") == f"demo:{SHIP}" and leg["serviceDate"] == on.isoformat()
    ]


def planned(network: Network) -> list[tuple[str, datetime, datetime]]:
    """The ship's calls tonight, by stop id."""
    timetable = network.planned.timetable
    trip = timetable.find_trip(f"demo:{SHIP}")
    assert trip is not None
    day = timetable.get_day(TONIGHT)
    calls = planned_calls(timetable, trip, day)
    assert calls is not None
    start = service_day_start(timetable, day)
    return [
        (
            get_string(timetable.stop_ids, stop).removeprefix("demo:"),
            start + timedelta(seconds=arrives_s),
            start + timedelta(seconds=departs_s),
        )
        for stop, arrives_s, departs_s in zip(
            calls.stops.tolist(), calls.arrivals_s.tolist(), calls.departures_s.tolist(), strict=True
        )
    ]


async def test_a_late_ship_is_late_in_every_answer(planning: PlanningHouse) -> None:
    [before, *_] = ship_legs(await sail(planning))
    assert (before["realTime"], before["scheduled"]) == (False, True)
    made = message()
    update(made).delay = 25 * MINUTE
    status, receipt = await put(planning, made)
    assert (status, receipt["is_kept"], receipt["trip_updates"]) == (200, True, 1)
    itineraries = await sail(planning)
    [now, *_] = ship_legs(itineraries)
    late = timedelta(minutes=25)
    assert now["realTime"] is True
    for end, scheduled in (("startTime", "scheduledStartTime"), ("endTime", "scheduledEndTime")):
        assert datetime.fromisoformat(now[end]) - datetime.fromisoformat(now[scheduled]) == late
        assert now[scheduled] == before[scheduled]
    assert now["from"]["scheduledDeparture"] == before["from"]["departure"]
    assert itineraries[0]["networkVersion"] == "city-1~1"
    # Who takes ships only finds the same ship, as late.
    path = "/api/v6/plan?fromPlace=竹芝&toPlace=大島 岡田&time=2026-05-20T11:00:00Z&transitModes=FERRY"
    _, by_ship = await planning.house.call("GET", path)
    assert now["startTime"] in {leg["startTime"] for leg in ship_legs(by_ship["itineraries"])}
    # The trip is the same trip, later.
    status, trip = await planning.house.call("GET", f"/api/v6/trip?tripId={now['tripId']}")
    assert status == 200
    assert trip["legs"][0]["scheduledStartTime"] == before["scheduledStartTime"]
    assert datetime.fromisoformat(trip["startTime"]) == datetime.fromisoformat(before["startTime"]) + late
    path = f"/api/v6/stoptimes?stopId={before['from']['stopId']}&time=2026-05-20T11:00:00Z&n=5"
    _, board = await planning.house.call("GET", path)
    [call] = [
        each
        for each in board["stopTimes"]
        if each["feedTripId"] == f"demo:{SHIP}" and each["serviceDate"] == TONIGHT.isoformat()
    ]
    assert (call["realTime"], call["place"]["scheduledDeparture"]) == (True, before["from"]["departure"])
    assert datetime.fromisoformat(call["place"]["departure"]) == datetime.fromisoformat(now["startTime"])
    # What was said ten minutes ago is not known to hold any more.
    network = planning.planner.in_force.get()
    assert await planning.planner.in_force.live.read(EVENING + timedelta(minutes=11)) == LiveNews(version=1)
    back = network.with_news(SailingNews(), LiveNews(version=1), EVENING)
    assert (back.router.timetable is network.planned.timetable, back.snapshot_version) == (True, "city-1")


async def test_a_port_left_out_is_no_goal_and_an_old_offer_to_it_is_refused(planning: PlanningHouse) -> None:
    """抜港: the ship passes 岡田 by."""
    [journey, *_] = [each for each in await journeys(planning) if goes_by_ship(each)]
    made = message()
    calls = planned(planning.planner.in_force.get())
    skipped = update(made).stop_time_update.add(
        stop_id=calls[-1][0] if len(calls) == 2 else ship_goal(journey)
    )
    skipped.schedule_relationship = pb.TripUpdate.StopTimeUpdate.SKIPPED
    assert (await put(planning, made))[0] == 200
    assert ship_legs(await sail(planning)) == []
    with pytest.raises(JourneyNotFound, match="leaves out"):
        await planning.planner.get_journey(journey_id=journey.journey_id)


async def journeys(planning: PlanningHouse) -> list[Journey]:
    request = PlanRequest(origin="竹芝", destination="大島 岡田", at=EVENING)
    return list((await planning.planner.plan(request=request)).journeys)


def goes_by_ship(journey: Journey) -> bool:
    return any(leg.trip_id == f"demo:{SHIP}" and leg.service_date == TONIGHT for leg in journey.legs)


def ship_goal(journey: Journey) -> str:
    [leg] = [leg for leg in journey.legs if leg.trip_id == f"demo:{SHIP}"]
    assert leg.destination.stop_id is not None
    return leg.destination.stop_id.removeprefix("demo:")


async def test_a_cancelled_ship_and_one_that_may_not_land(planning: PlanningHouse) -> None:
    alert = message()
    told = alert.entity.add(id="1").alert
    trip = told.informed_entity.add().trip
    trip.trip_id, trip.start_date = SHIP, f"{TONIGHT:%Y%m%d}"
    told.effect = pb.Alert.MODIFIED_SERVICE
    told.cause = pb.Alert.WEATHER
    told.header_text.translation.add(language="ja", text="条件付運航")
    told.description_text.translation.add(language="ja", text="波浪のため着岸できないことがあります")
    assert (await put(planning, alert, "alerts"))[0] == 200
    [leg, *_] = ship_legs(await sail(planning))
    assert (leg["status"], leg["statusReason"]) == ("conditional", "波浪のため着岸できないことがあります")
    assert [each["headerText"] for each in leg["alerts"]] == ["条件付運航"]
    for asked, headers in (("true", ["条件付運航"]), ("false", [])):
        path = (
            f"/api/v6/stoptimes?stopId={leg['from']['stopId']}&time=2026-05-20T11:00:00Z&withAlerts={asked}"
        )
        _, board = await planning.house.call("GET", path)
        told = [each for call in board["stopTimes"] for each in call["place"].get("alerts", [])]
        assert [each["headerText"] for each in told] == headers
    made = message()
    update(made, relation="CANCELED")
    assert (await put(planning, made))[0] == 200
    assert ship_legs(await sail(planning)) == []
    _, state = await planning.house.call("GET", "/api/live", role=Role.ADMIN)
    assert [each["source"] for each in state["sources"]] == ["alerts", "trips"]
    assert (state["trip_updates"], state["matched"], state["findings"]) == (1, 1, [])


async def test_an_extra_ship_is_found_under_its_own_name(planning: PlanningHouse) -> None:
    network = planning.planner.in_force.get()
    calls = planned(network)
    route_id = next(leg["routeId"] for leg in ship_legs(await sail(planning))).removeprefix("demo:")
    made = message()
    told = update(made, "extra-1", "NEW")
    told.trip.route_id = route_id
    for stop_id, arrives, departs in calls:
        call = told.stop_time_update.add(stop_id=stop_id)
        call.arrival.time = int((arrives - timedelta(minutes=30)).timestamp())
        call.departure.time = int((departs - timedelta(minutes=30)).timestamp())
    assert (await put(planning, made))[0] == 200
    found = [
        leg
        for each in await sail(planning)
        for leg in each["legs"]
        if leg.get("feedTripId") == "demo:extra-1"
    ]
    assert found
    assert (found[0]["scheduled"], found[0]["realTime"]) == (False, True)


async def test_a_second_ship_like_the_first_and_one_named_by_its_start(planning: PlanningHouse) -> None:
    """DUPLICATED half an hour earlier, 25 minutes late; and the first named by route, day and start only."""
    [before, *_] = ship_legs(await sail(planning))
    network = planning.planner.in_force.get()
    _, _, departs = planned(network)[0]
    made = message()
    told = update(made, relation="DUPLICATED")
    told.trip_properties.trip_id = "twin"
    told.trip_properties.start_time = f"{departs - timedelta(minutes=30):%H:%M:%S}"
    told.delay = 25 * MINUTE
    bare = update(made, "")
    bare.trip.route_id = before["routeId"].removeprefix("demo:")
    bare.trip.start_time = f"{departs:%H:%M:%S}"
    bare.delay = 10 * MINUTE
    assert (await put(planning, made))[0] == 200
    _, state = await planning.house.call("GET", "/api/live", role=Role.ADMIN)
    assert (state["matched"], state["findings"]) == (2, [])
    found = {
        leg["feedTripId"]: datetime.fromisoformat(leg["startTime"])
        for each in await sail(planning)
        for leg in each["legs"]
        if leg["mode"] == before["mode"] and leg["serviceDate"] == TONIGHT.isoformat()
    }
    first = datetime.fromisoformat(before["startTime"])
    assert found["demo:twin"] == first - timedelta(minutes=5)
    path = f"/api/v6/trip?tripId={before['tripId']}"
    _, trip = await planning.house.call("GET", path)
    assert datetime.fromisoformat(trip["legs"][0]["startTime"]) == first + timedelta(minutes=10)


def test_a_call_is_known_by_its_number_where_no_stop_is_told_or_the_stop_comes_twice() -> None:
    """A loop that passes its first stop again: by the stop alone, the first call would be late."""
    feed = literal_feed("""
        route R
        stops A     B     A     C
        loop  08:00 08:10 08:20 08:30
    """)
    timetable, _ = compile_timetable([feed], version="v", options=BuildOptions())
    trip, day = timetable.find_trip("lit:loop"), timetable.get_day(TONIGHT)
    assert trip is not None
    sequences = feed["stop_times"]["stop_sequence"].to_list()
    for stop_id in ("A", None):
        made = message(datetime(2026, 5, 19, 23, tzinfo=UTC))
        told = update(made, "loop").stop_time_update.add(stop_sequence=sequences[2])
        told.departure.delay = 5 * MINUTE
        if stop_id is not None:
            told.stop_id = stop_id
        (change,) = match_literal(timetable, made).changes
        assert (change.trip, change.day) == (trip, day)
        planned = planned_calls(timetable, trip, day)
        assert planned is not None
        assert (change.calls.departures_s - planned.departures_s).tolist() == [0, 0, 300, 300]
    made = message()
    update(made, "loop").stop_time_update.add(stop_sequence=99).departure.delay = 60
    matched = match_literal(timetable, made)
    assert matched.changes == []
    assert ["Send one of them" in str(notice) for notice in matched.notices] == [True]


def match_literal(timetable: Timetable, made: Any) -> Matched:
    read = decode_message(made.SerializeToString()).message
    assert read is not None
    into = Matched()
    match(timetable, "lit", read, now=EVENING, into=into)
    return into


async def test_what_cannot_be_matched_is_told_and_the_rest_holds(planning: PlanningHouse) -> None:
    made = message()
    update(made, "nobody")
    update(made).delay = 600
    strange = update(made, on=TONIGHT + timedelta(days=1))
    strange.stop_time_update.add(stop_id="nowhere").departure.delay = 60
    assert (await put(planning, made))[0] == 200
    _, state = await planning.house.call("GET", "/api/live", role=Role.ADMIN)
    assert (state["trip_updates"], state["matched"]) == (3, 1)
    assert {each["code"] for each in state["findings"]} == {"live_trip_unknown", "live_stop_unknown"}
    assert ship_legs(await sail(planning))[0]["realTime"] is True


async def test_an_older_message_does_not_undo_a_newer_one(planning: PlanningHouse) -> None:
    newer, older = message(EVENING), message(EVENING - timedelta(minutes=1))
    update(newer).delay = 600
    assert (await put(planning, newer))[1]["is_kept"] is True
    assert (await put(planning, older))[1]["is_kept"] is False
    assert ship_legs(await sail(planning))[0]["realTime"] is True


@pytest.mark.parametrize(
    ("change", "cure"),
    [
        ({"content": b"\x00\xff garbage"}, "no GTFS-Realtime message"),
        ({"at": EVENING - timedelta(hours=1)}, "Correct the clock"),
        ({"differential": True}, "FULL_DATASET"),
    ],
)
async def test_what_is_no_message_is_refused_with_the_cure(
    planning: PlanningHouse, change: dict[str, Any], cure: str
) -> None:
    made = message(change.get("at", EVENING))
    if change.get("differential"):
        made.header.incrementality = pb.FeedHeader.DIFFERENTIAL
    status, body = await put(planning, change.get("content", made))
    assert status == 422
    assert cure in body["detail"]
    assert (await planning.house.call("PUT", "/api/live/demo/trips", raw=b""))[0] == 403


# -- Nothing harms the planner


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_fuzzed_messages_leave_a_whole_network(city: Network, data: st.DataObject) -> None:
    timetable = city.planned.timetable
    trips = st.sampled_from([SHIP, "nobody", ""])
    made = message()
    for _ in range(data.draw(st.integers(1, 5))):
        told = update(
            made,
            data.draw(trips),
            data.draw(st.sampled_from(sorted(pb.TripDescriptor.ScheduleRelationship.keys()))),
        )
        told.trip.start_date = data.draw(
            st.sampled_from(["20260520", "20260521", "00010101", "99991231", ""])
        )
        if data.draw(st.booleans()):
            told.trip_properties.trip_id = data.draw(st.sampled_from(["new", SHIP, ""]))
            told.trip_properties.start_time = data.draw(st.sampled_from(["22:00:00", "99999:00:00", "x"]))
            told.trip_properties.start_date = data.draw(st.sampled_from(["20260520", "99991231", ""]))
        told.trip.route_id = data.draw(st.sampled_from(["", "R", "Tokaikisen.Ferry"]))
        told.delay = data.draw(st.integers(-(2**31), 2**31 - 1))
        for stop_id, _, _ in data.draw(st.permutations(planned(city))):
            call = told.stop_time_update.add(stop_id=stop_id)
            if data.draw(st.booleans()):
                call.arrival.delay = data.draw(st.integers(-(2**31), 2**31 - 1))
            if data.draw(st.booleans()):
                call.departure.time = data.draw(st.integers(0, 2**40))
            call.schedule_relationship = data.draw(st.sampled_from([0, 1, 2, 3]))
    content = bytearray(made.SerializeToString())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    read = decode_message(bytes(content)).message
    if read is None:
        return
    source = LiveSource(feed_id="demo", source="trips", received_at=EVENING, message=read)
    live = city.with_news(SailingNews(), LiveNews(version=1, sources=(source,)), EVENING)
    assert live.live.overlay is not None, "nothing was raised"
    live.router.timetable.check()
    stops = range(0, timetable.stop_count, max(1, timetable.stop_count // 4))
    for stop in stops:
        query = Query(
            at=EVENING,
            access=list_access(live.router.timetable, [stop]),
            egress=list_egress(live.router.timetable, [0]),
        )
        live.router.find_journeys(query)


@pytest.mark.real
def test_every_update_of_caltrain_is_matched_and_in_force(real_data: Path) -> None:
    folder = real_data / "realtime"
    feed = read_feed(folder / "caltrain.zip").feed
    assert feed is not None
    timetable, _ = compile_timetable([feed], version="caltrain", options=BuildOptions())
    read = decode_message((folder / "caltrain-trip-updates.pb").read_bytes()).message
    assert read is not None
    assert read.made_at is not None
    matched = Matched()
    match(timetable, feed.feed_id, read, now=read.made_at, into=matched)
    assert (matched.update_count, matched.matched_count, list(matched.notices)) == (19, 19, [])
    # Without dates and with the station's name in the platform's stead they are found too.
    undated = Matched()
    bare = replace(
        read,
        trip_updates=tuple(
            replace(each, trip=replace(each.trip, start_date=None)) for each in read.trip_updates
        ),
    )
    match(timetable, feed.feed_id, bare, now=read.made_at, into=undated)
    assert undated.confirmed == matched.confirmed
    overlay = lay_over(timetable, matched.changes)
    overlay.timetable.check()
    router = Router(timetable).lay_over(overlay, ())
    told = 0
    for each in read.trip_updates:
        trip = timetable.find_trip(f"{feed.feed_id}:{each.trip.trip_id}")
        assert trip is not None
        assert each.trip.start_date is not None
        day = timetable.get_day(each.trip.start_date)
        calls = planned_calls(router.timetable, trip, day)
        assert calls is not None
        start_s = service_day_start(timetable, day).timestamp()
        by_stop = dict(
            zip(calls.stops.tolist(), zip(calls.arrivals_s, calls.departures_s, strict=True), strict=True)
        )
        for stop in each.stops:
            arrives_s, departs_s = by_stop[timetable.find_stop(f"{feed.feed_id}:{stop.stop_id}") or 0]
            for said, is_s in ((stop.arrives_at, arrives_s), (stop.departs_at, departs_s)):
                if said is not None:
                    assert datetime.fromtimestamp(start_s + int(is_s), UTC) >= said, "never before it is said"
                    told += int(datetime.fromtimestamp(start_s + int(is_s), UTC) == said)
    assert told >= 400, "all but a few, which another call of the same train holds up"
