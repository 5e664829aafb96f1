"""Berths on a real database: nothing is oversold, nothing is lost, names stay with the ship's own clerk."""

import asyncio
import random
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from maas.errors import BookingNotFound
from maas.ports import HoldState
from services.partners import store
from services.partners.manifests import ManifestSeal, ManifestUnreadable
from services.platform.auth import Role
from tests.services.partners.conftest import NOON, SHIP, TOKAI, TONIGHT, Pier

HELD, CONFIRMED, RELEASED = HoldState.HELD, HoldState.CONFIRMED, HoldState.RELEASED
EXPIRED, SOLD_OUT = HoldState.EXPIRED, HoldState.SOLD_OUT


async def test_sixty_at_once_for_twenty_places_oversell_nothing(pier: Pier) -> None:
    holds = await asyncio.gather(*(pier.hold() for _ in range(60)))
    states = [hold.state for hold in holds]
    assert (states.count(HELD), states.count(SOLD_OUT)) == (20, 40)
    assert await pier.left() == 0
    assert (await pier.hold()).detail == "0 places are left in class 2nd."
    held = next(hold for hold in holds if hold.state is HELD)
    await pier.port.release(hold_id=held.hold_id)
    assert (await pier.hold()).state is HELD
    assert (await pier.hold()).state is SOLD_OUT


async def test_parties_at_once_never_share_a_place(pier: Pier) -> None:
    # 20 places, parties of 3: six fit and two places stay, whoever comes first.
    holds = await asyncio.gather(*(pier.hold(places=3) for _ in range(12)))
    assert [hold.state for hold in holds].count(HELD) == 6
    assert await pier.left() == 2
    assert (await pier.hold(places=3)).state is SOLD_OUT
    assert (await pier.hold(places=2)).state is HELD


async def test_classes_are_counted_apart(pier: Pier) -> None:
    assert (await pier.hold(places=6, fare_class="1st")).state is HELD
    assert (await pier.hold(fare_class="1st")).state is SOLD_OUT
    assert await pier.left() == 20
    refused = await pier.hold(fare_class="royal")
    assert refused.state is SOLD_OUT
    assert "no class" in refused.detail
    assert (await pier.hold(trip_id="demo:Ghost")).state is SOLD_OUT


async def test_an_alias_is_the_same_class(pier: Pier) -> None:
    body = {
        "operator_id": TOKAI,
        "classes": [{"fare_class": "jet", "aliases": ["2nd", "ジェット"], "place_count": 2}],
    }
    path = "/api/sailings/demo:Jet.Morning/berths"
    assert (await pier.house.call("PUT", path, role=Role.ADMIN, body=body))[0] == 200
    assert (await pier.hold(trip_id="demo:Jet.Morning", fare_class="2nd")).state is HELD
    assert (await pier.hold(trip_id="demo:Jet.Morning", fare_class="ジェット")).state is HELD
    assert (await pier.hold(trip_id="demo:Jet.Morning", fare_class="jet")).state is SOLD_OUT
    body["classes"][0]["aliases"] = ["jet"]  # type: ignore[index] # a name that stands twice
    assert (await pier.house.call("PUT", path, role=Role.ADMIN, body=body))[0] == 422


async def test_the_same_hold_asked_for_ten_times_at_once_is_one(pier: Pier) -> None:
    hold_id = uuid4()
    holds = await asyncio.gather(*(pier.hold(hold_id, places=2) for _ in range(10)))
    assert {(hold.hold_id, hold.state) for hold in holds} == {(hold_id, HELD)}
    assert await pier.left() == 18
    confirmed = await asyncio.gather(
        *(pier.port.confirm(hold_id=hold_id, passengers=["大島 花子", "大島 太郎"]) for _ in range(5))
    )
    assert {hold.state for hold in confirmed} == {CONFIRMED}
    assert (await pier.hold(hold_id, places=2)).state is CONFIRMED
    released = await asyncio.gather(*(pier.port.release(hold_id=hold_id) for _ in range(5)))
    assert {hold.state for hold in released} == {RELEASED}
    assert await pier.left() == 20
    # What was given back does not come back by asking again under the same id.
    assert (await pier.hold(hold_id, places=2)).state is RELEASED
    assert (await pier.port.confirm(hold_id=hold_id, passengers=["x"])).state is RELEASED


async def test_a_hold_that_never_came_has_nothing_to_give_back(pier: Pier) -> None:
    assert (await pier.port.release(hold_id=uuid4())).state is RELEASED
    with pytest.raises(BookingNotFound):
        await pier.port.confirm(hold_id=uuid4(), passengers=["大島 花子"])


