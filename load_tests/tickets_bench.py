"""How long a gate takes to accept or refuse a ticket, and how many it judges a second.

Protocol, fixed before any number was read (workload tickets-1):

1. `--tickets` tickets of four entitlements, valid for two days, seed 1; lists of 100,000 revoked fares,
   20,000 ended codes and 20,000 uses of other tickets in memory. One process, one thread. No network is
   touched: the process refuses every socket from the first measurement on (an audit hook).
2. Yardstick: one bare Ed25519 verification of the same bytes by the same library. Every row says how many of
   them it costs.
3. Each row judges every ticket once, in random order, each call timed by itself; every verdict is checked.
     static     a code on paper
     moving     a code on a device that changes every 30 s, at a moment drawn evenly from the two days
     longest    the last of 16,380 periods of 10 s: the most hashing that a code can ask for
     forged     a moving code with one bit of its link changed
     gate       `decide` on the moving codes: lists, memory, anti-passback
     kept       `ValidatorStore.check` on the static codes: the acceptance on the disk before the answer
     refused    the same once more: each is `already_used`
4. Both the clock on the wall and the thread's own time are read; on a machine that others use the second is
   what the code costs. Bound of the project: the 99th percentile of every row's own time stays under 50 ms,
   else the exit code is 1.

The default takes about 30 seconds. Results: one line of JSON with commit, machine and seed, and a table.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from load_tests.machine import describe_machine
from maas.taps import TapKind
from maas.tickets.base45 import decode_base45, encode_base45
from maas.tickets.holder import CodeSecret, show
from maas.tickets.issue import sign, sign_for_device
from maas.tickets.keys import KeyList, SigningKey, encode_key
from maas.tickets.layout import SIGNATURE_BYTES, decode_payload
from maas.tickets.moving_code import LINKS_MAX
from maas.tickets.revocations import Revocations, Uses
from maas.tickets.ticket import Entitlement, Ticket, TicketForm, operator_code, place_code
from maas.tickets.validator import Lists, Remembered, Scan, decide
from maas.tickets.verify import Checkpoint, VerdictStatus, verify
from services.cli.validator.store import ValidatorStore

SEED = 1
BOUND_MS = 50
STARTS = datetime(2026, 5, 19, 19, tzinfo=UTC)
TWO_DAYS = timedelta(days=2)
OPERATOR, STOP = "3010401020097", "demo:[05]東京・竹芝"
PIER = Checkpoint(operator_id=OPERATOR, stop_id=STOP)
KEY = SigningKey.generate(
    key_id=7, valid_from=STARTS - timedelta(days=9), valid_until=STARTS + timedelta(days=9)
)
KEYS = KeyList.of(KEY.public)
REVOKED, ENDED, USED = 100_000, 20_000, 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A code, when it is shown, and what must be said of it."""

    payload: str
    at: datetime
    status: VerdictStatus = VerdictStatus.ACCEPTED


def build_ticket(chance: random.Random) -> Ticket:
    """A ticket of a night trip: four operators, the ship among them."""
    others = [
        Entitlement(
            operator_code=operator_code(name),
            fare_index=index,
            class_code=0,
            origin_code=7,
            destination_code=9,
        )
        for index, name in enumerate(("Toei", "Yurikamome", "1010001131230"))
    ]
    ship = Entitlement(
        operator_code=operator_code(OPERATOR),
        fare_index=3,
        class_code=1,
        origin_code=place_code(OPERATOR, STOP),
        destination_code=5,
    )
    return Ticket(
        key_id=KEY.public.key_id,
        ticket_ref=chance.randbytes(8).hex(),
        valid_from=STARTS,
        valid_until=STARTS + TWO_DAYS,
        adults=1,
        children=0,
        infants=0,
        entitlements=(*others, ship),
    )


def show_moving(ticket: Ticket, at: datetime, period_s: int) -> Shown:
    """The code that a device shows at a moment."""
    bound = replace(ticket, form=TicketForm.DEVICE, edition=1)
    if period_s * LINKS_MAX < TWO_DAYS.total_seconds():
        minutes = period_s * LINKS_MAX // 60
        bound = replace(bound, valid_until=STARTS + timedelta(minutes=minutes))
    secret = CodeSecret.draw(
        ticket_ref=bound.ticket_ref, valid_from=STARTS, valid_until=bound.valid_until, period_s=period_s
    )
    moment = min(at, bound.valid_until - timedelta(seconds=1))
    part = sign_for_device(bound, KEY, anchor=secret.anchor, period_s=period_s)
    return Shown(payload=show(part, secret, moment), at=moment)


def forge(shown: Shown) -> Shown:
    """One bit of the link changed."""
    raw = bytearray(decode_base45(shown.payload))
    raw[-SIGNATURE_BYTES - 1] ^= 1
    return Shown(payload=encode_base45(bytes(raw)), at=shown.at, status=VerdictStatus.FORGED)


def build_lists(chance: random.Random) -> Lists:
    """What a gate of a large city has heard of other tickets."""

    def refs(count: int) -> list[str]:
        return [chance.randbytes(8).hex() for _ in range(count)]

    return Lists(
        keys=KEYS,
        revocations=Revocations(
            revoked=frozenset((ref, 0) for ref in refs(REVOKED)), first_editions=dict.fromkeys(refs(ENDED), 1)
        ),
        uses=Uses(first_used_at={(ref, 0): STARTS for ref in refs(USED)}),
        fetched_at=STARTS,
    )


