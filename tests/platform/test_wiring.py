"""The tables that tie services together say what the services really do."""

from collections import defaultdict
from pathlib import Path

import pytest
import structlog

from maas.events import EVENT_TYPES
from services.compose import OWNERS, SERVICES, builder_of
from services.platform.access import ACCESS
from services.platform.clock import SimulatedClock
from services.platform.context import Ports, ServiceContext
from services.platform.database import Database
from services.platform.outbox import Outbox
from services.platform.problem import PROBLEMS
from services.platform.service import Service
from services.platform.settings import Settings
from services.platform.subscribers import SUBSCRIBERS


@pytest.fixture
def services(tmp_path: Path) -> dict[str, Service]:
    """All services, built and not started: nothing listens, no database is opened."""
    clock = SimulatedClock(tmp_path / "clock")
    found = {}
    for name in (*SERVICES, "demo"):
        database = Database("postgresql://nobody@127.0.0.1:1/none", schema=name)
        found[name] = builder_of(name)(
            ServiceContext(
                settings=Settings(data_dir=tmp_path),
                clock=clock,
                database=database,
                outbox=Outbox(database, clock),
                ports=Ports(),
                data_dir=tmp_path,
                log=structlog.get_logger(),
            )
        )
    return found


def test_the_table_of_subscribers_is_what_services_subscribe_to(services: dict[str, Service]) -> None:
    really: defaultdict[str, set[str]] = defaultdict(set)
    for service in services.values():
        for subscription in service.subscriptions:
            really[subscription.event.__name__].add(service.name)
    assert {name: set(groups) for name, groups in SUBSCRIBERS.items() if groups} == really
    assert set(SUBSCRIBERS) == set(EVENT_TYPES)


def test_every_row_of_the_access_table_is_an_endpoint_and_the_other_way_round(
    services: dict[str, Service],
) -> None:
    operations = [route.operation for service in services.values() for route in service.routes]
    assert sorted(operations) == sorted(set(operations)), "an operation is one endpoint"
    assert set(operations) == set(ACCESS)


def test_no_two_endpoints_share_a_method_and_a_path(services: dict[str, Service]) -> None:
    places = [(route.method, route.path) for service in services.values() for route in service.routes]
    assert sorted(places) == sorted(set(places))


def test_every_problem_an_endpoint_names_is_known(services: dict[str, Service]) -> None:
    named = {code for service in services.values() for route in service.routes for code in route.problems}
    assert named <= set(PROBLEMS)


def test_every_port_is_offered_by_its_owner_and_has_all_its_methods(services: dict[str, Service]) -> None:
    offered = {port: service.name for service in services.values() for port in service.ports}
    assert offered == dict(OWNERS)
    for service in services.values():
        for port, implementation in service.ports.items():
            for name in (name for name in vars(port) if not name.startswith("_")):
                assert callable(getattr(implementation, name)), f"{service.name} lacks {port.__name__}.{name}"


def test_every_service_carries_its_own_name_and_schema(services: dict[str, Service]) -> None:
    for name, service in services.items():
        assert service.name == name == service.context.database.schema
        assert service.migrations.is_dir()