async def test_holds_expire_when_a_place_is_asked_for(pier: Pier) -> None:
    late = await pier.hold(places=20)
    assert (await pier.hold()).state is SOLD_OUT
    pier.clock.set(NOON + timedelta(minutes=10))  # exactly at expires_at the places are free
    assert (await pier.hold(places=20)).state is HELD
    assert (await pier.port.confirm(hold_id=late.hold_id, passengers=["大島 花子"])).state is EXPIRED
    assert (await pier.port.release(hold_id=late.hold_id)).state is EXPIRED


async def test_holds_expire_by_themselves_and_bookings_do_not(pier: Pier) -> None:
    booked = await pier.hold(places=2)
    await pier.port.confirm(hold_id=booked.hold_id, passengers=["大島 花子", "大島 太郎"])
    await pier.hold(places=5)
    pier.clock.set(NOON + timedelta(hours=1))
    ended = await pier.port.expire_holds()  # type: ignore[attr-defined] # the worker's step
    assert ended <= 1, "the worker may have been here first"
    assert await pier.left() == 18


async def test_random_use_agrees_with_a_plain_model(pier: Pier) -> None:
    # 250 random steps, and a dictionary that does the same without a database.
    rng = random.Random(20260520)
    places: dict[UUID, int] = {}
    states: dict[UUID, HoldState] = {}
    ends: dict[UUID, Any] = {}
    for _ in range(250):
        now = pier.clock.now()
        for each, state in states.items():
            if state is HELD and ends[each] <= now:
                states[each] = EXPIRED
        taken = sum(places[each] for each, state in states.items() if state in (HELD, CONFIRMED))
        step = rng.random()
        if step < 0.5 or not states:
            hold_id, count = uuid4(), rng.randint(1, 4)
            hold = await pier.hold(hold_id, places=count)
            assert hold.state is (HELD if taken + count <= 20 else SOLD_OUT)
            if hold.state is HELD:
                places[hold_id], states[hold_id] = count, HELD
                ends[hold_id] = now + timedelta(minutes=10)
        elif step < 0.7:
            hold_id = rng.choice(list(states))
            states[hold_id] = CONFIRMED if states[hold_id] is HELD else states[hold_id]
            hold = await pier.port.confirm(hold_id=hold_id, passengers=["大島 花子"] * places[hold_id])
            assert hold.state is states[hold_id]
        elif step < 0.9:
            hold_id = rng.choice(list(states))
            states[hold_id] = RELEASED if states[hold_id] in (HELD, CONFIRMED) else states[hold_id]
            assert (await pier.port.release(hold_id=hold_id)).state is states[hold_id]
        else:
            pier.clock.set(now + timedelta(minutes=rng.randint(1, 12)))
    await pier.check()


async def test_a_smaller_ship_keeps_what_is_taken(pier: Pier) -> None:
    await pier.hold(places=12)
    await pier.put_classes(**{"2nd": 10})
    assert await pier.left() == 0
    assert (await pier.hold()).state is SOLD_OUT
    await pier.put_classes(**{"2nd": 15})
    assert await pier.left() == 3


# --- cancellations ----------------------------------------------------------------------------------------


async def test_a_cancelled_sailing_is_told_once_and_sells_nothing_more(pier: Pier) -> None:
    booked, waiting = await pier.hold(places=2), await pier.hold()
    await pier.port.confirm(hold_id=booked.hold_id, passengers=["大島 花子", "大島 太郎"])
    status, answer = await pier.cancel()
    assert (status, answer["status"], answer["reason"]) == (201, "cancelled", "高波のため欠航")
    again = await asyncio.gather(*(pier.cancel() for _ in range(5)))
    assert {(each[0], each[1]["changed_at"]) for each in again} == {(201, answer["changed_at"])}
    assert await pier.events() == [
        {
            "trip_id": SHIP,
            "service_date": "2026-05-20",
            "operator_id": TOKAI,
            "reason": "高波のため欠航",
        }
    ]
    assert await pier.port.list_cancelled(service_date=TONIGHT) == [SHIP]
    assert await pier.port.list_cancelled(service_date=TONIGHT + timedelta(days=1)) == []
    assert (await pier.hold()).detail == "The sailing is cancelled."
    assert (await pier.port.confirm(hold_id=waiting.hold_id, passengers=["島 次郎"])).state is RELEASED
    assert await pier.left() == 0
    # The booked passengers stay on the list until their places are given back one by one.
    assert (await pier.port.confirm(hold_id=booked.hold_id, passengers=[])).state is CONFIRMED
    assert (await pier.port.release(hold_id=booked.hold_id)).state is RELEASED


