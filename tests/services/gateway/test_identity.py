import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import jwt
import pytest

from services.gateway.first_admin import FirstAdmin, keep_password
from services.gateway.handlers import Identity
from services.gateway.service import build
from services.platform.clock import FixedClock
from services.platform.settings import Settings
from tests.services.gateway.conftest import HANA, START, Gateway, make_context


async def test_a_traveller_registers_signs_in_and_is_known(gateway: Gateway) -> None:
    token = await gateway.register_hana()
    status, me, _ = await gateway.ask("GET", "/api/identity/me", token)
    assert status == 200
    assert (me["role"], me["email"], me["name"]) == ("traveller", "hana@example.jp", "はな")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["sub"] == me["account_id"]
    assert "email" not in claims
    assert "はな" not in json.dumps(claims, ensure_ascii=False)


async def test_one_mailbox_is_one_account_however_it_is_spelt(gateway: Gateway) -> None:
    await gateway.register_hana()
    again = HANA | {"email": "hANA@eXample.JP"}
    status, body, _ = await gateway.ask("POST", "/api/identity/travellers", json=again)
    assert (status, body["code"]) == (409, "email_taken")


@pytest.mark.parametrize("wrong", [{"password": "something-else"}, {"email": "nobody@example.jp"}])
async def test_wrong_credentials_are_refused_alike(gateway: Gateway, wrong: dict[str, str]) -> None:
    await gateway.register_hana()
    credentials = {"email": HANA["email"], "password": HANA["password"]} | wrong
    status, body, headers = await gateway.ask("POST", "/api/identity/tokens", json=credentials)
    assert (status, body["code"]) == (401, "credentials_invalid")
    assert headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "body",
    [
        HANA | {"email": "no address"},
        HANA | {"password": "short"},
        HANA | {"name": ""},
        HANA | {"locale": "tlh"},
        HANA | {"role": "admin"},
        {"email": "hana@example.jp"},
    ],
)
async def test_a_registration_out_of_range_is_refused(gateway: Gateway, body: dict[str, str]) -> None:
    status, problem, _ = await gateway.ask("POST", "/api/identity/travellers", json=body)
    assert (status, problem["code"]) == (422, "validation_failed")


async def test_no_password_is_kept_and_hashes_differ(gateway: Gateway) -> None:
    await gateway.register_hana()
    await gateway.ask("POST", "/api/identity/travellers", json=HANA | {"email": "twin@example.jp"})
    hashes = [
        row["password_hash"]
        for row in await gateway.database.fetch("select password_hash from account where role = 'traveller'")
    ]
    assert all(each.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for each in hashes)
    assert len(set(hashes)) == 2
    dump = await gateway.database.fetchval("select string_agg(account::text, '') from account")
    assert HANA["password"] not in dump


async def test_a_password_hashed_long_ago_is_hashed_anew_at_sign_in(gateway: Gateway) -> None:
    from argon2 import PasswordHasher  # noqa: PLC0415 - only here

    await gateway.register_hana()
    old = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(HANA["password"])
    await gateway.database.execute("update account set password_hash = $1 where role = 'traveller'", old)
    await gateway.sign_in(HANA["email"], HANA["password"])
    new = await gateway.database.fetchval("select password_hash from account where role = 'traveller'")
    assert new.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    await gateway.sign_in(HANA["email"], HANA["password"])


async def test_a_token_ends_with_its_hour(gateway: Gateway) -> None:
    token = await gateway.register_hana()
    gateway.pass_time(timedelta(minutes=59))
    assert (await gateway.ask("GET", "/api/identity/me", token))[0] == 200
    gateway.pass_time(timedelta(minutes=1))
    status, body, _ = await gateway.ask("GET", "/api/identity/me", token)
    assert (status, body["code"]) == (401, "token_invalid")


async def test_a_closed_account_keeps_its_id_and_nothing_else(gateway: Gateway) -> None:
    token = await gateway.register_hana()
    _, me, _ = await gateway.ask("GET", "/api/identity/me", token)
    assert (await gateway.ask("DELETE", "/api/identity/me", token))[0] == 204
    row = await gateway.database.fetchrow(
        "select * from account where account_id = $1", UUID(me["account_id"])
    )
    assert {name for name, value in row.items() if value is not None} == {
        "account_id",
        "role",
        "created_at",
        "closed_at",
    }
    assert (await gateway.ask("GET", "/api/identity/me", token))[0] == 404
    credentials = {"email": HANA["email"], "password": HANA["password"]}
    assert (await gateway.ask("POST", "/api/identity/tokens", json=credentials))[0] == 401
    event = await gateway.database.fetchrow("select event_type, payload from outbox")
    assert event["event_type"] == "AccountClosed"
    assert event["payload"] == {"account_id": me["account_id"]}
    # The address is free again, and its next owner is somebody else.
    _, again, _ = await gateway.ask("POST", "/api/identity/travellers", json=HANA)
    assert again["account_id"] != me["account_id"]


async def test_guessing_is_slowed_down_and_forgiven_by_time(gateway: Gateway) -> None:
    await gateway.register_hana()
    wrong = {"email": HANA["email"], "password": "guess-guess-guess"}
    right = wrong | {"password": HANA["password"]}
    statuses = [(await gateway.ask("POST", "/api/identity/tokens", json=wrong))[0] for _ in range(5)]
    assert statuses == [401] * 5
    status, body, headers = await gateway.ask("POST", "/api/identity/tokens", json=right)
    assert (status, body["code"], headers["Retry-After"]) == (429, "rate_limited", "1")
    gateway.pass_time(timedelta(seconds=1))
    assert (await gateway.ask("POST", "/api/identity/tokens", json=wrong))[0] == 401
    # Sixth failure: 2 s. The owner waits as long, then signs in and starts afresh.
    status, _, headers = await gateway.ask("POST", "/api/identity/tokens", json=right)
    assert (status, headers["Retry-After"]) == (429, "2")
    gateway.pass_time(timedelta(seconds=2))
    await gateway.sign_in(HANA["email"], HANA["password"])
    assert (await gateway.ask("POST", "/api/identity/tokens", json=wrong))[0] == 401


