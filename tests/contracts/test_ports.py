"""A port is the same seen from within the process and across HTTP: one suite over both adapters.

The ledger and dispatch stand for all: their arguments and results have every kind of value that ports carry.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol, cast
from uuid import UUID, uuid4

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from maas.errors import BookingNotFound, ZoneNotFound
from maas.ports import BerthPort, HoldState, OnDemandPort, PlannerPort
from payments.accounts import CARD_CLEARING, UNEARNED_FARES, Account, Bound
from payments.errors import AccountNotFound
from payments.ports import LedgerPort, OperatorPayoutsPort, PaymentsPort, SavedMethodsPort
from payments.transfers import Transfer, TransferCode, TransferKind, TransferStatus
from services.dispatch.handlers import Dispatch
from services.dispatch.messages import VehicleSettings, ZoneSettings
from services.dispatch.service import build as build_dispatch
from services.ledger.service import build as build_ledger
from services.platform.auth import Authenticator, IdentityPort
from services.platform.clock import FixedClock
from services.platform.errors import PortUnavailable, RemoteFault
from services.platform.http import build_app
from services.platform.rpc import add_port_routes, methods_of, port_client
from services.platform.service import Service
from tests.support.house import KeyOfTheTest, running_house

NOW = datetime(2026, 5, 20, 0, 0, tzinfo=UTC)  # 09:00 in Tokyo
SECRET = "the-secret-of-the-test-house"  # noqa: S105 - no secret of anything real
Adapter = Literal["local", "http"]


@dataclass
class Both:
    """The ports under test, by one of the two adapters."""

    ledger: LedgerPort
    dispatch: OnDemandPort
    url: str
    session: aiohttp.ClientSession


@asynccontextmanager
async def open_ports(adapter: Adapter, database_url: str, folder: Path) -> AsyncIterator[Both]:
    clock = FixedClock(NOW)
    async with AsyncExitStack() as stack:
        builds = {"ledger": build_ledger, "dispatch": build_dispatch}
        house = await stack.enter_async_context(
            running_house(database_url, builds, clock=clock, data_dir=folder)
        )
        services = list(house.services.values())
        local = {port: found for service in services for port, found in service.ports.items()}
        await put_zone(cast("Dispatch", local[OnDemandPort]))
        url = await serve(stack, services, clock)
        session = await stack.enter_async_context(aiohttp.ClientSession())

        def get(port: Any) -> Any:
            if adapter == "local":
                return local[port]
            return port_client(port, base_url=url, session=session, secret=SECRET)

        yield Both(get(LedgerPort), get(OnDemandPort), url, session)


@pytest.fixture(params=["local", "http"])
async def ports(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> AsyncIterator[Both]:
    async with open_ports(request.param, database_url, tmp_path) as found:
        yield found


@pytest.fixture
async def over_http(database_url: str, tmp_path: Path) -> AsyncIterator[Both]:
    async with open_ports("http", database_url, tmp_path) as found:
        yield found


async def serve(stack: AsyncExitStack, services: list[Service], clock: FixedClock) -> str:
    key = KeyOfTheTest(clock)
    authenticator = Authenticator(identity=lambda: key, clock=clock, service_secret=SECRET)
    app = build_app(services, authenticator)
    add_port_routes(app, services, authenticator)
    server = TestServer(app)
    await server.start_server()
    stack.push_async_callback(server.close)
    return str(server.make_url("")).rstrip("/")


async def put_zone(dispatch: Dispatch) -> None:
    square = [[139.7, 33.0], [139.9, 33.0], [139.9, 33.2], [139.7, 33.2], [139.7, 33.0]]
    zone = {
        "operator_id": "HachijoDemand",
        "name": "坂下",
        "geometry": {"type": "Polygon", "coordinates": [square]},
        "opens_s": 28_800,
        "closes_s": 64_800,
        "fares": {"adult_minor": 500, "child_minor": 100},
    }
    van = {
        "operator_id": "HachijoDemand",
        "zone_ids": ["z"],
        "seats": 2,
        "depot": {"lat": 33.1, "lon": 139.8},
        "shift_starts_s": 28_800,
        "shift_ends_s": 64_800,
    }
    await dispatch.put_zone("z", ZoneSettings.model_validate(zone))
    await dispatch.put_vehicle("v", VehicleSettings.model_validate(van))


def transfer(amount: int, **changes: Any) -> Transfer:
    fields: dict[str, Any] = {
        "transfer_id": uuid4(),
        "debit": CARD_CLEARING,
        "credit": UNEARNED_FARES,
        "amount_minor": amount,
        "code": TransferCode.PAYMENT,
        "reference": "order:日本語",
        "effective_at": NOW,
    }
    return Transfer(**{**fields, **changes})


async def open_accounts(ledger: LedgerPort) -> None:
    await ledger.open_accounts(
        accounts=[
            Account(account_id=CARD_CLEARING),
            Account(account_id=UNEARNED_FARES, bound=Bound.DEBITS_MUST_NOT_EXCEED_CREDITS),
        ]
    )


async def test_ledger_transfers_have_their_statuses(ports: Both) -> None:
    await open_accounts(ports.ledger)
    await open_accounts(ports.ledger)  # again: changes nothing
    first = transfer(461)
    too_much = transfer(462, debit=UNEARNED_FARES, credit=CARD_CLEARING)
    held = transfer(100, kind=TransferKind.PENDING, timeout_s=60)
    assert await ports.ledger.post(transfers=[first, first, too_much, held]) == [
        TransferStatus.CREATED,
        TransferStatus.EXISTS,
        TransferStatus.EXCEEDS_CREDITS,
        TransferStatus.CREATED,
    ]
    assert await ports.ledger.post(transfers=[]) == []
    balance = await ports.ledger.get_balance(account_id=UNEARNED_FARES)
    assert (balance.credits_posted, balance.debits_posted, balance.credits_pending) == (461, 0, 100)


async def test_ledger_entries_come_back_as_they_went_in(ports: Both) -> None:
    await open_accounts(ports.ledger)
    sent = [transfer(amount) for amount in (1, 2, 9_999_999)]
    await ports.ledger.post(transfers=sent)
    entries = await ports.ledger.list_entries(
        account_id=CARD_CLEARING, after_sequence=0, until=NOW + timedelta(days=1), limit=10
    )
    assert [entry.transfer for entry in entries] == sent
    assert [entry.recorded_at.tzinfo is not None for entry in entries] == [True] * 3
    trial = await ports.ledger.get_trial_balance()
    assert trial.is_balanced
    assert trial.debits_posted == 10_000_002


async def test_an_error_is_of_the_same_class_on_both_sides(ports: Both) -> None:
    with pytest.raises(AccountNotFound):
        await ports.ledger.get_balance(account_id="nobody:nothing")
    with pytest.raises(BookingNotFound, match="No booking has the id"):
        await ports.dispatch.confirm(hold_id=uuid4())
    with pytest.raises(ZoneNotFound):
        await hold(ports.dispatch, zone_id="elsewhere")


async def hold(port: OnDemandPort, hold_id: UUID | None = None, *, zone_id: str = "z") -> Any:
    return await port.hold(
        hold_id=hold_id or uuid4(),
        zone_id=zone_id,
        pickup_lat=33.11,
        pickup_lon=139.81,
        dropoff_lat=33.12,
        dropoff_lon=139.82,
        pickup_at=NOW + timedelta(hours=1),
        rider_count=2,
        expires_at=NOW + timedelta(minutes=10),
    )


async def test_dispatch_holds_go_through_their_states(ports: Both) -> None:
    hold_id = uuid4()
    held = await hold(ports.dispatch, hold_id)
    assert (held.hold_id, held.state) == (hold_id, HoldState.HELD)
    assert held.expires_at == NOW + timedelta(minutes=10)
    assert await hold(ports.dispatch, hold_id) == held
    confirmed = await ports.dispatch.confirm(hold_id=hold_id)
    assert confirmed.state is HoldState.CONFIRMED
    released = await ports.dispatch.release(hold_id=hold_id)
    assert released.state is HoldState.RELEASED
    assert await ports.dispatch.release(hold_id=hold_id) == released


# HTTP only.


async def test_only_the_houses_secret_opens_a_port(over_http: Both) -> None:
    stranger = port_client(LedgerPort, base_url=over_http.url, session=over_http.session, secret="guessed")  # noqa: S106 - a wrong one on purpose
    with pytest.raises(RemoteFault):
        await stranger.get_trial_balance()
    async with over_http.session.post(
        f"{over_http.url}/internal/LedgerPort/get_trial_balance", data=b"{}"
    ) as answer:
        assert answer.status == 401


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"{}", b'{"hold_id": 5}', b'{"hold_id": null}'])
async def test_nonsense_is_refused_without_a_crash(over_http: Both, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {SECRET}"}
    url = f"{over_http.url}/internal/OnDemandPort/confirm"
    async with over_http.session.post(url, data=body, headers=headers) as answer:
        assert answer.status in {400, 422}


async def test_a_service_that_is_down_is_told_from_one_that_refuses(over_http: Both) -> None:
    gone = port_client(LedgerPort, base_url="http://127.0.0.1:1", session=over_http.session, secret=SECRET)
    with pytest.raises(PortUnavailable, match="LedgerPort"):
        await gone.get_trial_balance()


async def test_a_client_has_the_methods_of_its_port_only(over_http: Both) -> None:
    client: Any = port_client(LedgerPort, base_url=over_http.url, session=over_http.session, secret=SECRET)
    with pytest.raises(AttributeError):
        client.steal  # noqa: B018 - reading it is the test


@pytest.mark.parametrize(
    "port",
    [
        LedgerPort,
        PaymentsPort,
        SavedMethodsPort,
        OperatorPayoutsPort,
        PlannerPort,
        BerthPort,
        OnDemandPort,
        IdentityPort,
    ],
)
def test_every_port_can_cross_http(port: type[Protocol]) -> None:  # type: ignore[valid-type]
    for method in methods_of(port).values():
        for kind in (*method.arguments.values(), method.result):
            kind.json_schema(mode="serialization")
