"""Weeks of media are rated when a tap is new or a day is over: in sets, once at a time, safe to kill.

Problem   A tap may come at any time for any day of the last weeks; at night a million do at once. The worker
          may die at any line, and several may work beside one another.
Idea      One transaction a set of weeks: take their markers, lock the weeks that nobody else rates (the
          others get their markers back), read all taps with one query, rate each week by the pure function,
          and write documents, the differences to what was posted, and when to look again. Killed anywhere,
          the transaction is gone whole and its markers are there. A set whose rating fails is tried week by
          week; one that fails alone waits five minutes and keeps no other waiting.
Not here  What a week costs (maas/account_travel); moving the money (charging.py).
Invariant The sum of a medium's charges of a day is what its taps made it owe when it was last rated.
"""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import structlog

from maas.account_travel.charges import DAYS_PER_WEEK, WeekRating, list_differences, rate_week
from maas.account_travel.endings import Habits, find_habits
from maas.account_travel.fare_book import FareBook
from services.platform.context import ServiceContext
from services.ticketing.travel.charging import Charger, collector_paused
from services.ticketing.travel.documents import build_documents, list_rides_made
from services.ticketing.travel.holdings import Holdings
from services.ticketing.travel.store import Categories, TravelStore, Week, WeekCase, WeekResult
from services.ticketing.travel.tariff import TariffInForce

log = structlog.get_logger()

IDLE_S = 1.0
SET_SIZE = 500
FAILED_WAITS = timedelta(minutes=5)
BUSY_WAITS = timedelta(seconds=2)


