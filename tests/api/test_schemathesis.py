"""Generated requests, valid and not, against the running gateway: every answer is one its document allows."""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
)

from services.platform.access import ACCESS
from services.platform.auth import Role
from tests.support.city import City

EXAMPLES = int(os.environ.get("MAAS_SCHEMATHESIS_EXAMPLES", "15"))

# Only a token's owner may be lost to these; each test run gives them a caller of their own.
SPENDS_ITS_CALLER = {"closeMe"}

# What a schema cannot say: a value that fits it may still be refused (an unknown id, a past time, a name
# that matches no stop), with 4xx. And a query parameter nobody knows is ignored, as HTTP asks.
EXCLUDED: list[CheckFunction] = [positive_data_acceptance, negative_data_rejection, unsupported_method]


@pytest.fixture(scope="session")
def api_schema(city: City) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{city.url}/api/openapi.json")


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


schema = schemathesis.pytest.from_fixture("api_schema")


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_no_request_surprises_the_api(case: schemathesis.Case, city: City, tokens: dict[Role, str]) -> None:
    operation = case.operation.definition.raw["operationId"]
    allowed = ACCESS[operation]
    if allowed:
        role = next(role for role in Role if role in allowed and role in tokens)
        token = city.new_traveller() if operation in SPENDS_ITS_CALLER else tokens[role]
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}
    case.call_and_validate(excluded_checks=EXCLUDED)
