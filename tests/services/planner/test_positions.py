"""Delays from vehicle positions: what each place shows, and that no position harms the network."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gtfs.reader import read_feed
from gtfs.realtime import LiveMessage, decode_message
from routing.assembly import BuildOptions
from routing.build import compile_timetable
from routing.live.changes import Calls, planned_calls
from routing.live.overlay import lay_over
from services.planner.live.matching import Matched, match
from services.planner.live.positions import EARLY_S_MAX, match_positions, shift_calls
from services.planner.live.store import LiveNews, LiveSource
from services.planner.network import Network
from services.planner.sailings import SailingNews
from tests.services.planner.conftest import EVENING, PlanningHouse
from tests.services.planner.test_live import SHIP, TONIGHT, message, planned, put, update

# Leaves A 100, is at B 200-220, at C 300.
PLAN = Calls(
    stops=np.array([0, 1, 2], dtype=np.int32),
    flags=np.full(3, 3, dtype=np.uint8),
    arrivals_s=np.array([90, 200, 300], dtype=np.int32),
    departures_s=np.array([100, 220, 300], dtype=np.int32),
)


@pytest.mark.parametrize(
    ("call", "share", "at_s", "arrivals", "departures"),
    [
        (1, 1.0, 210, [90, 200, 300], [100, 220, 300]),  # at B in time
        (1, 1.0, 250, [90, 200, 330], [100, 250, 330]),  # still at B 30 s after its departure
        (1, 1.0, 150, [90, 150, 300], [100, 220, 300]),  # at B early: it came, and will wait
        (1, -1.0, 150, [90, 200, 300], [100, 220, 300]),  # somewhere before B, when it should be
        (1, -1.0, 240, [90, 240, 340], [100, 260, 340]),  # still before B 40 s after its arrival
        (1, -1.0, 80, [80, 200, 300], [80, 220, 300]),  # left A 20 s early
        (1, 0.5, 170, [90, 220, 320], [100, 240, 320]),  # half way at 150 by the plan
        (0, 1.0, 40, [90, 200, 300], [100, 220, 300]),  # waits to set out
        (0, 1.0, 130, [90, 230, 330], [130, 250, 330]),  # has not set out
    ],
)
def test_what_a_place_shows(
    call: int, share: float, at_s: int, arrivals: list[int], departures: list[int]
) -> None:
    calls = shift_calls(PLAN, call, share, at_s)
    assert calls is not None
    assert (calls.arrivals_s.tolist(), calls.departures_s.tolist()) == (arrivals, departures)


def test_what_says_nothing() -> None:
    assert shift_calls(PLAN, 2, 1.0, 5_000) is None, "at its end it may stand for hours"
    assert shift_calls(PLAN, 1, 1.0, 200 - EARLY_S_MAX - 1) is None, "that is another trip"
    assert shift_calls(PLAN, 1, 1.0, 100_000) is None


@given(st.integers(0, 2), st.sampled_from([-1.0, 0.0, 0.3, 1.0]), st.integers(-4_000, 30_000))
def test_nothing_to_come_is_early(call: int, share: float, at_s: int) -> None:
    calls = shift_calls(PLAN, call, share, at_s)
    if calls is not None:
        to_come = slice(call + (share >= 1), None)
        assert (calls.arrivals_s[to_come] >= PLAN.arrivals_s[to_come]).all()
        assert (calls.departures_s[call:] >= PLAN.departures_s[call:]).all()
        assert (
            np.minimum(calls.departures_s, PLAN.departures_s) >= np.minimum(PLAN.departures_s, at_s)
        ).all()


def _see(made: Any, at: datetime) -> Any:
    seen = made.entity.add(id=f"v{len(made.entity)}").vehicle
    seen.trip.trip_id, seen.trip.start_date = SHIP, "20260520"
    seen.position.latitude, seen.position.longitude = 35.65, 139.76
    seen.timestamp = int(at.timestamp())
    return seen


def _take_up(city: Network, content: bytes) -> Network:
    read = decode_message(content).message
    assert read is not None
    return _with(city, read)


def _with(city: Network, read: LiveMessage) -> Network:
    source = LiveSource(feed_id="demo", source="places", received_at=EVENING, message=read)
    return city.with_news(SailingNews(), LiveNews(version=1, sources=(source,)), EVENING)


def _is_changed(network: Network) -> bool:
    assert network.live.overlay is not None, "nothing was raised"
    return bool(network.live.overlay.changed)


@pytest.mark.parametrize(("age_min", "has_update", "late_min"), [(1, 0, 9), (6, 0, 0), (-2, 0, 0), (1, 1, 0)])
def test_old_positions_say_nothing_and_trip_updates_win(
    city: Network, age_min: int, has_update: int, late_min: int
) -> None:
    stop_id, arrives, _ = planned(city)[1]
    now = arrives + timedelta(minutes=10)
    made = message(now)
    seen = _see(made, now - timedelta(minutes=age_min))
    seen.stop_id, seen.current_status = stop_id, 2
    if has_update:
        update(made).delay = 0
    read = decode_message(made.SerializeToString()).message
    assert read is not None
    timetable, matched = city.planned.timetable, Matched()
    match(timetable, "demo", read, now=now, into=matched)
    match_positions(timetable, "demo", read, now=now, into=matched)
    trip = timetable.find_trip(f"demo:{SHIP}")
    assert trip is not None
    plan = planned_calls(timetable, trip, timetable.get_day(TONIGHT))
    assert plan is not None
    late_s = [int(change.calls.arrivals_s[1] - plan.arrivals_s[1]) for change in matched.changes]
    assert late_s == ([late_min * 60] if late_min else [])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_fuzzed_positions_leave_a_whole_network(city: Network, data: st.DataObject) -> None:
    made = message()
    for _ in range(data.draw(st.integers(1, 4))):
        seen = _see(made, EVENING + timedelta(seconds=data.draw(st.integers(-600, 600))))
        seen.trip.trip_id = data.draw(st.sampled_from([SHIP, "nobody", ""]))
        seen.trip.start_date = data.draw(st.sampled_from(["20260519", "20260520", "99991231", ""]))
        seen.position.latitude = data.draw(st.floats(-91, 91, width=32))
        seen.position.longitude = data.draw(st.floats(-181, 181, width=32) | st.just(float("nan")))
        if data.draw(st.booleans()):
            seen.stop_id = data.draw(st.sampled_from([planned(city)[0][0], planned(city)[-1][0], "none"]))
        if data.draw(st.booleans()):
            seen.current_stop_sequence = data.draw(st.integers(0, 2**32 - 1))
        seen.current_status = data.draw(st.sampled_from([0, 1, 2]))
    network = _take_up(city, made.SerializeToString())
    _is_changed(network)
    network.router.timetable.check()


async def test_a_place_counts_for_five_minutes_and_needs_no_coordinates(planning: PlanningHouse) -> None:
    """Nobody sends anything more: what the message says of the vehicle ends all the same."""
    city = planning.planner.in_force.get()
    stop_id, arrives, _ = planned(city)[1]
    now = arrives + timedelta(minutes=10)
    planning.clock.set(now)
    made = message(now)
    seen = made.entity.add(id="v").vehicle
    seen.trip.trip_id, seen.trip.start_date = SHIP, "20260520"
    seen.stop_id, seen.current_status, seen.timestamp = stop_id, 2, int(now.timestamp())
    await put(planning, made)
    late = planning.planner.in_force.get()
    assert _is_changed(late)
    assert late.live.old_at == now + timedelta(minutes=5)
    planning.clock.set(now + timedelta(minutes=5, seconds=1))
    await planning.planner.in_force.refresh_news()
    after = planning.planner.in_force.get()
    assert after.live.news.sources, "the message itself is still fresh"
    assert not _is_changed(after)


@pytest.mark.real
def test_every_vehicle_of_caltrain_is_matched_and_plausible(real_data: Path) -> None:
    folder = real_data / "realtime"
    feed = read_feed(folder / "caltrain.zip").feed
    assert feed is not None
    timetable, _ = compile_timetable([feed], version="caltrain", options=BuildOptions())
    read = decode_message((folder / "caltrain-vehicle-positions.pb").read_bytes()).message
    assert read is not None
    assert read.made_at is not None
    matched = Matched()
    match_positions(timetable, feed.feed_id, read, now=read.made_at, into=matched)
    assert list(matched.notices) == []
    late_s = []
    for change in matched.changes:
        calls = planned_calls(timetable, change.trip, change.day)
        assert calls is not None
        late_s.append(int((change.calls.departures_s - calls.departures_s)[-1]))
    assert len(matched.confirmed) == len(read.positions) == 14
    assert all(0 <= late <= 30 * 60 for late in late_s), late_s
    lay_over(timetable, matched.changes).timetable.check()
    old = Matched()
    match_positions(timetable, feed.feed_id, read, now=read.made_at + timedelta(minutes=6), into=old)
    assert not old.confirmed