class WeekRater:
    """The worker that turns taps of media into what is owed. `set_size` markers are taken at a time."""

    def __init__(
        self,
        context: ServiceContext,
        store: TravelStore,
        tariff: TariffInForce,
        holdings: Holdings,
        charger: Charger,
        *,
        set_size: int = SET_SIZE,
    ) -> None:
        self._context = context
        self._store = store
        self._tariff = tariff
        self._holdings = holdings
        self._charger = charger
        self._set_size = set_size
        self._pivot = secrets.token_hex(4)
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Look for news soon."""
        self._news.set()

    async def run(self) -> None:
        """For ever: rate all that is due, then wait for news."""
        while True:
            self._news.clear()
            while await self.rate_some():
                pass
            try:
                async with asyncio.timeout(IDLE_S):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def rate_some(self) -> int:
        """Rate one set of weeks; how many. 0 when none is due, or no tariff is published."""
        book = self._tariff.find_book()
        if book is None:
            return 0
        now = self._context.clock.now()
        weeks: set[Week] = set()
        try:
            async with self._context.database.transaction() as tx:
                weeks = await self._claim(tx, now)
                count = await self._rate_locked(tx, weeks, book, now)
        except Exception:
            if not weeks:
                raise  # the queue itself cannot be read
            log.exception("weeks_not_rated", count=len(weeks))
            await self._rate_apart(weeks, book, now)
            count = len(weeks)
        self._charger.wake()
        return count

    async def _claim(self, tx: Any, now: datetime) -> set[Week]:
        # Round and round, each worker from a place of its own: two seldom meet, and no medium waits for ever.
        # Going on from where the last set ended passes over no markers that were taken a moment ago.
        news, self._pivot = await self._store.claim_news(tx, now, pivot=self._pivot, limit=self._set_size)
        if not self._pivot:
            more, self._pivot = await self._store.claim_news(tx, now, pivot="", limit=self._set_size)
            news |= more
        return news | await self._store.list_weeks_due(tx, now, self._set_size)

    async def _rate_locked(self, tx: Any, weeks: set[Week], book: FareBook, now: datetime) -> int:
        if not weeks:
            return 0
        locked = await self._store.lock_weeks(tx, weeks)
        missed = weeks - locked.keys()
        if missed:
            await self._store.put_back(tx, missed, now + BUSY_WAITS)
        if locked:
            await self._rate(tx, locked, book, now)
        return len(locked)

    async def _rate_apart(self, weeks: set[Week], book: FareBook, now: datetime) -> None:
        """One by one; who fails alone waits."""
        for week in sorted(weeks):
            try:
                async with self._context.database.transaction() as tx:
                    await self._rate_locked(tx, {week}, book, now)
            except Exception:
                log.exception("week_not_rated", monday=week[1].isoformat())
                async with self._context.database.transaction() as tx:
                    await self._store.delay(tx, week, now + FAILED_WAITS)

    async def _rate(self, tx: Any, locked: Mapping[Week, Categories], book: FareBook, now: datetime) -> None:
        with collector_paused():
            await self._rate_whole(tx, locked, book, now)

    async def _rate_whole(
        self, tx: Any, locked: Mapping[Week, Categories], book: FareBook, now: datetime
    ) -> None:
        closed_through = book.policy.clock.day_of(now) - timedelta(days=1)
        cases = await self._store.load(tx, locked)
        await self._holdings.add_to(cases)
        # A week's habits are those of the weeks before: these are written first.
        for monday in sorted({case.monday for case in cases}):
            mine = [case for case in cases if case.monday == monday]
            results = await self._rate_alike(tx, mine, book, closed_through)
            await self._store.keep(tx, results, now)
            await self._holdings.tell_uses(results)
        await self._store.ask_for_later_weeks(tx, locked, book.policy.habit_days, now)

    async def _rate_alike(
        self, tx: Any, cases: Sequence[WeekCase], book: FareBook, closed_through: date
    ) -> list[WeekResult]:
        ratings = [_rate_case(case, book, closed_through, {}) for case in cases]
        lacking = [case for case, rating in zip(cases, ratings, strict=True) if rating.has_unfinished]
        habits = await self._load_habits(tx, lacking, book)
        return [
            _result(
                case,
                _rate_case(case, book, closed_through, habits[case.key]) if case.key in habits else rating,
                book,
                closed_through,
            )
            for case, rating in zip(cases, ratings, strict=True)
        ]

    async def _load_habits(self, tx: Any, lacking: Sequence[WeekCase], book: FareBook) -> dict[Week, Habits]:
        """What those usually do whose week has a ride without its end; nobody else's past is read."""
        if not lacking:
            return {}
        before = timedelta(days=book.policy.habit_days)
        asked = [(case.medium.medium_ref, case.monday - before, case.monday) for case in lacking]
        documents = await self._store.load_documents(tx, asked)
        found = {
            case.key: find_habits(list_rides_made(documents.get(case.key, ())), book.policy)
            for case in lacking
        }
        return {key: habits for key, habits in found.items() if habits}


def _rate_case(case: WeekCase, book: FareBook, closed_through: date, habits: Habits) -> WeekRating:
    return rate_week(
        case.medium,
        case.monday,
        case.taps,
        book,
        closed_through=closed_through,
        corrections=case.corrections,
        habits=habits,
        companion_taps=case.companion_taps,
    )


def _result(case: WeekCase, rating: WeekRating, book: FareBook, closed_through: date) -> WeekResult:
    return WeekResult(
        key=case.key,
        documents=build_documents(rating, case.medium),
        differences=list_differences(rating.list_owed(), case.posted),
        dearest=rating.list_dearest(),
        charge_counts=case.charge_counts,
        pass_uses=rating.pass_uses,
        categories=case.medium.categories,
        rate_at=find_next_rating(case, rating, book, closed_through),
    )


def find_next_rating(
    case: WeekCase, rating: WeekRating, book: FareBook, closed_through: date
) -> datetime | None:
    """When the next ridden day of the week is over, or the week itself; None when all of it is."""
    sunday = case.monday + timedelta(days=DAYS_PER_WEEK - 1)
    if not rating.ride_days or closed_through >= sunday:
        return None
    waiting = [day for day in rating.ride_days.values() if day > closed_through]
    return book.policy.clock.start_of(min(waiting, default=sunday) + timedelta(days=1))
