"""The same taps in any order, twice, late and by clocks that run ahead end in the same rides and earnings.

A journey whose first, third and fifth fare begin at one gate: which of them was ridden is known only at the
exit, so taps that come late correct what was earned before. The oracle is the pure function over all taps.
"""

import os
import random
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from maas.taps import Tap, TapKind, is_earned, pair_rides
from maas.tickets.layout import decode_payload
from tests.support.counter import BOUGHT_AT, Counter
from tests.support.fares import journey, ride, walk
from tests.support.tickets import TOKYO, tokyo_time

SEED = int(os.environ.get("MAAS_SEED", "1"))
EXAMPLES = 25
ALL_IS_KNOWN = tokyo_time(24, "05:00")
GATES = [f"demo:Toei.Oedo.{name}" for name in ("Tochomae", "Shiodome", "Nerima")]
THERE_AND_ELSEWHERE = journey(
    ride("Toei.Oedo", "Tochomae", "Shiodome", at="10:00", minutes=20),
    walk(),
    ride("Yurikamome.Yurikamome", "Shiodome", "Takeshiba", at="10:30", minutes=4),
    walk(),
    ride("Toei.Oedo", "Tochomae", "Nerima", at="12:00", minutes=15),
    walk(),
    ride("Yurikamome.Yurikamome", "Shiodome", "Shimbashi", at="13:30", minutes=4),
    walk(),
    ride("Toei.Oedo", "Tochomae", "Shiodome", at="15:00", minutes=20),
)


