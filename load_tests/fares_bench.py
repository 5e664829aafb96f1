"""How many rides a minute are rated, and what one journey, its price worlds, a day and a week cost.

Protocol, fixed before any number was read (workload fares-2: the rides of fares-1, more questions):

1. The demonstration city's tariff tables. A ride is what taps leave: gates, minute, rider; 70 % one subway
   ride between two gates of one operator drawn evenly (Tokyo Metro and Toei, all stations), 10 % Metro and
   Toei over a junction (the joint fare), 8 % one bus, 4 % bus and bus, 8 % Yurikamome; 80 % adults, 10 %
   children, 5 % elderly with a Silver Pass, 5 % disabled riders with their helper; all by IC, seed 1.
   Station names that the tariff takes as one station are not drawn as a pair.
2. Batch: `--rides` rides in as many processes as given (2), each with an engine of its own. The clock runs
   from the moment all processes have read the tables until the last has rated its share; it includes building
   the journeys, the explanation of every price and its shares, and finding each station pair the first time.
   `rides_per_processor_minute` is by the workers' own processor time: what a shared machine leaves out.
3. The first 2,000 rides are rated again in the parent: both must sum to the same yen.
4. One journey: the time of `price` for each of 20,000 rides of the mix in one process, after one pass that
   does not count: median and 99th percentile.
5. While planning: `price_journey` of the planner, all four media for adult and child and every pass on
   sale, for 2,000 rides of the mix: what one journey of a Pareto set costs to price in every world.
6. A traveller's day (5 rides) and week (25 rides) of the mix, 300 travellers: `rate_week` from rides to
   charges and refunds, chained discounts, caps and the best-fare promise of every day and of the week.
7. The yardstick: building the journeys of the batch without pricing them, in one process of the same run.
   `batch_to_yardstick` is the processor time of rating one ride over that of building it.

Bounds of the project: 1,000,000 rides a minute on two processors; one journey under a millisecond. A bound
that is missed gives exit code 1.

The default takes about 25 seconds. Results: one line of JSON with commit, machine and seed, and a table.
"""

import argparse
import csv
import json
import multiprocessing
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from load_tests.machine import ROOT, describe_machine
from maas.fares.charged import ServiceClock
from maas.fares.csv_tables import TariffProblem, read_table
from maas.fares.engine import FareEngine
from maas.fares.in_force import TariffInForce
from maas.fares.network_fares import NetworkFares
from maas.fares.riders import ALONE, Company
from maas.fares.service_week import RideMade, rate_week
from maas.fares.tables import TABLES
from maas.journeys import Journey, Leg, Mode, Place
from maas.prices import FareMedium, RiderCategory
from services.planner.pricing import price_journey

TARIFFS = ROOT / "services" / "demo" / "city" / "tariffs"
TOKYO = ZoneInfo("Asia/Tokyo")
DAY = date(2026, 5, 18)
SEED = 1
WARM_RIDES = 20_000
WORLD_RIDES = 2_000
PROCESSES = 2
RIDES_PER_MINUTE_MIN = 1_000_000
JOURNEY_US_MAX = 1_000
TRAVELLERS = 300
PAIR = Company(partner=RiderCategory.HELPER)
RIDERS = (
    *[(RiderCategory.ADULT, ALONE)] * 16,
    *[(RiderCategory.CHILD, ALONE)] * 2,
    (RiderCategory.SENIOR, ALONE),
    (RiderCategory.DISABLED, PAIR),
)

# A ride as taps leave it: minute of the day, rider, company, legs of (operator, route, origin, destination).
TappedLeg = tuple[str, str, str, str]
Tapped = tuple[int, RiderCategory, Company, tuple[TappedLeg, ...]]
MIX = {"subway": 70, "joint": 10, "bus": 8, "two buses": 4, "yurikamome": 8}
OPERATORS = {
    "subway": (("tokyo_metro", "TokyoMetro"), ("toei_subway", "Toei")),
    "yurikamome": (("yurikamome", "Yurikamome"),),
}
BUS: TappedLeg = ("ToeiBus", "ToeiBus.X", "ToeiBus.X.a", "ToeiBus.X.b")
RESULT_WAIT_S_MAX = 300


