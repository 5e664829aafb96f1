"""Journeys and their ids."""

import base64
import random
import zlib
from dataclasses import replace
from datetime import datetime, time, timedelta

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maas.errors import JourneyNotFound, OutsideFeedDates
from maas.journeys import Journey, Mode, PlanRequest
from routing.strings import list_strings
from services.planner.network import Network
from services.planner.search import search, search_before
from services.planner.sought import Answer
from services.platform.polyline import encode_polyline

EVENING = datetime.fromisoformat("2026-05-20T20:00+09:00")


def find(city: Network, origin: str, destination: str, *, count_min: int = 1, **asked: object) -> Answer:
    request = replace(PlanRequest(origin=origin, destination=destination, at=EVENING, language=""), **asked)
    start, goal = city.places.get_end(origin), city.places.get_end(destination)
    return search(city, request, start, goal, count_min=count_min)


def check_contiguous(journey: Journey) -> None:
    for before, after in zip(journey.legs[:-1], journey.legs[1:], strict=True):
        assert before.arrives_at <= after.departs_at
        assert before.destination == after.origin or after.in_seat
    for leg in journey.legs:
        assert leg.departs_at <= leg.arrives_at
        assert leg.is_transit == (leg.mode is not Mode.WALK)


def test_the_evening_trip_to_the_island(city: Network) -> None:
    """Oedo line, a walk, the night ship; the bus where the ship calls at the other port."""
    (best, *_) = find(city, "都庁前", "大島 元町").journeys
    check_contiguous(best)
    assert [leg.mode for leg in best.legs] == [
        Mode.SUBWAY,
        Mode.WALK,
        Mode.FERRY,
        Mode.WALK,
        Mode.BUS,
    ]
    assert best.legs[2].departs_at.strftime("%m-%d %H:%M") == "05-20 22:00"
    assert best.legs[2].operator_id == "3010401020097"
    pier = best.legs[1].arrives_at
    assert best.legs[2].departs_at - pier >= timedelta(minutes=10)


def test_ids_of_random_journeys_give_them_back(city: Network) -> None:
    """Between random stops and points, to depart and to arrive: the id alone holds the journey."""
    rng = random.Random(7)
    ids = list_strings(city.router.timetable.stop_ids)
    found = 0
    for i in range(60):
        ends = [
            rng.choice(ids)
            if rng.random() < 0.8
            else f"{35.64 + rng.random() / 10:.5f},{139.7 + rng.random() / 10:.5f}"
            for _ in range(2)
        ]
        answer = find(city, *ends, arrive_by=bool(i % 2))
        for journey in (*answer.journeys, *((answer.direct,) if answer.direct else ())):
            check_contiguous(journey)
            assert city.teller.get_journey(journey.journey_id) == journey
            found += 1
    assert found > 40


def test_an_altered_id_is_never_answered_with_another_journey(city: Network) -> None:
    (journey, *_) = find(city, "都庁前", "竹芝").journeys
    rng = random.Random(3)
    for _ in range(300):
        letters = list(journey.journey_id)
        letters[rng.randrange(len(letters))] = rng.choice("ABCxyz019_-")
        altered = "".join(letters)
        try:
            other = city.teller.get_journey(altered)
        except JourneyNotFound:
            continue
        assert other.journey_id == altered


@settings(max_examples=150)
@given(st.one_of(st.text(max_size=60), st.binary(max_size=80)))
def test_any_text_as_an_id_is_refused_not_a_fault(city: Network, junk: str | bytes) -> None:
    text = junk if isinstance(junk, str) else base64.urlsafe_b64encode(junk).decode().rstrip("=")
    with pytest.raises(JourneyNotFound):
        city.teller.get_journey(text)


@pytest.mark.parametrize(
    "content",
    [
        [1, ["demo:x"], ["demo:y"], [], 0],
        [1, ["p", 91.0, 0], ["q", 0, 0], [], 0],
        [1, ["p", 1.0, 0], ["q", 0, 0], [], -5],
        [1, ["p", 1.0, 0], ["q", 0, 0], [["no:trip", 1, 0, 1, 0]], 0],
        [1, ["p", True, 0], ["q", 0, 0], [["no:trip", 1, 0, "x", 0]], 0],
        [2, ["p", 1.0, 0], ["q", 0, 0], [], 0],
        {"a": 1},
        [1, 2, 3],
    ],
)
def test_well_packed_nonsense_is_refused(city: Network, content: object) -> None:
    packed = zlib.compress(orjson.dumps(content), 9, wbits=-15)
    with pytest.raises(JourneyNotFound):
        city.teller.get_journey(base64.urlsafe_b64encode(packed).decode().rstrip("="))


def test_a_packed_bomb_is_refused(city: Network) -> None:
    bomb = base64.urlsafe_b64encode(zlib.compress(b"[" * 10_000_000, 9, wbits=-15)).decode().rstrip("=")
    with pytest.raises(JourneyNotFound):
        city.teller.get_journey(bomb)