class Taps:
    """Taps of one example: two devices, one with a clock that is a minute and a half ahead."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        start = tokyo_time(20, "10:00")
        self.made = [self._make(number, start) for number in range(chance.randint(2, 8))]

    def _make(self, number: int, start: datetime) -> tuple[str, dict[str, Any]]:
        device, ahead_s = self._chance.choice([("a", 0), ("b", 90)])
        happened_at = start + timedelta(
            seconds=self._chance.choice([60, 600, 3600]) * self._chance.randint(0, 9)
        )
        return device, {
            "sequence": number,
            "tapped_at": (happened_at + timedelta(seconds=ahead_s)).isoformat(),
            "kind": self._chance.choice(["enter", "exit", "exit"]) if number else "enter",
            "operator_id": "Toei",
            "stop_id": self._chance.choice(GATES) if number else GATES[0],
        }

    def shuffled(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """Batches of one device each, in any order, some of them twice."""
        order = self.made + self._chance.choices(self.made, k=2)
        self._chance.shuffle(order)
        return [(device, [body]) for device, body in order]

    def as_taps(self, names: int) -> list[Tap]:
        return [
            Tap(
                device_id=f"Toei/{device}",
                sequence=names + body["sequence"],
                tapped_at=datetime.fromisoformat(body["tapped_at"]),
                kind=TapKind(body["kind"]),
                operator_id="Toei",
                stop_id=body["stop_id"],
            )
            for device, body in self.made
        ]


async def send(
    counter: Counter, payload: str, device: str, bodies: list[dict[str, Any]], *, names: int
) -> None:
    taps = [{**body, "payload": payload, "sequence": names + body["sequence"]} for body in bodies]
    status, answer = await counter.send(taps, operator="Toei", device=device)
    assert status == 200, answer


async def list_turns(counter: Counter, order_id: object) -> dict[int, list[tuple[str, int]]]:
    """What was told of each component: (event, turn), by turn."""
    rows = await counter.context.database.fetch(
        "select event_type, payload from outbox where event_type in ('RideRated', 'RideUnrated')"
    )
    told: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for row in rows:
        if row["payload"]["order_id"] == str(order_id):
            told[row["payload"]["component_index"]].append((row["event_type"], row["payload"]["turn"]))
    return {index: sorted(turns, key=lambda told: told[1]) for index, turns in told.items()}


async def find_rides(counter: Counter, order_id: object) -> list[tuple[Any, ...]]:
    rows = await counter.context.database.fetch(
        "select entitlement_index, state, began_at, ended_at from ride where order_id = $1 order by 1",
        order_id,
    )
    return [tuple(row) for row in rows]


async def test_any_order_and_delay_of_the_same_taps_ends_the_same(counter: Counter) -> None:
    corrected = 0
    for number in range(EXAMPLES):
        chance = random.Random(f"{SEED}/{number}")
        taps, names = Taps(chance), 100 * number
        counter.clock.set(BOUGHT_AT)
        event = await counter.confirm(trip=THERE_AND_ELSEWHERE)
        payload = (await counter.tickets(event))[0]["payload"]
        now = tokyo_time(20, "10:00")
        batches = taps.shuffled()
        for device, bodies in batches:
            # Each may come hours or days later than the one before, 72 hours in all; all is rated in between.
            now += timedelta(hours=chance.uniform(0, 72 / len(batches)))
            counter.clock.set(now)
            await send(counter, payload, device, bodies, names=names)
            if chance.random() < 0.7:
                await counter.settle()
        counter.clock.set(ALL_IS_KNOWN)
        await counter.settle()
        entitlements = decode_payload(payload).ticket.entitlements
        expected = pair_rides(taps.as_taps(names), entitlements)
        assert await find_rides(counter, event.order_id) == [
            (
                each.entitlement_index,
                each.state.value,
                each.began and each.began.tapped_at,
                each.ended and each.ended.tapped_at,
            )
            for each in expected
        ], f"seed {SEED}/{number}"
        turns = await list_turns(counter, event.order_id)
        for told in turns.values():
            # Each turn once, in alternation: earned, taken back, earned.
            assert told == [("RideUnrated" if turn % 2 else "RideRated", turn) for turn in range(len(told))]
        earned = {index for index, told in turns.items() if len(told) % 2}
        # One component a fare: the ticket has one rider.
        assert earned == {
            each.entitlement_index for each in expected if is_earned(each, now=ALL_IS_KNOWN, zone=TOKYO)
        }, f"seed {SEED}/{number}"
        corrected += sum(len(told) > 1 for told in turns.values())
    assert corrected, "the examples must contain what the corrections are for"


async def test_a_late_exit_moves_what_was_earned_to_the_fare_that_was_ridden(counter: Counter) -> None:
    event = await counter.confirm(trip=THERE_AND_ELSEWHERE)
    payload = (await counter.tickets(event))[0]["payload"]
    counter.clock.set(tokyo_time(20, "12:00"))
    entry = {
        "sequence": 1,
        "tapped_at": tokyo_time(20, "12:00").isoformat(),
        "kind": "enter",
        "operator_id": "Toei",
        "stop_id": GATES[0],
    }
    await send(counter, payload, "a", [entry], names=0)
    counter.clock.set(tokyo_time(21, "05:00"))
    await counter.settle()
    # Without an exit the first fare from that gate is taken: 0, to Shiodome.
    assert await list_turns(counter, event.order_id) == {0: [("RideRated", 0)]}
    leaving = {**entry, "kind": "exit", "stop_id": GATES[2], "tapped_at": tokyo_time(20, "12:20").isoformat()}
    counter.clock.set(tokyo_time(23, "12:00"))
    await send(counter, payload, "b", [leaving], names=0)
    await counter.settle()
    # It was the ride to Nerima: fare 2 is earned, what 0 earned goes back, and 0 is unused again.
    assert await list_turns(counter, event.order_id) == {
        0: [("RideRated", 0), ("RideUnrated", 1)],
        2: [("RideRated", 0)],
    }
    states = [fare["state"] for fare in (await counter.tickets(event))[0]["fares"]]
    assert states == ["unused", "unused", "used", "unused", "unused"]
    assert [ride["component_index"] for ride in await counter.rides() if ride["rated_at"]] == [2]