class Gates:
    """The stations that rides are drawn from."""

    def __init__(self, folder: Path) -> None:
        problems: list[TariffProblem] = []
        self._tariff = TariffInForce({kind: read_table(folder, kind, problems) for kind in TABLES}, DAY)
        self.stops: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.at: dict[tuple[str, str], tuple[str, str]] = {}
        for row in _rows(folder / "line_km.csv"):
            stop = (row["line"], f"{row['line']}.{row['station']}")
            self.stops[row["network_id"]].append(stop)
            self.at[row["network_id"], row["station"]] = stop
        self.junctions = [
            (self.at["tokyo_metro", row["station"]], self.at["toei_subway", row["other_station"]])
            for row in _rows(folder / "links.csv")
            if (row["network_id"], row["other_network_id"]) == ("tokyo_metro", "toei_subway")
        ]

    def _is_one(self, network: str, stop_id: str, other: str) -> bool:
        return self._tariff.is_same_station(network, _station(stop_id), _station(other))

    def draw(self, chance: random.Random) -> Tapped:
        """One ride of the mix."""
        rider, company = chance.choice(RIDERS)
        (kind,) = chance.choices(list(MIX), weights=list(MIX.values()))
        legs: tuple[TappedLeg, ...]
        if kind == "joint":
            legs = self._joint(chance)
        elif kind in {"bus", "two buses"}:
            legs = (BUS,) if kind == "bus" else (BUS, BUS)
        else:
            legs = (self._within(chance, *chance.choice(OPERATORS[kind])),)
        return chance.randrange(5 * 60, 23 * 60), rider, company, legs

    def _within(self, chance: random.Random, network: str, operator: str) -> TappedLeg:
        while True:
            (line, origin), (_, destination) = chance.choices(self.stops[network], k=2)
            if not self._is_one(network, origin, destination):
                return operator, line, origin, destination

    def _joint(self, chance: random.Random) -> tuple[TappedLeg, ...]:
        (metro_line, metro), (toei_line, toei) = chance.choice(self.junctions)
        while True:
            origin = chance.choice(self.stops["tokyo_metro"])[1]
            destination = chance.choice(self.stops["toei_subway"])[1]
            if not self._is_one("tokyo_metro", origin, metro) and not self._is_one(
                "toei_subway", toei, destination
            ):
                return (
                    ("TokyoMetro", metro_line, origin, metro),
                    ("Toei", toei_line, toei, destination),
                )


def _station(stop_id: str) -> str:
    return stop_id.split(".")[2]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def build_journey(tapped: Tapped, day: date = DAY) -> Journey:
    """The journey that a ride's taps describe."""
    minute, _, _, legs = tapped
    start = datetime(day.year, day.month, day.day, tzinfo=TOKYO) + timedelta(minutes=minute)
    return Journey(
        journey_id="",
        network_version="",
        legs=tuple(
            Leg(
                mode=Mode.SUBWAY,
                origin=Place(name=origin, lat=0.0, lon=0.0, stop_id=f"demo:{origin}"),
                destination=Place(name=destination, lat=0.0, lon=0.0, stop_id=f"demo:{destination}"),
                departs_at=start + timedelta(minutes=30 * place),
                arrives_at=start + timedelta(minutes=30 * place + 20),
                operator_id=operator,
                route_id=f"demo:{route}",
                service_date=day,
            )
            for place, (operator, route, origin, destination) in enumerate(legs)
        ),
    )


def rate(engine: FareEngine, rides: list[Tapped]) -> int:
    """Price every ride, with its explanation and shares; the sum of all in yen."""
    total = 0
    for tapped in rides:
        _, rider, company, _ = tapped
        price = engine.price(
            journey=build_journey(tapped), rider=rider, medium=FareMedium.IC, company=company
        )
        total += price.total.amount_minor
    return total


def _work(rides: list[Tapped], ready: Barrier, results: "Queue[tuple[int, float]]") -> None:
    engine = FareEngine.from_folder(TARIFFS)
    engine.list_caps(DAY)
    ready.wait()
    started = time.process_time()
    results.put((rate(engine, rides), time.process_time() - started))


def measure_batch(rides: list[Tapped], processes: int) -> tuple[float, float, int]:
    """Seconds from when all processes stand ready until the last is done, of processors, and yen in all."""
    context = multiprocessing.get_context("fork")
    ready, results = context.Barrier(processes + 1), context.Queue()
    shares = [rides[place::processes] for place in range(processes)]
    workers = [context.Process(target=_work, args=(share, ready, results)) for share in shares]
    for worker in workers:
        worker.start()
    ready.wait()
    started = time.perf_counter()
    answers = [results.get(timeout=RESULT_WAIT_S_MAX) for _ in workers]
    taken_s = time.perf_counter() - started
    for worker in workers:
        worker.join()
    return taken_s, sum(used_s for _, used_s in answers), sum(total for total, _ in answers)


def measure_one(engine: FareEngine, rides: list[Tapped]) -> dict[str, float]:
    """Microseconds of one call of `price`."""
    journeys = [(build_journey(tapped), tapped[1], tapped[2]) for tapped in rides]

    def ask(place: int) -> None:
        journey, rider, company = journeys[place]
        engine.price(journey=journey, rider=rider, medium=FareMedium.IC, company=company)

    for place in range(len(journeys)):
        ask(place)
    return _quantiles([_time_us(ask, place) for place in range(len(journeys))])