def test_more_journeys_of_later_hours(city: Network) -> None:
    once = find(city, "都庁前", "竹芝").journeys
    more = find(city, "都庁前", "竹芝", count_min=6).journeys
    assert len(more) >= 6
    assert {journey.journey_id for journey in once} <= {journey.journey_id for journey in more}
    assert [j.arrives_at for j in more] == sorted(j.arrives_at for j in more)
    for one in more:
        assert not any(
            other.departs_at >= one.departs_at
            and other.arrives_at <= one.arrives_at
            and other.interchanges <= one.interchanges
            for other in more
            if other is not one
        ), "no journey is worse in everything than another"


def test_all_journeys_of_a_window(city: Network) -> None:
    """Asked minute by minute, the same journeys are found, but for those another betters."""
    window = timedelta(minutes=30)
    got = find(city, "都庁前", "竹芝", window_s=1800).journeys
    single: dict[str, Journey] = {}
    for minute in range(31):
        at = EVENING + timedelta(minutes=minute)
        single |= {j.journey_id: j for j in find(city, "都庁前", "竹芝", at=at).journeys}
    expected = {j.journey_id for j in single.values() if j.departs_at <= EVENING + window}
    assert {j.journey_id for j in got if j.departs_at <= EVENING + window} == expected
    assert len(expected) > 2


def test_earlier_journeys(city: Network) -> None:
    (first, *_) = find(city, "都庁前", "竹芝").journeys
    request = PlanRequest(origin="都庁前", destination="竹芝", at=first.departs_at, language="")
    start, goal = city.places.get_end("都庁前"), city.places.get_end("竹芝")
    earlier = search_before(city, request, start, goal, leaves_before=first.departs_at)
    assert earlier.journeys
    assert all(journey.departs_at < first.departs_at for journey in earlier.journeys)


def test_earlier_than_the_timetable_is_told_and_not_answered_with_nothing(city: Network) -> None:
    begins = datetime.combine(city.router.timetable.first_date, time(), tzinfo=city.router.timetable.zone)
    start, goal = city.places.get_end("都庁前"), city.places.get_end("竹芝")
    request = PlanRequest(origin="都庁前", destination="竹芝", at=EVENING, language="")
    with pytest.raises(OutsideFeedDates, match="Ask for a day between them"):
        search_before(city, request, start, goal, leaves_before=begins - timedelta(hours=1))
    # Of the first morning what there is: the day before is no reason to answer nothing.
    morning = search_before(
        city, request, start, goal, leaves_before=begins + timedelta(hours=8), count_min=20
    )
    assert morning.journeys


def test_the_last_of_many_earlier_journeys_are_told(city: Network) -> None:
    request = PlanRequest(origin="都庁前", destination="竹芝", at=EVENING, language="")
    start, goal = city.places.get_end("都庁前"), city.places.get_end("竹芝")
    many = search_before(city, request, start, goal, leaves_before=EVENING, count_min=12).journeys
    few = search_before(city, request, start, goal, leaves_before=EVENING, count_min=3).journeys
    leaving = sorted(journey.departs_at for journey in many)
    assert (len(many), len(few)) == (12, 3)
    assert sorted(journey.departs_at for journey in few) == leaving[-3:]


def test_to_be_there_by_an_hour(city: Network) -> None:
    answer = find(city, "都庁前", "竹芝", arrive_by=True)
    assert answer.journeys
    assert all(journey.arrives_at <= EVENING for journey in answer.journeys)
    assert all(EVENING - journey.departs_at < timedelta(hours=1) for journey in answer.journeys)


def test_a_short_way_is_walked(city: Network) -> None:
    """From 都庁前's one platform to its other: who walks is there first, and no ride is told."""
    answer = find(city, "demo:Toei.Oedo.Tochomae", "35.6900,139.6940")
    assert answer.direct is not None
    assert answer.direct.legs[0].is_estimate
    assert all(journey.arrives_at < answer.direct.arrives_at for journey in answer.journeys)


def test_one_stays_seated_on_the_island_ferries_of_nobody(city: Network) -> None:
    """In-seat legs exist in the city's data, and are told as legs of one vehicle."""
    found = find(city, "新宿", "清澄白河", count_min=5).journeys
    for journey in found:
        check_contiguous(journey)
    stays = [leg for journey in found for leg in journey.legs if leg.in_seat]
    for leg in stays:
        assert leg.trip_id is not None


def test_the_polyline_of_googles_own_example() -> None:
    """The example of the encoding's description, at 5 digits: ours has 6, so its numbers are a tenth."""
    tenth = [(3.85, -12.02), (4.07, -12.095), (4.3252, -12.6453)]
    assert encode_polyline(tenth) == "_p~iF~ps|U_ulLnnqC_mqNvxq`@"
