"""The pure ledger and the one in PostgreSQL side by side, while whatever can die dies in every phase.

Three ledgers work on the same tables, so each remembers what another has changed: two here, one in a
process of its own. A batch is stopped before it writes its accounts, its transfers, its holds or their
ends, and there the backend is terminated, the process killed with -9, or the whole server is; or only the
answer is lost. Then the same batch is sent again, to whichever ledger. Whatever happened, it happened as a
whole or not at all, and from then on every status and every balance is the pure ledger's.
"""

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count, product
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from payments.accounts import Balance
from payments.ledger import Ledger, is_moving
from payments.literal import START
from payments.transfers import Transfer, TransferCode, TransferKind
from services.ledger.questions import LedgerQuestions, Place
from services.ledger.store import LedgerStore
from services.platform.database import Database
from services.platform.embedded.postgres import EmbeddedPostgres
from tests.support.ledger_batches import ACCOUNTS, transfers
from tests.support.ledger_database import list_unsound, open_ledger_database
from tests.support.ledger_process import LedgerProcess

# Where a batch is stopped: a lock that the named step has to wait for.
PHASES = {
    "accounts": "lock table ledger.accounts in exclusive mode",
    "transfers": "lock table ledger.transfers in share mode",
    "holds": "lock table ledger.open_holds in share mode",
    "expirations": "lock table ledger.expirations in share mode",
}
DEATHS = ("backend", "backend", "backend", "process", "server", "answer")
GONE = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


