"""What travellers, clerks and devices may do about media and rides, and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from maas.eligibility import Claim
from maas.events import AccountClosed
from maas.passes import PassHeld
from maas.prices import RiderCategory
from payments.money import yen
from payments.ports import Charge, CollectionPort
from services.platform.auth import Role
from services.ticketing.travel.denials import Denials
from tests.support.travel import MONDAY, at, taps
from tests.support.travel_house import TOKEN, TravelHouse, open_travel

HOME = "08:00 in Toei.Oedo.Tochomae\n08:30 out Toei.Oedo.Daimon"
LOST = "08:00 in Toei.Oedo.Tochomae"
OTHER = "tok_fedcba9876543210"
NOON_AFTER = at("36:00")
MAXIMUM = 377  # the dearest Toei fare from Tochomae


@pytest.fixture
async def travel(database_url: str, tmp_path: Path) -> AsyncIterator[TravelHouse]:
    async with open_travel(database_url, tmp_path, now=at("06:00")) as house:
        yield house


async def ride(travel: TravelHouse, text: str, token: str = TOKEN) -> None:
    """Taps of the Monday, all rated on Tuesday noon."""
    travel.clock.set(max(travel.clock.now(), NOON_AFTER))
    await travel.store(taps(text), token)
    await travel.until_quiet()


# --- media ------------------------------------------------------------------------------------------------


async def test_a_card_number_is_never_stored(travel: TravelHouse) -> None:
    body = {"medium": "card-4242424242424242", "kind": "bank_card", "label": "visa"}
    assert await travel.refused("POST", "/api/travel/media", body=body) == "medium_token_invalid"
    assert await travel.database.fetchval("select count(*) from medium") == 0


async def test_a_medium_has_one_payer_at_a_time(travel: TravelHouse) -> None:
    medium_id = await travel.enrol()
    assert await travel.enrol() == medium_id
    body = {"medium": TOKEN, "kind": "ic_card", "label": "mine"}
    assert await travel.refused("POST", "/api/travel/media", subject="bob", body=body) == "medium_taken"
    changed = {**body, "kind": "phone"}
    assert await travel.refused("POST", "/api/travel/media", subject="bob", body=changed) == "conflict"
    path = f"/api/travel/media/{medium_id}/unlink"
    assert await travel.refused("POST", path, subject="bob") == "medium_not_found"
    assert await travel.call("POST", path) == {"media": []}
    travel.clock.set(at("06:01"))
    assert await travel.enrol(subject="bob") == medium_id


async def test_after_unlinking_nobody_pays_and_the_past_stays_visible_to_who_paid(
    travel: TravelHouse,
) -> None:
    medium_id = await travel.enrol()
    await ride(travel, HOME)
    await travel.call("POST", f"/api/travel/media/{medium_id}/unlink")
    travel.clock.set(at("40:00"))
    await travel.enrol(subject="bob")
    assert await travel.owed_by("alice") == 220
    assert await travel.owed_by("bob") == 0
    assert [day["owed"]["amount_minor"] for day in await travel.days("alice")] == [220]
    assert await travel.days("bob") == []


async def test_who_leaves_is_unlinked_and_their_labels_forgotten(travel: TravelHouse) -> None:
    person = uuid4()
    await travel.enrol(subject=str(person))
    context = travel.house.services["ticketing"].context
    async with context.database.transaction() as tx:
        await context.outbox.append(tx, AccountClosed(account_id=person))
    for _ in range(200):
        link = await travel.database.fetchrow("select label, until from medium_link")
        if link["until"] is not None:
            break
        await asyncio.sleep(0.05)
    assert (link["label"], link["until"]) == ("-", travel.clock.now())


async def test_a_lost_medium_is_denied_and_its_offline_taps_are_charged_all_the_same(
    travel: TravelHouse,
) -> None:
    medium_id = await travel.enrol()
    assert await denied(travel) == []
    view = await travel.call("POST", f"/api/travel/media/{medium_id}/loss", body={"is_lost": True})
    assert (view["is_lost"], view["is_denied"]) == (True, True)
    (told,) = await denied(travel)
    assert (told["medium_ref"], told["is_denied"], told["reason"]) == (TOKEN, True, "lost")
    # Saying it again is no news.
    await travel.call("POST", f"/api/travel/media/{medium_id}/loss", body={"is_lost": True})
    assert await denied(travel, since=told["sequence"]) == []
    await ride(travel, HOME)
    assert await travel.owed_by() == 220
    await travel.call("POST", f"/api/travel/media/{medium_id}/loss", body={"is_lost": False})
    (found,) = await denied(travel, since=told["sequence"])
    assert (found["is_denied"], found["reason"]) == (False, None)


async def denied(travel: TravelHouse, since: int = 0) -> list[Any]:
    path = f"/api/ticketing/denied-media?since={since}"
    body = await travel.call("GET", path, subject="gate", role=Role.VALIDATOR, operator_id="Toei")
    return list(body["media"])


async def test_media_of_a_customer_in_debt_are_denied_and_so_is_one_linked_later(travel: TravelHouse) -> None:
    await travel.enrol()
    payments = travel.house.services["payments"].context.database
    await (
        travel.house.services["payments"]
        .ports[CollectionPort]
        .charge(  # type: ignore[attr-defined]
            charges=[
                Charge(
                    charge_id=uuid4(), customer_id="alice", amount=yen(1), reference="r", service_date=MONDAY
                )
            ]
        )
    )
    denials = Denials(travel.house.services["ticketing"].context)
    insert = "insert into deny_listing (customer_id, is_denied, since) values ('alice', $1, $2)"
    is_denied = True
    await payments.execute(insert, is_denied, at("07:00"))
    await denials.take_over()
    assert [(each["medium_ref"], each["reason"]) for each in await denied(travel)] == [(TOKEN, "debt")]
    await travel.enrol(OTHER)
    assert {each["medium_ref"] for each in await denied(travel)} == {TOKEN, OTHER}
    await payments.execute(insert, not is_denied, at("08:00"))
    await denials.take_over()
    assert [each["is_denied"] for each in await denied(travel)] == [False, False]


async def test_a_party_is_paid_for_and_its_categories_must_be_proven(travel: TravelHouse) -> None:
    medium_id = await travel.enrol()
    path = f"/api/travel/media/{medium_id}/party"
    travel.clock.set(at("07:00"))
    await travel.call("POST", path, body={"riders": ["adult", "child"]})
    await ride(travel, HOME)
    assert await travel.owed_by() == 330
    pair = {"riders": ["disabled", "helper"]}
    assert await travel.refused("POST", path, body=pair) == "eligibility_unproven"
    travel.holder.claims.append(claim(RiderCategory.DISABLED))
    await travel.call("POST", path, body=pair)
    long = {"riders": ["adult"], "until": at("96:00").isoformat()}
    assert await travel.refused("POST", path, body=long) == "validation_failed"


def claim(rider: RiderCategory) -> Claim:
    return Claim(
        claim_id=uuid4(),
        traveller_id="alice",
        rider=rider,
        valid_from=MONDAY,
        valid_to=MONDAY + timedelta(days=30),
    )


async def test_a_claim_sets_the_category_and_stays_noted_when_it_is_forgotten(travel: TravelHouse) -> None:
    """A Silver Pass rides Toei free (concessions.csv: 0 %)."""
    await travel.enrol()
    travel.holder.claims.append(claim(RiderCategory.SENIOR))
    await ride(travel, HOME)
    assert await travel.owed_by() == 0
    travel.holder.claims.clear()
    await travel.store(taps("10:00 in Toei.Oedo.Daimon\n10:30 out Toei.Oedo.Tochomae"))
    await travel.until_quiet()
    assert await travel.owed_by() == 0


async def test_a_childs_card_pays_half(travel: TravelHouse) -> None:
    await travel.enrol(rider="child")
    await ride(travel, HOME)
    assert await travel.owed_by() == 110


async def test_a_pass_covers_the_first_linked_medium_alone_and_its_use_is_told(travel: TravelHouse) -> None:
    await travel.enrol()
    travel.clock.set(at("06:30"))
    await travel.enrol(OTHER)
    pass_id = UUID(int=7)
    travel.holder.passes["alice"] = [
        PassHeld(
            pass_id=pass_id,
            product_id="toei_marugoto",
            rider=RiderCategory.ADULT,
            networks=("toei_subway",),
            name="都営",
            name_en="Toei",
            usable_from=at("04:00"),
            starts_at=at("04:00"),
            ends_at=at("28:00"),
            hours=None,
        )
    ]
    await ride(travel, HOME)
    assert await travel.owed_by() == 0
    told = travel.holder.uses[-1]
    assert (told.pass_id, told.week, told.used) == (pass_id, MONDAY, {"Toei": 220})
    await ride(travel, HOME.replace("08", "10"), OTHER)
    assert await travel.owed_by() == 220


async def test_a_helpers_card_halves_both_fares_when_both_are_tapped(travel: TravelHouse) -> None:
    mine, helpers = await travel.enrol(), await travel.enrol(OTHER, subject="bob")
    travel.holder.claims.append(claim(RiderCategory.DISABLED))
    body = {"medium_id": mine, "helper_medium_id": helpers}
    assert await travel.refused("POST", "/api/travel/staff/pairs", body=body) == "forbidden"
    await travel.call("POST", "/api/travel/staff/pairs", body=body, role=Role.CLERK, operator_id="Toei")
    await ride(travel, HOME)
    # The disabled rider alone pays the adult's fare; the helper's taps come an hour later.
    assert await travel.owed_by("alice") == 220
    await ride(travel, "08:01 in Toei.Oedo.Tochomae\n08:31 out Toei.Oedo.Daimon", OTHER)
    assert await travel.owed_by("alice") == 110
    assert await travel.owed_by("bob") == 110


# --- corrections ------------------------------------------------------------------------------------------


def said(medium_id: str, ride_id: str, stop: str = "Toei.Oedo.Daimon", **more: Any) -> dict[str, Any]:
    body = {"medium_id": medium_id, "service_date": MONDAY.isoformat(), "ride_id": ride_id}
    return {**body, "operator_id": stop.split(".", maxsplit=1)[0], "stop_id": f"demo:{stop}", **more}


async def test_a_traveller_corrects_an_unfinished_ride_and_gets_the_difference_back(
    travel: TravelHouse,
) -> None:
    medium_id = await travel.enrol()
    await ride(travel, LOST)
    assert await travel.owed_by() == MAXIMUM
    (day,) = await travel.days()
    (unfinished,) = day["rides"]
    assert unfinished["state"] == "incomplete"
    body = said(medium_id, unfinished["ride_id"])
    view = await travel.call("POST", "/api/travel/corrections", body=body)
    assert (view["said_as"], view["stop"]["name"]) == ("traveller", "大門")
    await travel.until_quiet()
    assert await travel.owed_by() == 220
    (day,) = await travel.days()
    assert [each["state"] for each in day["rides"]] == ["corrected"]


@pytest.mark.parametrize(
    ("stop", "code"),
    [
        ("Yurikamome.Yurikamome.Takeshiba", "ride_not_correctable"),  # no ticket is sold there from Tochomae
        ("Nobody.X.Y", "ride_not_correctable"),
    ],
)
async def test_a_correction_must_be_a_ride_that_can_be(travel: TravelHouse, stop: str, code: str) -> None:
    medium_id = await travel.enrol()
    await ride(travel, LOST)
    ((unfinished,),) = [day["rides"] for day in await travel.days()]
    path = "/api/travel/corrections"
    assert await travel.refused("POST", path, body=said(medium_id, unfinished["ride_id"], stop)) == code


async def test_a_traveller_corrects_no_finished_ride_no_strangers_and_no_old_one(travel: TravelHouse) -> None:
    medium_id = await travel.enrol()
    await ride(travel, HOME + "\n12:00 in Toei.Oedo.Tochomae")
    (day,) = await travel.days()
    finished, unfinished = sorted(day["rides"], key=lambda each: str(each["began_at"]))
    path = "/api/travel/corrections"
    assert (
        await travel.refused("POST", path, body=said(medium_id, finished["ride_id"]))
        == "ride_not_correctable"
    )
    assert await travel.refused("POST", path, body=said(medium_id, "gate/1")) == "ride_not_found"
    mine = said(medium_id, unfinished["ride_id"])
    assert await travel.refused("POST", path, body=mine, subject="bob") == "medium_not_found"
    travel.clock.set(NOON_AFTER + timedelta(days=28))
    assert await travel.refused("POST", path, body=mine) == "ride_not_correctable"


async def test_three_rides_a_month_are_a_travellers_own_to_correct(travel: TravelHouse) -> None:
    medium_id = await travel.enrol()
    await ride(travel, "\n".join(f"{hour:02}:00 in Toei.Oedo.Tochomae" for hour in (7, 10, 15, 20)))
    (day,) = await travel.days()
    ride_ids = [each["ride_id"] for each in day["rides"]]
    path = "/api/travel/corrections"
    for ride_id in ride_ids[:3]:
        await travel.call("POST", path, body=said(medium_id, ride_id))
    assert await travel.refused("POST", path, body=said(medium_id, ride_ids[3])) == "corrections_used_up"
    # Thinking better of one that was corrected is no further ride.
    await travel.until_quiet()
    await travel.call("POST", path, body=said(medium_id, ride_ids[0], "Toei.Oedo.Akabanebashi"))
    # What staff decided is not the traveller's to change.
    staff = said(medium_id, ride_ids[1], kind="complete", reason="seen on the camera")
    await travel.call("POST", "/api/travel/staff/corrections", body=staff, role=Role.ADMIN, subject="admin")
    await travel.until_quiet()
    again = said(medium_id, ride_ids[1], "Toei.Oedo.Akabanebashi")
    assert await travel.refused("POST", path, body=again) == "ride_not_correctable"


async def test_a_clerk_sees_and_corrects_what_touches_their_operator(travel: TravelHouse) -> None:
    medium_id = await travel.enrol()
    await ride(travel, HOME + "\n12:00 in Yurikamome.Yurikamome.Shimbashi")
    query = f"/api/travel/staff/days?service_date={MONDAY}&medium={TOKEN}"
    toei = {"subject": "clerk", "role": Role.CLERK, "operator_id": "Toei"}
    seen = await travel.call("GET", query, **toei)
    assert [each["origin"]["operator_id"] for each in seen["day"]["rides"]] == ["Toei"]
    assert len(seen["taps"]) == 2
    assert seen["charges"] == []
    whole = await travel.call("GET", query, subject="admin", role=Role.ADMIN)
    assert len(whole["day"]["rides"]) == 2
    assert sum(each["amount"]["amount_minor"] for each in whole["charges"]) == await travel.owed_by()
    ride_id = seen["day"]["rides"][0]["ride_id"]
    path = "/api/travel/staff/corrections"
    waive = {"medium_id": medium_id, "service_date": MONDAY.isoformat(), "ride_id": ride_id, "kind": "waive"}
    before = await travel.owed_by()
    without_reason = await travel.refused("POST", path, body=waive, **toei)
    assert without_reason == "validation_failed"
    waive["reason"] = "the gate was broken"
    other = {"subject": "x", "role": Role.CLERK, "operator_id": "TokyoMetro"}
    assert await travel.refused("POST", path, body=waive, **other) == "ride_not_found"
    await travel.call("POST", path, body=waive, **toei)
    await travel.until_quiet()
    assert await travel.owed_by() == before - 220
    seen = await travel.call("GET", query, **toei)
    assert [(each["kind"], each["said_as"], each["reason"]) for each in seen["corrections"]] == [
        ("waive", "clerk", "the gate was broken")
    ]


async def test_a_habit_of_four_weeks_completes_a_ride(travel: TravelHouse) -> None:
    """Three rides home in the week before; the unfinished one ends there too."""
    await travel.enrol()
    before = [MONDAY - timedelta(days=day) for day in (3, 4, 5)]
    await travel.database.execute("update medium_link set since = '2026-01-01'")
    for day in before:
        await travel.store(taps(HOME, day))
    await ride(travel, LOST)
    today = next(day for day in await travel.days() if day["service_date"] == MONDAY.isoformat())
    assert [each["state"] for each in today["rides"]] == ["auto_completed"]
    assert today["owed"]["amount_minor"] == 220