def measure_worlds(engine: FareEngine, rides: list[Tapped]) -> dict[str, float]:
    """Microseconds of pricing one planned journey in every world."""
    journeys = [build_journey(tapped) for tapped in rides]
    fares = NetworkFares(tables=engine, feeds={})

    def ask(place: int) -> None:
        price_journey(fares, journeys[place])

    for place in range(len(journeys)):
        ask(place)
    return _quantiles([_time_us(ask, place) for place in range(len(journeys))])


def measure_weeks(engine: FareEngine, gates: Gates, days: int) -> dict[str, float]:
    """Microseconds from one traveller's rides, five on each of `days` days, to charges and refunds."""
    chance = random.Random(SEED)
    clock = ServiceClock(zone=TOKYO)
    travellers = [_travel(gates, chance, days) for _ in range(TRAVELLERS)]

    def settle(place: int) -> None:
        rate_week(engine, travellers[place], rider=RiderCategory.ADULT, clock=clock)

    for place in range(TRAVELLERS):
        settle(place)
    return _quantiles([_time_us(settle, place) for place in range(TRAVELLERS)])


def _travel(gates: Gates, chance: random.Random, days: int) -> list[RideMade]:
    return [
        RideMade(
            ride_id=str(number),
            medium_ref="card",
            medium=FareMedium.IC,
            journey=build_journey(gates.draw(chance), DAY + timedelta(days=number // 5)),
        )
        for number in range(5 * days)
    ]


def measure_yardstick(engine: FareEngine, rides: list[Tapped]) -> dict[str, float]:
    """Processor microseconds a ride: building it, and building and rating it, both after a first pass."""
    rate(engine, rides)
    started = time.process_time()
    for tapped in rides:
        build_journey(tapped)
    built = time.process_time()
    rate(engine, rides)
    rated = time.process_time()
    build_us, rate_us = (built - started) / len(rides) * 1e6, (rated - built) / len(rides) * 1e6
    return {
        "build_us": round(build_us, 2),
        "rate_us": round(rate_us, 2),
        "batch_to_yardstick": round(rate_us / build_us, 2),
    }


def _time_us(call: Callable[[int], None], place: int) -> float:
    started = time.perf_counter()
    call(place)
    return (time.perf_counter() - started) * 1e6


def _quantiles(samples: list[float]) -> dict[str, float]:
    return {
        "median_us": round(statistics.median(samples), 1),
        "p99_us": round(statistics.quantiles(samples, n=100)[98], 1),
    }


def main() -> int:
    """Measure, and print one line of JSON and a table; 1 when a bound of the project is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rides", type=int, default=300_000)
    parser.add_argument("--processes", type=int, default=PROCESSES)
    options = parser.parse_args()
    gates, chance = Gates(TARIFFS), random.Random(SEED)
    rides = [gates.draw(chance) for _ in range(options.rides)]
    engine = FareEngine.from_folder(TARIFFS)
    sample = rides[:2_000]
    assert measure_batch(sample, options.processes)[2] == rate(engine, sample), "both rate the same"
    taken_s, used_s, total = measure_batch(rides, options.processes)
    result = {
        "workload": "fares-2",
        "seed": SEED,
        **describe_machine(),
        "rides": options.rides,
        "processes": options.processes,
        "batch_s": round(taken_s, 2),
        "rides_per_minute": round(options.rides / taken_s * 60),
        "rides_per_processor_minute": round(options.rides / used_s * 60),
        "total_yen": total,
        "one_journey": measure_one(engine, rides[:WARM_RIDES]),
        "all_worlds": measure_worlds(engine, rides[:WORLD_RIDES]),
        "day": measure_weeks(engine, gates, 1),
        "week": measure_weeks(engine, gates, 5),
        "yardstick": measure_yardstick(engine, rides[:WARM_RIDES]),
    }
    print(json.dumps(result))
    print(f"batch          {result['rides_per_minute']:>12,} rides a minute in {options.processes} processes")
    for name in ("one_journey", "all_worlds", "day", "week", "yardstick"):
        print(f"{name:<14} {result[name]}")
    missed = _list_missed(result, options.processes)
    for sentence in missed:
        print(f"missed: {sentence}")
    return 1 if missed else 0


def _list_missed(result: dict[str, Any], processes: int) -> list[str]:
    missed = []
    if processes == PROCESSES and result["rides_per_minute"] < RIDES_PER_MINUTE_MIN:
        missed.append(f"{result['rides_per_minute']:,} rides a minute, wanted {RIDES_PER_MINUTE_MIN:,}")
    slow = [name for name in ("one_journey", "all_worlds") if result[name]["median_us"] > JOURNEY_US_MAX]
    return [
        *missed,
        *(f"{name} takes {result[name]['median_us']} us, wanted {JOURNEY_US_MAX}" for name in slow),
    ]


if __name__ == "__main__":
    sys.exit(main())
