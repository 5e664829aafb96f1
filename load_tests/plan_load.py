"""Travellers ask for journeys: GET /api/v6/plan of planners on this machine, at a rate or flat out.

Problem   As with taps (taps_load.py): who waits for each answer before asking again measures politeness, and
          whoever draws or reads more than it must takes the planners' own cores away.
Idea      All queries are drawn before the clock starts. At a rate, each is sent when it is due (open loop),
          and late counts from when it was due. Flat out, so many ask at once again and again. Answers are
          read whole; of each the status counts, and whether it has a journey, found without parsing it.
Bounds    127.0.0.1 only; a fixed number of queries; no answer is waited for longer than ten seconds.
"""

import argparse
import asyncio
import json
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import uvloop
from yarl import URL

ANSWER_S_MAX = 10.0
CONNECTIONS = 64
_ITINERARY = b'"journeyId"'


@dataclass(slots=True)
class Outcome:
    """What became of the queries; `empty` were answered without a journey."""

    answered: int = 0
    refused: int = 0
    first_refusal: str = ""
    lost: int = 0
    empty: int = 0
    byte_count: int = 0
    times_s: list[float] = field(default_factory=list)
    took_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        ranked = sorted(self.times_s)
        return {
            "answered": self.answered,
            "refused": self.refused,
            "first_refusal": self.first_refusal,
            "lost": self.lost,
            "empty": self.empty,
            "kb": round(self.byte_count / max(1, self.answered) / 1000, 1),
            "per_s": round(self.answered / self.took_s, 1),
            "median_ms": round(statistics.median(ranked) * 1000, 1) if ranked else None,
            "p95_ms": round(ranked[int(len(ranked) * 0.95)] * 1000, 1) if ranked else None,
            "p99_ms": round(ranked[int(len(ranked) * 0.99)] * 1000, 1) if ranked else None,
        }


def draw_queries(
    places: Sequence[str], count: int, *, on: date, seed: int, others: dict[str, str]
) -> list[URL]:
    """Paths of queries between two different places of the list, at minutes of the network's day, 6 to 23."""
    dice = random.Random(seed)
    begin = datetime(on.year, on.month, on.day, 6)  # noqa: DTZ001 - the network's own time
    queries = []
    for _ in range(count):
        origin, destination = dice.sample(places, 2)
        at = begin + timedelta(minutes=dice.randrange(17 * 60))
        asked = {"fromPlace": origin, "toPlace": destination, "time": at.isoformat(), **others}
        queries.append(URL("/api/v6/plan").with_query(asked))
    return queries


async def ask(session: aiohttp.ClientSession, query: URL, due_s: float, outcome: Outcome) -> None:
    """One query, timed from when it was due."""
    try:
        async with session.get(query) as answer:
            body = await answer.read()
    except (aiohttp.ClientError, TimeoutError):
        outcome.lost += 1
        return
    if answer.status != 200:  # noqa: PLR2004 - anything else is no journey
        outcome.refused += 1
        outcome.first_refusal = outcome.first_refusal or body[:500].decode(errors="replace")
        return
    outcome.times_s.append(time.perf_counter() - due_s)
    outcome.answered += 1
    outcome.byte_count += len(body)
    outcome.empty += _ITINERARY not in body


async def ask_at_rate(url: str, queries: Sequence[URL], rate: float) -> Outcome:
    """Each when it is due, whatever became of those before."""
    outcome = Outcome()
    async with _open_session(url) as session, asyncio.TaskGroup() as group:
        started_s = time.perf_counter()
        for place, query in enumerate(queries):
            due_s = started_s + place / rate
            await asyncio.sleep(due_s - time.perf_counter())
            group.create_task(ask(session, query, due_s, outcome))
    outcome.took_s = time.perf_counter() - started_s
    return outcome


async def ask_flat_out(url: str, queries: Sequence[URL], at_once: int) -> Outcome:
    """So many at once, the next when one is answered."""
    outcome, waiting = Outcome(), iter(queries)

    async def ask_on(session: aiohttp.ClientSession) -> None:
        for query in waiting:
            await ask(session, query, time.perf_counter(), outcome)

    async with _open_session(url) as session:
        started_s = time.perf_counter()
        await asyncio.gather(*(ask_on(session) for _ in range(at_once)))
        outcome.took_s = time.perf_counter() - started_s
    return outcome


def _open_session(url: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        base_url=url,
        connector=aiohttp.TCPConnector(limit=CONNECTIONS),
        timeout=aiohttp.ClientTimeout(total=ANSWER_S_MAX),
    )


def main() -> None:
    """Ask, and write down what came of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--places", type=Path, required=True, help="a place a line")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--on", type=date.fromisoformat, required=True)
    parser.add_argument(
        "--rate", type=float, help="queries a second; without it, as fast as they are answered"
    )
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--with", dest="others", type=json.loads, default={}, help="further parameters, as JSON"
    )
    args = parser.parse_args()
    assert urlsplit(args.url).hostname == "127.0.0.1", "only planners on this machine are loaded"
    places = args.places.read_text(encoding="utf-8").splitlines()
    queries = draw_queries(places, args.count, on=args.on, seed=args.seed, others=args.others)
    asking = (
        ask_at_rate(args.url, queries, args.rate)
        if args.rate
        else ask_flat_out(args.url, queries, args.at_once)
    )
    print(json.dumps(uvloop.run(asking).as_json()))


if __name__ == "__main__":
    main()