def measure(shown: Sequence[Shown], judge: Callable[[Shown], VerdictStatus]) -> dict[str, float]:
    """Milliseconds of each call; every verdict is checked."""
    walls, owns = [], []
    for each in shown:
        started, own_started = time.perf_counter(), time.thread_time()
        status = judge(each)
        owns.append((time.thread_time() - own_started) * 1e3)
        walls.append((time.perf_counter() - started) * 1e3)
        assert status is each.status, f"{status} instead of {each.status}"
    return {
        "per_s": round(len(walls) / sum(walls) * 1e3),
        "own_per_s": round(len(owns) / sum(owns) * 1e3),
        "median_ms": round(statistics.median(walls), 3),
        "own_median_ms": round(statistics.median(owns), 3),
        "p99_ms": round(statistics.quantiles(walls, n=100)[98], 3),
        "own_p99_ms": round(statistics.quantiles(owns, n=100)[98], 3),
    }


def measure_yardstick(shown: Sequence[Shown]) -> dict[str, float]:
    """A bare verification of each code's signature."""
    taken = [decode_payload(each.payload) for each in shown]
    public = KEY.private_key.public_key()
    places = iter(range(len(taken)))

    def check(each: Shown) -> VerdictStatus:
        payload = taken[next(places)]
        public.verify(payload.signature, payload.signed)
        return each.status

    return measure(shown, check)


def measure_store(static: Sequence[Shown]) -> dict[str, dict[str, float]]:
    """A validator with a file: first passages, and the same codes again."""
    keys = {
        "keys": [
            {
                "key_id": KEY.public.key_id,
                "public_key": encode_key(KEY.public.public_key),
                "valid_from": KEY.public.valid_from.isoformat(),
                "valid_until": KEY.public.valid_until.isoformat(),
            }
        ]
    }
    with tempfile.TemporaryDirectory() as folder:
        store = ValidatorStore.create(Path(folder) / "gate", "gate-1")
        store.take_keys(json.dumps(keys))

        def check(each: Shown) -> VerdictStatus:
            return store.check(each.payload, at=PIER, kind=TapKind.SCAN, now=each.at).verdict.status

        kept = measure(static, check)
        again = [
            replace(each, at=each.at + timedelta(minutes=5), status=VerdictStatus.ALREADY_USED)
            for each in static
        ]
        refused = measure(again, check)
        store.close()
    return {"kept": kept, "refused": refused}


def refuse_sockets() -> None:
    """From now on whoever touches a socket fails."""

    def refuse(event: str, _arguments: tuple[object, ...]) -> None:
        assert not event.startswith("socket."), f"a gate calls nobody: {event}"

    sys.addaudithook(refuse)


def main() -> None:
    """Measure, and print one line of JSON and a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tickets", type=int, default=1_000)
    options = parser.parse_args()
    machine = describe_machine()
    chance = random.Random(SEED)
    tickets = [build_ticket(chance) for _ in range(options.tickets)]
    moments = [STARTS + timedelta(seconds=chance.randrange(2 * 86_400 - 600)) for _ in tickets]
    static = [Shown(payload=sign(ticket, KEY), at=at) for ticket, at in zip(tickets, moments, strict=True)]
    moving = [show_moving(ticket, at, 30) for ticket, at in zip(tickets, moments, strict=True)]
    longest = [show_moving(ticket, STARTS + TWO_DAYS, 10) for ticket in tickets[: options.tickets // 5]]
    lists = build_lists(chance)
    refuse_sockets()

    def bare(each: Shown) -> VerdictStatus:
        return verify(each.payload, keys=KEYS, now=each.at, at=PIER, revocations=lists.revocations).status

    memory: dict[str, Remembered] = {}

    def gate(each: Shown) -> VerdictStatus:
        scan = Scan(
            payload=each.payload,
            device_id="gate-1",
            sequence=len(memory),
            tapped_at=each.at,
            kind=TapKind.SCAN,
            at=PIER,
        )
        decision = decide(scan, lists=lists, recall=lambda ref: memory.get(ref, Remembered()))
        if decision.remembered is not None and decision.verdict.ticket is not None:
            memory[decision.verdict.ticket.ticket_ref] = decision.remembered
        return decision.verdict.status

    rows = {
        "yardstick": measure_yardstick(static),
        "static": measure(static, bare),
        "moving": measure(moving, bare),
        "longest": measure(longest, bare),
        "forged": measure([forge(each) for each in moving], bare),
        "gate": measure(moving, gate),
        **measure_store(static),
    }
    unit = rows["yardstick"]["own_median_ms"]
    result = {"workload": "tickets-1", "seed": SEED, **machine, "tickets": options.tickets, "rows": rows}
    print(json.dumps(result))
    for name, row in rows.items():
        print(
            f"{name:<10} own {row['own_per_s']:>7,}/s, p99 {row['own_p99_ms']:>7.3f} ms"
            f"   wall {row['per_s']:>7,}/s, p99 {row['p99_ms']:>7.3f} ms"
            f"  {row['own_median_ms'] / unit:>6.1f} verifications"
        )
    sys.exit(int(any(row["own_p99_ms"] >= BOUND_MS for row in rows.values())))


if __name__ == "__main__":
    main()
