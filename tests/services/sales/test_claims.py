"""Eligibility: proven once by a clerk or a credential, sold for as long as it holds, and forgotten."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from maas.events import AccountClosed
from maas.ports import EligibilityPort
from services.platform.auth import Role
from tests.services.sales.conftest import NOW, TODAY, Counter

CLERK = {"subject": "clerk-1", "role": Role.CLERK, "operator_id": "Toei"}
KEY = Ed25519PrivateKey.generate()
CITY = "https://id.example.tokyo"


async def record(counter: Counter, rider: str = "senior", days: int = 300, **fields: Any) -> tuple[int, Any]:
    until = (TODAY + timedelta(days=days)).isoformat()
    body = {"traveller_id": "alice", "rider": rider, "valid_to": until, **fields}
    return await counter.post("/api/claims", body, **CLERK)


async def offer(counter: Counter, *riders: str, subject: str = "alice") -> tuple[int, Any]:
    return await counter.post(
        "/api/offers", {"journey_id": "test-journey", "riders": list(riders)}, subject=subject
    )


async def register(counter: Counter, *riders: str) -> None:
    x = base64.urlsafe_b64encode(KEY.public_key().public_bytes_raw()).rstrip(b"=").decode()
    body = {"name": "東京都", "public_key": x, "riders": list(riders)}
    status, told = await counter.house.call(
        "PUT", "/api/claim-issuers/tokyo", subject="root", role=Role.ADMIN, body=body
    )
    assert status == 200, told


def credential(key: Ed25519PrivateKey = KEY, **changes: Any) -> str:
    said: dict[str, Any] = {
        "iss": "tokyo",
        "jti": "card-0001",
        "rider": "senior",
        "exp": int(datetime(2027, 9, 30, 15, 0, tzinfo=UTC).timestamp()),  # the end of 9/30 in Tokyo
    }
    said |= changes
    return jwt.encode({k: v for k, v in said.items() if v is not None}, key, algorithm="EdDSA")


async def present(counter: Counter, token: str, subject: str = "alice") -> tuple[int, Any]:
    return await counter.post("/api/claims/credentials", {"credential": token}, subject=subject)


async def test_a_clerk_proves_it_once_and_sales_sells_it(counter: Counter) -> None:
    status, refused = await offer(counter, "senior")
    assert (status, refused["code"], refused["riders"]) == (422, "eligibility_unproven", ["senior"])
    assert "clerk" in refused["detail"]
    status, told = await record(counter)
    assert (status, told["proven_by"], told["valid_from"]) == (201, "clerk", TODAY.isoformat())
    status, sold = await offer(counter, "senior", "adult")
    assert status == 201, sold
    assert [price["rider"] for price in sold["prices"]] == ["senior", "adult"]
    # One claim is one rider's; another traveller has none.
    assert (await offer(counter, "senior", "senior"))[0] == 422
    assert (await offer(counter, "senior", subject="bob"))[0] == 422


async def test_a_claim_that_ends_before_the_day_of_travel_sells_nothing(counter: Counter) -> None:
    # The journey is of 2026-11-20; a claim that begins tomorrow does not reach back.
    tomorrow = (TODAY + timedelta(days=1)).isoformat()
    await record(counter, valid_from=tomorrow)
    assert (await offer(counter, "senior"))[0] == 422
    await record(counter, days=0)
    assert (await offer(counter, "senior"))[0] == 201


async def test_a_pair_and_a_group_are_sold_as_they_come(counter: Counter) -> None:
    assert (await offer(counter, "disabled", "helper"))[0] == 422
    await record(counter, "disabled")
    assert (await offer(counter, "disabled", "helper"))[0] == 201
    status, refused = await offer(counter, "adult", "helper")
    assert (status, "beside a disabled rider" in refused["detail"]) == (422, True)
    assert (await offer(counter, *["group"] * 15))[0] == 201
    assert (await offer(counter, *["group"] * 14))[0] == 422


async def test_an_islanders_island_reaches_the_price(counter: Counter) -> None:
    status, refused = await record(counter, "islander")
    assert (status, refused["status_code"]) == (422, "place_missing")
    await record(counter, "islander", place="Hachijojima")
    assert (await offer(counter, "islander"))[0] == 201
    assert counter.planner.homes[-1] == "Hachijojima"


async def test_who_records_and_who_sees(counter: Counter) -> None:
    body = {"traveller_id": "alice", "rider": "senior", "valid_to": "2027-09-30"}
    assert (await counter.post("/api/claims", body))[0] == 403  # a traveller does not record
    _, made = await record(counter)
    _, own = await counter.house.call("GET", "/api/claims")
    assert [each["claim_id"] for each in own["claims"]] == [made["claim_id"]]
    _, others = await counter.house.call("GET", "/api/claims", subject="bob")
    assert others["claims"] == []
    withdraw = f"/api/claims/{made['claim_id']}/withdrawals"
    assert (await counter.post(withdraw, subject="bob"))[0] == 404
    other_clerk = {**CLERK, "subject": "clerk-2"}
    assert (await counter.post(withdraw, **other_clerk))[0] == 404
    assert (await counter.post(withdraw))[0] == 204
    assert (await offer(counter, "senior"))[0] == 422


async def test_recording_twice_with_one_key_is_one_claim(counter: Counter) -> None:
    body = {"traveller_id": "alice", "rider": "senior", "valid_to": "2027-09-30"}
    first = await counter.post("/api/claims", body, key="same", **CLERK)
    assert await counter.post("/api/claims", body, key="same", **CLERK) == first
    _, own = await counter.house.call("GET", "/api/claims")
    assert len(own["claims"]) == 1


async def test_an_authoritys_credential_counts_for_one_account(counter: Counter) -> None:
    assert (await present(counter, credential()))[1]["code"] == "credential_invalid"  # not registered
    await register(counter, "senior")
    status, told = await present(counter, credential())
    assert (status, told["proven_by"], told["valid_to"]) == (201, "tokyo", "2027-09-30")
    assert (await offer(counter, "senior"))[0] == 201
    status, again = await present(counter, credential(), subject="bob")
    assert (status, again["code"]) == (409, "credential_used")
    _, issuers = await counter.house.call("GET", "/api/claim-issuers")
    assert [each["issuer_id"] for each in issuers["issuers"]] == ["tokyo"]
    # Of the credential nothing is kept but category, dates and a hash.
    row = await counter.house.services["sales"].context.database.fetchrow("select * from claim")
    assert "card-0001" not in str(dict(row))


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (credential(Ed25519PrivateKey.generate()), "signature"),
        (credential(exp=int(NOW.timestamp())), "expired"),
        (credential(rider="disabled"), "does not speak"),
        (credential(sub="bob"), "another account"),
        (credential(jti=None), "lacks 'jti'"),
        (credential(nbf=-5), "'nbf' is no date"),
        (credential(nbf="yesterday"), "changed|no date|signature"),
        ("no.token.at-all-whatsoever", "no JWT"),
    ],
)
async def test_a_credential_that_cannot_be_believed(counter: Counter, token: str, reason: str) -> None:
    await register(counter, "senior")
    status, refused = await present(counter, token)
    assert (status, refused["code"]) == (422, "credential_invalid")
    assert any(part in refused["detail"] for part in reason.split("|")), refused["detail"]


async def test_claims_end_with_the_account_and_with_their_time(counter: Counter) -> None:
    context = counter.house.services["sales"].context
    person = UUID("00000000-0000-4000-8000-000000000001")
    await record(counter, traveller_id=str(person))
    async with context.database.transaction() as tx:
        await context.outbox.append(tx, AccountClosed(account_id=person))
    for _ in range(100):
        if not await context.database.fetchval("select count(*) from claim"):
            break
        await asyncio.sleep(0.05)
    assert await context.database.fetchval("select count(*) from claim") == 0
    await record(counter, days=3)
    port: Any = counter.house.services["sales"].ports[EligibilityPort]
    assert len(await port.list_claims(traveller_id="alice", on=TODAY)) == 1
    assert await port.list_claims(traveller_id="alice", on=TODAY + timedelta(days=4)) == []
    alice = {"traveller_ids": ["alice", "bob"], "since": TODAY}
    assert await port.list_holders(**alice, until=TODAY) == ["alice"]
    assert await port.list_holders(traveller_ids=["bob"], since=TODAY, until=TODAY) == []
    # It ended with the third day; taps of that day come for three days more.
    counter.clock.set(NOW + timedelta(days=6))
    await port.forget_ended()
    assert await context.database.fetchval("select count(*) from claim") == 1
    counter.clock.set(NOW + timedelta(days=7))
    await port.forget_ended()
    assert await context.database.fetchval("select count(*) from claim") == 0
