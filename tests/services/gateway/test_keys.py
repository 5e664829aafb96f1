import base64
import time
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.gateway.handlers import Identity
from services.gateway.keys import generate_key
from services.gateway.store import IdentityStore
from services.platform.auth import Principal, Role, sign_token
from tests.services.gateway.conftest import HANA, START, Gateway


async def rotate(gateway: Gateway, *, revoke_old: bool = False) -> str:
    status, body, _ = await gateway.ask(
        "POST", "/api/identity/keys/rotations", gateway.admin_token(), {"revoke_old": revoke_old}
    )
    assert status == 201, body
    kid: str = body["kid"]
    return kid


def forget_cached_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour of the machine's time passes for caches."""
    real = time.monotonic
    monkeypatch.setattr("services.platform.auth.time.monotonic", lambda: real() + 3600)


async def test_anybody_verifies_a_token_with_the_published_keys(gateway: Gateway) -> None:
    token = await gateway.register_hana()
    _, published, _ = await gateway.ask("GET", "/.well-known/jwks.json")
    keys = jwt.PyJWKSet.from_dict(published)
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["EdDSA"], options={"verify_exp": False})
    assert claims["role"] == "traveller"
    assert "d" not in published["keys"][0], "the private part stays inside"


async def test_after_a_rotation_new_and_old_tokens_verify_until_the_old_ones_have_expired(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_token = await gateway.register_hana()
    old_kid = jwt.get_unverified_header(old_token)["kid"]
    new_kid = await rotate(gateway)
    assert new_kid != old_kid
    new_token = await gateway.sign_in(HANA["email"], HANA["password"])
    assert jwt.get_unverified_header(new_token)["kid"] == new_kid
    assert jwt.get_unverified_header(gateway.admin_token())["kid"] == new_kid
    forget_cached_keys(monkeypatch)
    for token in (old_token, new_token, gateway.admin_token()):
        assert (await gateway.ask("GET", "/api/identity/me", token))[0] == 200

    gateway.pass_time(timedelta(hours=12))
    _, published, _ = await gateway.ask("GET", "/.well-known/jwks.json")
    assert [key["kid"] for key in published["keys"]] == [new_kid]
    last_kid = await rotate(gateway)
    rows = await gateway.database.fetch("select kid from signing_key order by created_at")
    assert [row["kid"] for row in rows] == [new_kid, last_kid], "the retired key is deleted"


async def test_revoked_keys_are_refused_everywhere_within_a_minute(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, old_admin = await gateway.register_hana(), gateway.admin_token()
    await rotate(gateway)
    kid = await rotate(gateway, revoke_old=True)
    _, published, _ = await gateway.ask("GET", "/.well-known/jwks.json")
    assert [key["kid"] for key in published["keys"]] == [kid]
    forget_cached_keys(monkeypatch)
    for revoked in (token, old_admin):
        status, body, _ = await gateway.ask("GET", "/api/identity/me", revoked)
        assert (status, body["code"]) == (401, "token_invalid")
    assert (await gateway.ask("GET", "/api/identity/me", gateway.admin_token()))[0] == 200


async def test_two_gateways_that_start_at_once_share_one_key(gateway: Gateway) -> None:
    store = IdentityStore(gateway.database)
    before = await store.get_current_key()
    await store.ensure_key(generate_key(), START)
    assert await store.get_current_key() == before
    assert (await Identity(gateway.service.context).list_verification_keys()) == [before.public]


async def test_forged_tokens_are_refused(gateway: Gateway) -> None:
    token = await gateway.register_hana()
    kid = jwt.get_unverified_header(token)["kid"]
    stranger = Ed25519PrivateKey.generate()
    forged = sign_token(
        private_key=stranger,
        kid=kid,
        principal=Principal(subject="x", role=Role.ADMIN),
        issued_at=START,
        expires_at=START + timedelta(hours=1),
        token_id="t",  # noqa: S106 - an id
    )
    claims = jwt.decode(token, options={"verify_signature": False}) | {"role": "admin"}
    head, _, signature = token.split(".")
    body = base64.urlsafe_b64encode(str(claims).replace("'", '"').encode()).rstrip(b"=").decode()
    unsigned = jwt.encode(claims, None, algorithm="none", headers={"kid": kid})
    _, published, _ = await gateway.ask("GET", "/.well-known/jwks.json")
    confused = jwt.encode(
        claims, published["keys"][0]["x"].ljust(64, "x"), algorithm="HS256", headers={"kid": kid}
    )
    for bad in (forged, f"{head}.{body}.{signature}", unsigned, confused, "nonsense", token[:-8]):
        status, problem, _ = await gateway.ask("GET", "/api/identity/staff", bad)
        assert (status, problem["code"]) == (401, "token_invalid"), bad
    status, problem, _ = await gateway.ask("GET", "/api/identity/staff")
    assert (status, problem["code"]) == (401, "token_missing")
