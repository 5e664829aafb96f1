"""Generated requests, valid and not, against the running gateway: every answer is one its document allows."""

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck
from hypothesis import settings as profile
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
)

from services.compose import build_house
from services.platform.access import ACCESS
from services.platform.auth import Role
from services.platform.clock import SimulatedClock
from services.platform.openapi import build_openapi
from services.platform.settings import Settings
from tests.support.city import City

EXAMPLES = int(os.environ.get("MAAS_SCHEMATHESIS_EXAMPLES", "15"))

# Only a token's owner may be lost to these; each test run gives them a caller of their own.
SPENDS_ITS_CALLER = {"closeMe"}

# What a schema cannot say: a value that fits it may still be refused (an unknown id, a past time, a name
# that matches no stop), with 4xx. And a query parameter nobody knows is ignored, as HTTP asks.
EXCLUDED: list[CheckFunction] = [positive_data_acceptance, negative_data_rejection, unsupported_method]


async def _document() -> Any:
    """The document of a whole house with its demonstration, built and never started."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(database_url="postgresql://nowhere", data_dir=Path(folder))
        house = build_house(settings, SimulatedClock(Path(folder) / "clock"), with_demo=True)
        await house.doors.close()
        return build_openapi(house.services, version="test")


schema = schemathesis.openapi.from_dict(asyncio.run(_document()))


@pytest.fixture(scope="session")
def tokens(city: City) -> dict[Role, str]:
    """A token for each role: the administrator, a new traveller, and staff made by the administrator."""
    admin = city.admin_token
    tokens = {Role.ADMIN: admin, Role.TRAVELLER: city.new_traveller()}
    for role in (Role.CLERK, Role.ANALYST):
        person = {
            "role": role.value,
            "email": f"{role.value}-fuzz@example.org",
            "password": "correct horse battery",
            "name": "Fuzz",
        }
        if role is Role.CLERK:
            person["operator_id"] = "Toei"
        status, answer = city.call("POST", "/api/identity/staff", token=admin, body=person)
        assert status == 201, answer
        credentials = {"email": person["email"], "password": person["password"]}
        tokens[role] = city.call("POST", "/api/identity/tokens", body=credentials)[1]["access_token"]
    device = {"role": "validator", "name": "gate", "operator_id": "Toei"}
    _, made = city.call("POST", "/api/identity/staff", token=admin, body=device)
    credentials = {"client_id": made["client_id"], "client_secret": made["client_secret"]}
    tokens[Role.VALIDATOR] = city.call("POST", "/api/identity/tokens", body=credentials)[1]["access_token"]
    return tokens


_callers: dict[Role, str] = {}


@pytest.fixture(autouse=True)
def callers(tokens: dict[Role, str]) -> None:
    """The auth provider below is made before any test runs; this gives it its tokens."""
    _callers.update(tokens)


@schema.auth(refresh_interval=None)
class RoleThatMay:
    """Each operation is called by somebody who may call it."""

    def get(self, case: schemathesis.Case, _context: schemathesis.AuthContext) -> str:
        allowed = ACCESS[case.operation.definition.raw["operationId"]]
        return next((_callers[role] for role in Role if role in allowed and role in _callers), "")

    def set(self, case: schemathesis.Case, data: str, _context: schemathesis.AuthContext) -> None:
        if data:
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schema.parametrize()
@profile(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_no_request_surprises_the_api(case: schemathesis.Case, city: City) -> None:
    if case.operation.definition.raw["operationId"] in SPENDS_ITS_CALLER:
        _callers[Role.TRAVELLER] = city.new_traveller()
    case.call_and_validate(base_url=city.url, excluded_checks=EXCLUDED)