async def test_five_clerks_who_cancel_at_once_cancel_once(pier: Pier) -> None:
    await pier.hold()  # the sailing is known already, so no clerk has to make its row
    answers = await asyncio.gather(*(pier.cancel() for _ in range(5)))
    assert [status for status, _ in answers] == [201] * 5
    assert len({answer["changed_at"] for _, answer in answers}) == 1
    assert len(await pier.events()) == 1


async def test_a_cancellation_waits_for_a_hold_that_is_being_made(pier: Pier) -> None:
    async with pier.database.transaction() as tx:
        # As a hold does: the sailing's lock, shared, and only then the places.
        await store.open_sailing(tx, SHIP, TONIGHT, TOKAI, NOON, alone=False)
        cancelling = asyncio.create_task(pier.cancel())
        await asyncio.sleep(0.3)
        assert not cancelling.done()
        berths = store.Berths(SHIP, TONIGHT, "2nd")
        await store.lock_count(tx, berths, 20)
        record = store.HoldRecord(
            hold_id=uuid4(), berths=berths, place_count=1, state=HELD, expires_at=NOON + timedelta(hours=1)
        )
        await store.insert_hold(tx, record, NOON)
        await store.add_taken(tx, berths, 1)
    assert (await cancelling)[0] == 201
    # The hold fell before the cancellation, so the cancellation has given it back.
    assert (await pier.port.release(hold_id=record.hold_id)).state is RELEASED
    assert await pier.database.fetchval("select sum(taken) from berth_count") == 0


async def test_whoever_pays_while_the_ship_is_cancelled_is_either_told_or_refused(pier: Pier) -> None:
    async def buy(hold_id: UUID) -> bool:
        hold = await pier.hold(hold_id)
        if hold.state is not HELD:
            return False
        confirmed = await pier.port.confirm(hold_id=hold_id, passengers=["大島 花子"])
        return confirmed.state is CONFIRMED

    ids = [uuid4() for _ in range(18)]
    *bought, (status, answer) = await asyncio.gather(*(buy(each) for each in ids), pier.cancel())
    assert status == 201
    rows = await pier.database.fetch("select hold_id, state, changed_at from hold")
    states = {row["hold_id"]: row["state"] for row in rows}
    # No places wait any more, and exactly those who were told that they have a berth have one.
    assert "held" not in states.values()
    assert {each for each, done in zip(ids, bought, strict=True) if done} == {
        each for each, state in states.items() if state == "confirmed"
    }
    assert len(await pier.events()) == 1
    assert answer["status"] == "cancelled"


async def test_conditional_is_shown_and_can_be_taken_back_but_a_cancellation_not(pier: Pier) -> None:
    async def say(status: str) -> int:
        body = {"trip_id": SHIP, "service_date": "2026-05-20", "status": status, "reason": "うねり"}
        code, _ = await pier.house.call(
            "POST",
            "/api/sailings/statuses",
            role=Role.CLERK,
            subject="clerk",
            operator_id=TOKAI,
            body=body,
        )
        return code

    async def shown() -> list[str]:
        _, answer = await pier.house.call("GET", "/api/sailings?service_date=2026-05-20")
        return [each["status"] for each in answer["sailings"]]

    assert await shown() == []
    assert await say("conditional") == 201
    assert await shown() == ["conditional"]
    assert (await pier.hold()).state is HELD
    assert await say("scheduled") == 201
    assert await shown() == ["scheduled"]
    assert await say("cancelled") == 422  # cancelling has its own command
    await pier.cancel()
    assert await say("scheduled") == 409
    assert await shown() == ["cancelled"]


async def test_only_the_ships_own_clerk_cancels_it(pier: Pier) -> None:
    status, answer = await pier.cancel(operator_id="OgasawaraKaiun")
    assert (status, answer["code"]) == (404, "sailing_not_found")
    body = {"trip_id": SHIP, "service_date": "2026-05-20", "reason": "x"}
    for role in (Role.TRAVELLER, Role.ANALYST, Role.VALIDATOR):
        status, _ = await pier.house.call("POST", "/api/sailings/cancellations", role=role, body=body)
        assert status == 403
    assert await pier.events() == []


# --- names ------------------------------------------------------------------------------------------------