class Servers:
    """One durable server for all examples, two ledgers here and one in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._server = EmbeddedPostgres(folder)
        self.url = self._server.start()
        self.runner = asyncio.Runner()
        self.numbers = count()
        self.database: Database = self.runner.run(open_ledger_database(self.url))
        self.process = LedgerProcess(self.url)
        self.ledgers: list[Any] = [LedgerStore(self.database), LedgerStore(self.database), self.process]
        self.deaths = dict.fromkeys(DEATHS, 0)

    def crash_server(self) -> None:
        """Every server process ends at once; the next start recovers from the log."""
        os.kill(self._server.pid, signal.SIGQUIT)
        self._server.stop()
        assert self._server.start() == self.url

    def close(self) -> None:
        self.process.close()
        self.runner.run(self.database.close())
        self.runner.close()
        self._server.stop()


@dataclass(frozen=True)
class Crash:
    phase: str
    death: str


crashes = st.none() | st.builds(Crash, st.sampled_from([*PHASES]), st.sampled_from(DEATHS))


class Crashes(RuleBasedStateMachine):
    servers: Servers

    def __init__(self) -> None:
        super().__init__()
        self.prefix = f"x{next(self.servers.numbers)}-"
        self.pure = Ledger()
        self.now = START
        self.known: list[Transfer] = []
        self.ids: set[UUID] = set()
        self.accounts = [replace(each, account_id=self.prefix + each.account_id) for each in ACCOUNTS]
        for account in self.accounts:
            self.pure.open_account(account)
        store = self.servers.ledgers[0]
        self._run(store.open_accounts(self.accounts, now=START))
        self.post([self.transfer("bank", "rider", 1000), self.transfer("till", "bank", 300)], None, 0, 0)

    def _run(self, work: Any) -> Any:
        return self.servers.runner.run(work)

    @rule(
        data=st.data(),
        size=st.integers(1, 5),
        crash=crashes,
        first=st.integers(0, 2),
        second=st.integers(0, 2),
    )
    def send(self, data: st.DataObject, size: int, crash: Crash | None, first: int, second: int) -> None:
        batch = []
        for _ in range(size):
            one = data.draw(transfers(tuple(self.known)))
            self.known.append(one)
            effective_at = START + timedelta(seconds=data.draw(st.integers(-5, 5)))
            batch.append(replace(_renamed(one, self.prefix), effective_at=effective_at))
        self.post(batch, crash, first, second)

    @rule(seconds=st.integers(1, 12))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(which=st.integers(0, 1))
    def clear_away(self, which: int) -> None:
        # Holds end by themselves; that somebody clears them away must not be seen.
        self._run(self.servers.ledgers[which].expire_due_holds(now=self.now))
        self.compare_balances()

    @rule(known_back_s=st.integers(0, 20), effective_back_s=st.integers(-5, 5))
    def ask_about_the_past(self, known_back_s: int, effective_back_s: int) -> None:
        known_at = self.now - timedelta(seconds=known_back_s)
        as_of = START + timedelta(seconds=effective_back_s)
        known = [(each, at) for each, at in self.pure.log if at <= known_at]
        ended = {each.pending_id for each, _ in known}
        moved = [each for each, _ in known if is_moving(each) and each.effective_at < as_of]
        held = [
            each
            for each, at in known
            if each.kind is TransferKind.PENDING
            and each.effective_at < as_of
            and each.transfer_id not in ended
            and (each.timeout_s is None or at + timedelta(seconds=each.timeout_s) > known_at)
        ]
        questions = LedgerQuestions(self.servers.database, self.servers.ledgers[0])
        for account in self.accounts:
            name = account.account_id
            expected = Balance(
                account_id=name,
                debits_posted=sum(each.amount_minor for each in moved if each.debit == name),
                credits_posted=sum(each.amount_minor for each in moved if each.credit == name),
                debits_pending=sum(each.amount_minor for each in held if each.debit == name),
                credits_pending=sum(each.amount_minor for each in held if each.credit == name),
            )
            assert self._run(questions.get_balance_at(account, Place(as_of), known_at=known_at)) == expected

    def post(self, batch: list[Transfer], crash: Crash | None, first: int, second: int) -> None:
        self.ids.update(each.transfer_id for each in batch)
        before = self._count_rows()
        died = crash is not None and self._run(self._crash(batch, crash, first))
        if died:
            # As a whole or not at all: what is there tells which, and the pure ledger follows.
            after = self._count_rows()
            if after != before:
                self.pure.post(batch, now=self.now)
            assert after == len(self.pure.recorded) + len(self.pure.refused)
        expected = self.pure.post(batch, now=self.now)
        assert self._run(self.servers.ledgers[second].post([batch], now=self.now)) == [expected]
        assert self._count_rows() == len(self.pure.recorded) + len(self.pure.refused)
        self.compare_balances()

    async def _crash(self, batch: Sequence[Transfer], crash: Crash, which: int) -> bool:
        """Send the batch and let something die on the way. Whether its answer is lost."""
        servers = self.servers
        ledger = servers.process if crash.death == "process" else servers.ledgers[which]
        if ledger is servers.process:
            with suppress(*GONE):
                await ledger.post([], now=self.now)  # it may have to be started first
        blocker = await asyncpg.connect(servers.url)
        try:
            await blocker.execute("begin")
            await blocker.execute(PHASES[crash.phase])
            sending = asyncio.create_task(ledger.post([batch], now=self.now))
            pid = await self._find_stopped(sending)
            if pid is not None:
                servers.deaths[crash.death] += 1
            if pid is not None and crash.death == "backend":
                await blocker.execute("select pg_terminate_backend($1)", pid)
            if pid is not None and crash.death == "server":
                await asyncio.to_thread(servers.crash_server)
            if crash.death == "process":
                servers.process.kill()
            with suppress(*GONE):
                await blocker.execute("rollback")
            with suppress(*GONE):
                await sending
            if pid is not None:
                await self._await_end(pid)
        finally:
            with suppress(*GONE):
                await blocker.close()
        return True

    async def _find_stopped(self, sending: "asyncio.Task[Any]") -> int | None:
        """The backend that waits for the lock, or None when the batch did not come that far."""
        # Not asked by the blocker: within a transaction the answer would stay the first one.
        for _ in range(20_000):
            pid: int | None = await self._ask(
                "select pid from pg_stat_activity where wait_event_type = 'Lock' "
                "and application_name = 'maas-ledger' and datname = current_database() limit 1"
            )
            if pid is not None:
                return pid
            if sending.done():
                return None
            await asyncio.sleep(0.002)
        raise AssertionError("the batch neither waits nor ends")

    async def _await_end(self, pid: int) -> None:
        """A backend whose client was killed goes on alone: wait for what it does."""
        for _ in range(1000):
            working = await self._ask(
                "select count(*) from pg_stat_activity where pid = $1 and state <> 'idle' "
                "and pid <> pg_backend_pid()",
                pid,
            )
            if not working:
                return
            await asyncio.sleep(0.005)
        raise AssertionError("a backend does not end")

    async def _ask(self, query: str, *args: object) -> Any:
        """One value; the first try may meet a session that died with the server."""
        with suppress(*GONE):
            return await self.servers.database.fetchval(query, *args)
        return await self.servers.database.fetchval(query, *args)

    def _count_rows(self) -> int:
        query = "select count(*) from transfers where transfer_id = any ($1::uuid[])"
        rows: int = self._run(self._ask(query, [*self.ids]))
        return rows

    def transfer(self, debit: str, credit: str, amount: int, **fields: Any) -> Transfer:
        return Transfer(
            transfer_id=uuid4(),
            debit=self.prefix + debit,
            credit=self.prefix + credit,
            amount_minor=amount,
            code=TransferCode.TOP_UP,
            reference="test",
            effective_at=START,
            **fields,
        )

    def compare_balances(self) -> None:
        for account in self.accounts:
            got = self._run(self.servers.ledgers[0].get_account(account.account_id, now=self.now))
            assert got.balance == self.pure.get_balance(account.account_id, now=self.now)

    def teardown(self) -> None:
        assert self._run(list_unsound(self.servers.database)) == []


def _renamed(each: Transfer, prefix: str) -> Transfer:
    return replace(
        each,
        transfer_id=uuid5(each.transfer_id, prefix),
        pending_id=None if each.pending_id is None else uuid5(each.pending_id, prefix),
        debit=prefix + each.debit,
        credit=prefix + each.credit,
    )


@pytest.fixture(scope="module")
def servers(server_folder: Path) -> Iterator[Servers]:
    servers = Servers(server_folder / "crashes")
    yield servers
    servers.close()


def machine_of(servers: Servers) -> type[Crashes]:
    class Machine(Crashes):
        pass

    Machine.servers = servers
    return Machine


@pytest.mark.parametrize(("phase", "death"), [*product(PHASES, sorted(set(DEATHS)))])
def test_each_death_in_each_phase(servers: Servers, phase: str, death: str) -> None:
    machine = machine_of(servers)()
    pending = {"kind": TransferKind.PENDING}
    ends = machine.transfer("rider", "operator", 50, timeout_s=5, **pending)
    stays = machine.transfer("rider", "operator", 60, **pending)
    machine.post([ends, stays], None, 0, 0)
    machine.now += timedelta(seconds=5)
    batch = [
        machine.transfer("rider", "fares", 10, linked=True),
        machine.transfer("till", "bank", 5),
        machine.transfer(
            "rider", "operator", 50, kind=TransferKind.POST_PENDING, pending_id=ends.transfer_id
        ),
        machine.transfer(
            "rider", "operator", 40, kind=TransferKind.POST_PENDING, pending_id=stays.transfer_id
        ),
        machine.transfer("rider", "operator", 70, timeout_s=9, **pending),
        machine.transfer("rider", "fares", 9000),
    ]
    died = servers.deaths[death]
    machine.post(batch, Crash(phase, death), first=1, second=0)
    assert servers.deaths[death] == died + 1
    machine.teardown()


@pytest.mark.timeout(600)
def test_whatever_dies_both_ledgers_agree(servers: Servers) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine_of(servers),
        settings=settings(
            max_examples=25, stateful_step_count=14, deadline=None, suppress_health_check=[*HealthCheck]
        ),
    )