async def test_old_attempts_are_forgotten(gateway: Gateway) -> None:
    wrong = {"email": "nobody@example.jp", "password": "guess-guess-guess"}
    await gateway.ask("POST", "/api/identity/tokens", json=wrong)
    identity = Identity(gateway.service.context)
    await identity.forget_old_attempts()
    assert await gateway.database.fetchval("select count(*) from sign_in_attempt") == 3
    gateway.pass_time(timedelta(minutes=16))
    await identity.forget_old_attempts()
    assert await gateway.database.fetchval("select count(*) from sign_in_attempt") == 0


async def test_an_administrator_makes_clerks_and_devices_that_act_for_one_operator(gateway: Gateway) -> None:
    admin = gateway.admin_token()
    clerk = {
        "role": "clerk",
        "operator_id": "Toei",
        "email": "clerk@toei.example",
        "password": "kippu-o-haiken",
        "name": "Clerk",
    }
    status, made, _ = await gateway.ask("POST", "/api/identity/staff", admin, clerk)
    assert (status, made["account"]["operator_id"], made["client_secret"]) == (201, "Toei", None)
    claims = jwt.decode(
        await gateway.sign_in("clerk@toei.example", "kippu-o-haiken"), options={"verify_signature": False}
    )
    assert (claims["role"], claims["operator_id"]) == ("clerk", "Toei")

    gate = {"role": "validator", "operator_id": "Toei", "name": "都庁前 gate 1"}
    status, device, _ = await gateway.ask("POST", "/api/identity/staff", admin, gate)
    assert status == 201
    credentials = {"client_id": device["client_id"], "client_secret": device["client_secret"]}
    status, token, _ = await gateway.ask("POST", "/api/identity/tokens", json=credentials)
    assert (status, token["role"], token["account_id"]) == (201, "validator", device["client_id"])
    claims = jwt.decode(token["access_token"], options={"verify_signature": False})
    assert claims["operator_id"] == "Toei"
    # A shift of twelve hours.
    assert claims["exp"] - claims["iat"] == 12 * 3600

    _, staff, _ = await gateway.ask("GET", "/api/identity/staff", admin)
    assert {each["role"] for each in staff["accounts"]} == {"admin", "clerk", "validator"}
    path = f"/api/identity/staff/{device['client_id']}"
    assert (await gateway.ask("DELETE", path, admin))[0] == 204
    assert (await gateway.ask("POST", "/api/identity/tokens", json=credentials))[0] == 401
    assert (await gateway.ask("DELETE", path, admin))[0] == 404


async def test_the_operator_belongs_to_clerks_and_devices_only(gateway: Gateway) -> None:
    person = {"email": "a@city.example", "password": "tokei-wa-tokei", "name": "A"}
    for body in (
        person | {"role": "clerk"},
        person | {"role": "analyst", "operator_id": "Toei"},
        {"role": "validator", "name": "gate"},
        person | {"role": "traveller"},
    ):
        status, problem, _ = await gateway.ask("POST", "/api/identity/staff", gateway.admin_token(), body)
        assert (status, problem["code"]) == (422, "validation_failed"), body


async def test_a_traveller_cannot_be_closed_as_staff_nor_an_administrator_by_themselves(
    gateway: Gateway,
) -> None:
    token, admin = await gateway.register_hana(), gateway.admin_token()
    _, me, _ = await gateway.ask("GET", "/api/identity/me", token)
    assert (await gateway.ask("DELETE", f"/api/identity/staff/{me['account_id']}", admin))[0] == 404
    _, administrator, _ = await gateway.ask("GET", "/api/identity/me", admin)
    status, problem, _ = await gateway.ask(
        "DELETE", f"/api/identity/staff/{administrator['account_id']}", admin
    )
    assert (status, problem["code"]) == (409, "conflict")
    assert (await gateway.ask("DELETE", f"/api/identity/staff/{uuid4()}", admin))[0] == 404


async def test_the_first_administrator_is_made_once_and_the_secrets_are_closed(gateway: Gateway) -> None:
    kept = json.loads((gateway.data_dir / "admin.json").read_text(encoding="utf-8"))
    await gateway.sign_in(kept["email"], kept["password"])
    for name in ("admin.json", "admin.token"):
        assert (gateway.data_dir / name).stat().st_mode & 0o777 == 0o600
    context = gateway.service.context
    await FirstAdmin(context, Identity(context)).ensure()
    assert json.loads((gateway.data_dir / "admin.json").read_text(encoding="utf-8")) == kept
    assert await gateway.database.fetchval("select count(*) from account where role = 'admin'") == 1


def test_a_start_killed_before_the_account_was_made_uses_the_password_it_wrote(tmp_path: Path) -> None:
    assert keep_password(tmp_path / "admin.json") == keep_password(tmp_path / "admin.json")
    assert keep_password(tmp_path / "admin.json") != keep_password(tmp_path / "other" / "admin.json")


def test_building_does_no_work(database_url: str, tmp_path: Path) -> None:
    settings = Settings(database_url=database_url, data_dir=tmp_path)
    build(make_context(database_url, tmp_path, FixedClock(START), settings))
    assert list(tmp_path.iterdir()) == []
