"""The gateway's own endpoints: identity, keys, document and pages."""

from typing import Any
from uuid import UUID

from services.gateway.face import Shown, page
from services.gateway.first_admin import FirstAdmin
from services.gateway.handlers import STAFF, Identity, normalise_email
from services.gateway.models import (
    Account,
    ClientCredentials,
    Device,
    JsonWebKey,
    JsonWebKeySet,
    KeyRotated,
    KeyRotation,
    PasswordCredentials,
    StaffCreated,
    StaffList,
    StaffPerson,
    Token,
    TravellerRegistration,
)
from services.platform.auth import Role
from services.platform.problem import Problem
from services.platform.service import Call, Reply, Route

_TAG = "identity"


def build_routes(identity: Identity, first_admin: FirstAdmin, shown: Shown) -> list[Route]:
    """All endpoints of the gateway."""
    return [*_identity_routes(identity), *_staff_routes(identity, first_admin), *_page_routes(shown)]


def _identity_routes(identity: Identity) -> list[Route]:
    async def register(call: Call) -> Account:
        return await identity.register_traveller(call.body)

    async def create_token(call: Call) -> Token:
        credentials: PasswordCredentials | ClientCredentials = call.body
        if isinstance(credentials, ClientCredentials):
            login, password = str(credentials.client_id), credentials.client_secret
        else:
            login, password = normalise_email(credentials.email), credentials.password
        return await identity.sign_in(login=login, password=password, address=call.remote_address)

    async def get_me(call: Call) -> Account:
        return await identity.get_account(UUID(call.caller.subject))

    async def close_me(call: Call) -> None:
        await identity.close_account(UUID(call.caller.subject), roles=[Role.TRAVELLER])

    async def list_keys(_call: Call) -> JsonWebKeySet:
        keys = await identity.list_verification_keys()
        return JsonWebKeySet(keys=[JsonWebKey(kid=key.kid, x=key.x) for key in keys])

    return [
        _route("POST", "/api/identity/travellers", "registerTraveller", register, "Register as a traveller.",
               body=TravellerRegistration, response=Account, status=201, problems=("email_taken",)),
        _route("POST", "/api/identity/tokens", "createToken", create_token, "Sign in: get a token.",
               body=PasswordCredentials | ClientCredentials, response=Token, status=201,
               problems=("credentials_invalid",)),
        _route("GET", "/api/identity/me", "getMe", get_me, "The caller's own account.", response=Account),
        _route("DELETE", "/api/identity/me", "closeMe", close_me,
               "Close the caller's account and remove what is personal in it."),
        _route("GET", "/.well-known/jwks.json", "listKeys", list_keys, "The public keys of our tokens.",
               response=JsonWebKeySet),
    ]  # fmt: skip


def _staff_routes(identity: Identity, first_admin: FirstAdmin) -> list[Route]:
    async def create_staff(call: Call) -> StaffCreated:
        return await identity.create_staff(call.body)

    async def list_staff(_call: Call) -> StaffList:
        return StaffList(accounts=await identity.list_staff())

    async def close_staff(call: Call) -> None:
        if str(call.path["account_id"]) == call.caller.subject:
            raise Problem("conflict", detail="Another administrator must remove you.")
        await identity.close_account(call.path["account_id"], roles=STAFF)

    async def rotate_keys(call: Call) -> KeyRotated:
        kid = await identity.rotate_key(revoke_old=call.body.revoke_old)
        await first_admin.ensure()
        return KeyRotated(kid=kid)

    return [
        _route("POST", "/api/identity/staff", "createStaff", create_staff,
               "Make an account for a clerk, an analyst, an administrator or a device.",
               body=StaffPerson | Device, response=StaffCreated, status=201, problems=("email_taken",)),
        _route("GET", "/api/identity/staff", "listStaff", list_staff, "All staff and devices.",
               response=StaffList),
        _route("DELETE", "/api/identity/staff/{account_id}", "closeStaff", close_staff,
               "Close an account of staff or of a device.", path_types={"account_id": UUID},
               problems=("conflict",)),
        _route("POST", "/api/identity/keys/rotations", "rotateKeys", rotate_keys, "Sign with a new key.",
               body=KeyRotation, response=KeyRotated, status=201),
    ]  # fmt: skip


def _page_routes(shown: Shown) -> list[Route]:
    async def openapi(_call: Call) -> Reply:
        return shown.openapi()

    def file(name: str, media_type: str) -> Any:
        async def show(_call: Call) -> Reply:
            return page(name, media_type)

        return show

    html, css, script = "text/html", "text/css", "text/javascript"
    return [
        Route(method="GET", path="/api/openapi.json", operation="getOpenapi", handler=openapi, tag="pages",
              summary="This document.", response=dict[str, Any]),
        _page("/", "showLanding", file("landing.html", html), "Where to go from here.", html),
        _page("/api/docs", "showDocs", file("docs.html", html), "This document, for reading.", html),
        _page("/api/docs/page.css", "showDocsStyle", file("page.css", css), "Style of the pages.", css),
        _page("/api/docs/page.js", "showDocsScript", file("docs.js", script), "Script of the page.", script),
    ]  # fmt: skip


def _route(method: str, path: str, operation: str, handler: Any, summary: str, **more: Any) -> Route:
    return Route(
        method=method, path=path, operation=operation, handler=handler, summary=summary, tag=_TAG, **more
    )


def _page(path: str, operation: str, handler: Any, summary: str, media_type: str) -> Route:
    return Route(
        method="GET",
        path=path,
        operation=operation,
        handler=handler,
        summary=summary,
        tag="pages",
        media_type=media_type,
    )