async def manifest(pier: Pier, operator_id: str = TOKAI, role: Role = Role.CLERK) -> tuple[int, Any]:
    path = f"/api/sailings/{SHIP}/2026-05-20/manifest"
    return await pier.house.call("GET", path, role=role, subject="clerk", operator_id=operator_id)


async def test_names_are_for_the_ships_own_clerk_only(pier: Pier) -> None:
    hold = await pier.hold(places=2)
    await pier.port.confirm(hold_id=hold.hold_id, passengers=["大島 花子", "大島 太郎"])
    status, answer = await manifest(pier)
    assert status == 200
    assert answer["place_count"] == 2
    assert [each["passengers"] for each in answer["bookings"]] == [["大島 花子", "大島 太郎"]]
    assert (await manifest(pier, operator_id="OgasawaraKaiun"))[0] == 404
    assert (await manifest(pier, role=Role.TRAVELLER))[0] == 403
    assert (await manifest(pier, role=Role.ANALYST))[0] == 403


async def test_a_dump_of_the_database_names_nobody(pier: Pier) -> None:
    hold = await pier.hold()
    await pier.port.confirm(hold_id=hold.hold_id, passengers=["大島 花子"])
    row = await pier.database.fetchrow("select manifest::text as dump, sealed from manifest")
    assert "花子" not in row["dump"]
    assert "花子".encode() not in bytes(row["sealed"])


async def test_names_go_a_month_after_the_sailing(pier: Pier) -> None:
    hold = await pier.hold()
    await pier.port.confirm(hold_id=hold.hold_id, passengers=["大島 花子"])

    async def purge() -> int:
        purged: int = await pier.port.purge_names()  # type: ignore[attr-defined] # the worker's step
        return purged

    pier.clock.set(NOON + timedelta(days=30))  # 19 June: thirty days after
    assert await purge() == 0
    pier.clock.set(NOON + timedelta(days=31))
    assert await purge() == 1
    _, answer = await manifest(pier)
    assert [each["passengers"] for each in answer["bookings"]] == [None]


def test_a_seal_opens_only_with_its_key_and_for_its_booking(tmp_path: Path) -> None:
    seal, other = ManifestSeal(tmp_path / "a.key"), ManifestSeal(tmp_path / "b.key")
    mine, yours = uuid4(), uuid4()
    sealed = seal.seal(mine, ["大島 花子"])
    assert seal.open(mine, sealed) == ["大島 花子"]
    assert ManifestSeal(tmp_path / "a.key").open(mine, sealed) == ["大島 花子"]
    assert seal.seal(mine, ["大島 花子"]) != sealed
    for opener, booking in ((other, mine), (seal, yours)):
        with pytest.raises(ManifestUnreadable):
            opener.open(booking, sealed)
    assert (tmp_path / "a.key").stat().st_mode & 0o077 == 0
    (tmp_path / "c.key").write_bytes(b"short")
    with pytest.raises(ManifestUnreadable):
        ManifestSeal(tmp_path / "c.key").seal(mine, [])


# --- what comes over HTTP ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/api/sailings",
        "/api/sailings?service_date=yesterday",
        "/api/sailings?service_date=2026-05-20&operator_id=a%20b",
        "/api/sailings/berths?trip_id=&service_date=2026-05-20",
        f"/api/sailings/berths?trip_id={'x' * 201}&service_date=2026-05-20",
    ],
)
async def test_bad_questions_are_refused(pier: Pier, path: str) -> None:
    status, answer = await pier.house.call("GET", path)
    assert (status, answer["code"]) == (422, "validation_failed")


async def test_unknown_sailings_are_not_found(pier: Pier) -> None:
    path = "/api/sailings/berths?trip_id=demo:Ghost&service_date=2026-05-20"
    status, answer = await pier.house.call("GET", path)
    assert (status, answer["code"]) == (404, "sailing_not_found")


async def test_real_trip_ids_with_odd_signs_work(pier: Pier) -> None:
    trip_id = "island_ferries:p48_4/1～6/30_A_1"
    classes = [{"fare_class": "2nd", "place_count": 1}]
    status, _ = await pier.house.call(
        "PUT",
        "/api/sailings/island_ferries:p48_4%2F1～6%2F30_A_1/berths",
        role=Role.ADMIN,
        body={"operator_id": TOKAI, "classes": classes},
    )
    assert status == 200
    assert (await pier.hold(trip_id=trip_id)).state is HELD
    assert (await pier.hold(trip_id=trip_id)).state is SOLD_OUT
