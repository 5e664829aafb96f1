"""Account-based travel in a real house: ledger, payments, settlement and ticketing on one database."""

import asyncio
import atexit
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from gtfs.literal import literal_feed
from maas.eligibility import Claim
from maas.passes import PassHeld, PassUse
from maas.ports import EligibilityPort, NetworkPort, PassPort, PublishedNetwork
from maas.taps import Tap, service_date_of
from payments.accounts import traveller_receivable
from payments.ports import LedgerPort
from routing.build import build_network
from services.ledger.service import build as build_ledger
from services.payments.service import build as build_payments
from services.platform.auth import Role
from services.platform.clock import FixedClock
from services.settlement.service import build as build_settlement
from services.ticketing.service import build as build_ticketing
from tests.support.fares import TARIFFS, TOKYO
from tests.support.house import TestHouse, running_house
from tests.support.travel import at

TOKEN = "tok_0123456789abcdef"  # noqa: S105
FEED = """
    calendar all 2026-01-01 2026-12-31
    stop Toei.Oedo.Tochomae 35.69 139.69 name=都庁前
    stop Toei.Oedo.Daimon 35.65 139.75 name=大門
    route R1 rail
    stops Toei.Oedo.Tochomae Toei.Oedo.Daimon
    t1    08:00 08:20
"""


@dataclass
class Holder:
    """An EligibilityPort and a PassPort of what the test says travellers hold."""

    claims: list[Claim] = field(default_factory=list)
    passes: dict[str, list[PassHeld]] = field(default_factory=dict)
    uses: list[PassUse] = field(default_factory=list)

    async def list_claims(self, *, traveller_id: str, on: date) -> list[Claim]:
        return [each for each in self.claims if each.traveller_id == traveller_id and each.holds_on(on)]

    async def list_passes(self, *, traveller_id: str, service_date: date) -> list[PassHeld]:
        return [each for each in self.passes.get(traveller_id, []) if service_date]

    async def note_uses(self, *, uses: Sequence[PassUse]) -> list[PassHeld | None]:
        self.uses += uses
        return [None for _ in uses]

    async def list_holders(self, *, traveller_ids: Sequence[str], since: date, until: date) -> list[str]:
        assert since <= until
        holding = {each.traveller_id for each in self.claims} | self.passes.keys()
        return [each for each in traveller_ids if each in holding]


class Published:
    """A NetworkPort with one network of two stops and the demonstration city's tariffs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def get_in_force(self) -> PublishedNetwork | None:
        return PublishedNetwork(version="v1", path=str(self._folder), published_at=at("00:00"))


@cache
def compile_network() -> Path:
    """The network's folder: compiled once a process, gone with it."""
    folder = Path(tempfile.mkdtemp(prefix="tsunagu-travel-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    build_network([literal_feed(FEED, feed_id="demo")], folder / "network", version="v1", now=at("00:00"))
    shutil.copytree(TARIFFS, folder / "network" / "tariffs")
    return folder / "network"


@dataclass
class TravelHouse:
    """The services of a test, with their clock."""

    house: TestHouse
    clock: FixedClock
    holder: Holder

    @property
    def database(self) -> Any:
        return self.house.services["ticketing"].context.database

    async def call(self, method: str, path: str, **more: Any) -> Any:
        """The body of an answer that is no error."""
        status, body = await self.house.call(method, path, **more)
        assert status < 300, (status, body)
        return body

    async def refused(self, method: str, path: str, **more: Any) -> str:
        """The code of an answer that is one."""
        status, body = await self.house.call(method, path, **more)
        assert status >= 400, (status, body)
        return str(body["code"])

    async def enrol(
        self, token: str = TOKEN, *, kind: str = "ic_card", subject: str = "alice", **more: Any
    ) -> str:
        body = {"medium": token, "kind": kind, "label": "my card", **more}
        view = await self.call("POST", "/api/travel/media", subject=subject, body=body)
        return str(view["medium_id"])

    async def store(self, taps: Iterable[Tap], token: str = TOKEN) -> None:
        """Taps and their markers, as the intake writes them."""
        await store_taps(self.database, list(taps), token)

    async def until_quiet(self) -> None:
        """Until nothing waits to be rated, posted, relayed or earned."""
        for service in self.house.services.values():
            service.context.outbox.wake()
        for _ in range(3_000):
            if not await self._count_waiting():
                return
            await asyncio.sleep(0.05)
        refused = await self.house.services["payments"].context.database.fetch("select * from charge_refused")
        waiting = [await self.database.fetch(query, self.clock.now()) for query in LEFT]
        raise AssertionError(f"account-based travel never came to rest: {refused}, {waiting}")

    async def _count_waiting(self) -> int:
        payments = self.house.services["payments"].context.database
        # What the ledger could not give back before the operators had is asked for again, here at once.
        refused = await payments.fetchval("select count(*) from charge_refused")
        await payments.execute(
            "update charge_refused set next_attempt_at = clock_timestamp() where attempts < 20"
        )
        return int(refused) + int(await self.database.fetchval(WAITING, self.clock.now()))

    async def balances(self) -> dict[str, int]:
        """What each account is owed or owes, without the empty ones: credits less debits."""
        ledger = self.house.services["ledger"].ports[LedgerPort]
        sheet = await ledger.get_trial_balance()  # type: ignore[attr-defined]
        assert sheet.is_balanced
        return {each.account_id: each.net_credit for each in sheet.balances if each.net_credit}

    async def owed_by(self, customer: str = "alice") -> int:
        return -(await self.balances()).get(traveller_receivable(customer), 0)

    async def days(self, subject: str = "alice", **query: Any) -> list[Any]:
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        body = await self.call("GET", f"/api/travel/days?{asked}", subject=subject, role=Role.TRAVELLER)
        return list(body["days"])


WAITING = """
select (select count(*) from medium_due where due_at <= $1)
     + (select count(*) from travel_week where rate_at <= $1)
     + (select count(*) from travel_charge where status = 'decided')
     + (select count(*) from outbox where event_type = 'TravelEarned'
        and (published_at is null or waiting_for <> '{}'))
"""

LEFT = (
    "select * from medium_due where due_at <= $1",
    "select medium_ref, monday, rate_at from travel_week where rate_at <= $1",
    "select * from travel_charge where status = 'decided' and $1::timestamptz notnull",
    "select * from outbox where (published_at is null or waiting_for <> '{}') and $1::timestamptz notnull",
)

INSERT_TAP = """
insert into tap (device_id, sequence, operator_id, stop_id, reported_stop_id, kind, tapped_at, received_at,
    medium_ref, accepted_offline, verdict, is_counted, service_date)
values ($1, $2, $3, $4, $4, $5, $6, $6, $7, false, 'recorded', true, $8) on conflict do nothing returning 1
"""
INSERT_MARKER = "insert into medium_due (medium_ref, service_date, due_at) values ($1, $2, $3)"


async def store_taps(database: Any, taps: list[Tap], token: str) -> None:
    """What POST /api/taps does with taps of a medium, without its HTTP and signatures."""
    async with database.transaction() as tx:
        for tap in taps:
            day = service_date_of(tap.tapped_at, zone=TOKYO)
            args = (tap.device_id, tap.sequence, tap.operator_id, tap.stop_id, tap.kind.value, tap.tapped_at)
            if await tx.fetchval(INSERT_TAP, *args, token, day):
                await tx.execute(INSERT_MARKER, token, day, datetime(2026, 1, 1, tzinfo=TOKYO))


@asynccontextmanager
async def open_travel(url: str, folder: Path, *, now: datetime | None = None) -> AsyncIterator[TravelHouse]:
    """The house; the clock stands at the Monday's 23:00 unless the test says otherwise."""
    clock, holder = FixedClock(now or at("23:00")), Holder()
    builds = {
        "ledger": build_ledger,
        "payments": build_payments,
        "settlement": build_settlement,
        "ticketing": build_ticketing,
    }
    ports = {NetworkPort: Published(compile_network()), EligibilityPort: holder, PassPort: holder}
    async with running_house(url, builds, clock=clock, data_dir=folder, ports=ports) as house:
        yield TravelHouse(house, clock, holder)
