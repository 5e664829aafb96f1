"""The rows of account-based travel, in sets: thousands of weeks of media are read and written at once.

Methods with `tx` take part in the caller's transaction. `weeks` are (medium_ref, monday).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import orjson

from maas.account_travel.charges import Owed, OwedBy, PassUsed, monday_of
from maas.account_travel.endings import Correction, CorrectionKind
from maas.account_travel.media import Medium, MediumKind, PaidBy, Paired, Party
from maas.account_travel.rides import Stop
from maas.prices import RiderCategory
from maas.taps import Tap, TapKind
from services.platform.database import Database, load_queries

queries = load_queries(__file__)

_CHARGES = UUID("0d4c5f0c-6a59-5d1a-8f0f-747261766c70")
_KINDS = {kind.value: kind for kind in TapKind}
_MEDIUM_KINDS = {kind.value: kind for kind in MediumKind}
_RIDERS = {rider.value: rider for rider in RiderCategory}
"""Looked up by the million: an enumeration's own call takes four times as long."""

Week = tuple[str, date]
Categories = Mapping[date, RiderCategory]


@dataclass(slots=True)
class WeekCase:
    """All that a medium's week is rated from, and what was posted of it."""

    medium: Medium
    monday: date
    taps: list[Tap]
    corrections: list[Correction]
    companion_taps: list[Tap]
    posted: OwedBy
    charge_counts: dict[tuple[date, str], int]

    @property
    def key(self) -> Week:
        """The week's name."""
        return self.medium.medium_ref, self.monday


@dataclass(frozen=True, slots=True)
class WeekResult:
    """What a rating leaves behind."""

    key: Week
    documents: Mapping[date, bytes]
    differences: OwedBy
    dearest: Mapping[tuple[date, str], int]
    charge_counts: Mapping[tuple[date, str], int]
    pass_uses: Mapping[str, PassUsed]
    categories: Categories
    rate_at: datetime | None


class TravelStore:
    """The door to the tables of account-based travel."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def claim_news(self, tx: Any, now: datetime, *, pivot: str, limit: int) -> tuple[set[Week], str]:
        """Take markers of media from `pivot` on, as the weeks they touch, with those of paired media.

        Also from where to go on: the last medium of a full set, "" when there were no more.
        """
        rows = await tx.fetch(queries["claim_markers"], now, pivot, limit)
        last = max((ref for ref, _ in rows), default="") if len(rows) == limit else ""
        media_of: dict[date, set[str]] = defaultdict(set)
        for medium_ref, service_date in rows:
            media_of[service_date].add(medium_ref)
        weeks: set[Week] = set()
        for service_date, refs in media_of.items():
            # An exit early on a Monday may end a ride of Sunday night.
            for monday in {monday_of(service_date), monday_of(service_date - timedelta(days=1))}:
                weeks.update([(ref, monday) for ref in refs])
        if not weeks:
            return weeks, last
        pairs = await tx.fetch(queries["list_companions"], sorted({ref for ref, _ in weeks}))
        beside: dict[str, list[str]] = defaultdict(list)
        for medium_ref, other_ref in pairs:
            beside[other_ref].append(medium_ref)
        return weeks | {(ref, monday) for other, monday in weeks for ref in beside.get(other, ())}, last

    async def list_weeks_due(self, tx: Any, now: datetime, limit: int) -> set[Week]:
        """Weeks to be rated again because a day is over."""
        return {tuple(row) for row in await tx.fetch(queries["list_weeks_due"], now, limit)}

    async def lock_weeks(self, tx: Any, weeks: Collection[Week]) -> dict[Week, Categories]:
        """Lock those that nobody else is rating, in order; with the riders' categories noted before."""
        refs, mondays = _columns(sorted(weeks))
        await tx.execute(queries["insert_weeks"], refs, mondays)
        rows = await tx.fetch(queries["lock_weeks"], refs, mondays)
        return {
            (ref, monday): {
                date.fromisoformat(day): RiderCategory(rider) for day, rider in categories.items()
            }
            for ref, monday, categories in rows
        }

    async def delay(self, tx: Any, week: Week, until: datetime) -> None:
        """Leave a week alone until then: its news and its own time."""
        await tx.execute(queries["delay_markers"], *week, until)
        await tx.execute(queries["delay_week"], *week, until)

    async def list_first_media(self, customer_ids: Sequence[str]) -> dict[str, str]:
        """The medium that carries a customer's passes: the first linked of those that still are."""
        if not customer_ids:
            return {}
        rows = await self.database.fetch(queries["list_first_media"], customer_ids)
        return {row["customer_id"]: row["medium_ref"] for row in rows}

    async def put_back(self, tx: Any, weeks: Collection[Week], due_at: datetime) -> None:
        """Let these weeks be rated a little later."""
        await tx.execute(queries["put_back_markers"], *_columns(sorted(weeks)), due_at)

    async def load(self, tx: Any, locked: Mapping[Week, Categories]) -> list[WeekCase]:
        """What the weeks are rated from. Locked weeks see every tap whose marker was claimed."""
        weeks = list(locked)
        refs, mondays = _columns(weeks)
        media = await self.load_media(tx, sorted(set(refs)))
        taps = await self._load_taps(tx, weeks)
        corrections: dict[Week, list[Correction]] = defaultdict(list)
        for row in await tx.fetch(queries["list_corrections"], refs, mondays):
            corrections[row["medium_ref"], row["monday"]].append(_correction(row))
        posted, counts = await self._load_posted(tx, weeks)
        beside = await self._load_companion_taps(tx, weeks, media)
        return [
            WeekCase(
                medium=_with_categories(media.get(week[0]) or Medium(medium_ref=week[0]), locked[week]),
                monday=week[1],
                taps=taps.get(week, []),
                corrections=corrections.get(week, []),
                companion_taps=beside.get(week, []),
                posted=posted.get(week, {}),
                charge_counts=counts.get(week, {}),
            )
            for week in weeks
        ]

    async def load_media(self, tx: Any, refs: Sequence[str]) -> dict[str, Medium]:
        """The enrolled ones of these media, without what their customers hold."""
        kinds: dict[str, MediumKind] = {}
        links: dict[str, list[PaidBy]] = defaultdict(list)
        for ref, kind, since, until, customer_id, rider in await tx.fetch(queries["list_media"], refs):
            kinds[ref] = _MEDIUM_KINDS[kind]
            if customer_id is not None:
                paid = PaidBy(since=since, until=until, customer_id=customer_id, rider=_RIDERS[rider])
                links[ref].append(paid)
        if not kinds:
            return {}
        parties: dict[str, list[Party]] = defaultdict(list)
        for ref, since, until, riders in await tx.fetch(queries["list_parties"], refs):
            found = tuple(RiderCategory(each) for each in riders)
            parties[ref].append(Party(since=since, until=until, riders=found))
        pairs: dict[str, list[Paired]] = defaultdict(list)
        for ref, other, rides_as, since, until in await tx.fetch(queries["list_pairs"], refs):
            pairs[ref].append(
                Paired(since=since, until=until, medium_ref=other, rides_as=RiderCategory(rides_as))
            )
        return {
            ref: Medium(
                medium_ref=ref,
                kind=kind,
                parties=tuple(parties.get(ref, ())),
                paired=tuple(pairs.get(ref, ())),
                payers=tuple(links.get(ref, ())),
            )
            for ref, kind in kinds.items()
        }

    async def load_documents(self, tx: Any, spans: Sequence[tuple[str, date, date]]) -> dict[Week, list[str]]:
        """The documents of media from one day until before another, by medium and that other day."""
        found: dict[Week, list[str]] = defaultdict(list)
        columns = [[span[place] for span in spans] for place in range(3)]
        for ref, until, document in await tx.fetch(queries["list_days"], *columns):
            found[ref, until].append(document)
        return found

    async def keep(self, tx: Any, results: Sequence[WeekResult], now: datetime) -> int:
        """Write what ratings leave behind; returns how many charges were decided."""
        refs, mondays = _columns([each.key for each in results])
        await tx.execute(queries["drop_days"], refs, mondays)
        await tx.copy_records_to_table(
            "travel_day",
            records=[
                (each.key[0], day, document.decode())
                for each in results
                for day, document in each.documents.items()
            ],
            columns=["medium_ref", "service_date", "document"],
        )
        charges = [
            (
                charge_id_of(each.key[0], day, customer_id, each.charge_counts.get((day, customer_id), 0)),
                each.key[0],
                day,
                customer_id,
                owed.amount_minor,
                list(owed.shares),
                list(owed.shares.values()),
                now,
                dearest_ride(owed, each.dearest.get((day, customer_id))),
            )
            for each in results
            for (day, customer_id), owed in each.differences.items()
        ]
        await tx.copy_records_to_table("travel_charge", records=charges, columns=_CHARGE_COLUMNS)
        await tx.execute(
            queries["finish_weeks"],
            refs,
            mondays,
            [each.rate_at for each in results],
            [_categories_text(each.categories) for each in results],
        )
        return len(charges)

    async def ask_for_later_weeks(self, tx: Any, weeks: Collection[Week], days: int, now: datetime) -> None:
        """Let the weeks after these be rated again: their habits may have changed."""
        rows = await tx.fetch(queries["list_later_weeks"], *_columns(sorted(weeks)), days)
        later = {tuple(row) for row in rows} - set(weeks)
        if later:
            await self.put_back(tx, later, now)

    async def _load_taps(self, tx: Any, weeks: Sequence[Week]) -> dict[Week, list[Tap]]:
        found: dict[Week, list[Tap]] = {}
        for ref, monday, device_id, sequence, tapped_at, kind, operator_id, stop_id in await tx.fetch(
            queries["list_taps"], *_columns(weeks)
        ):
            tap = Tap(
                device_id=device_id,
                sequence=sequence,
                tapped_at=tapped_at,
                kind=_KINDS[kind],
                operator_id=operator_id,
                stop_id=stop_id,
            )
            week = ref, monday
            if week in found:
                found[week].append(tap)
            else:
                found[week] = [tap]
        return found

    async def _load_companion_taps(
        self, tx: Any, weeks: Sequence[Week], media: Mapping[str, Medium]
    ) -> dict[Week, list[Tap]]:
        wanted = {
            (ref, monday): [(each.medium_ref, monday) for each in media[ref].paired]
            for ref, monday in weeks
            if ref in media and media[ref].paired
        }
        others = sorted({week for found in wanted.values() for week in found})
        if not others:
            return {}
        taps = await self._load_taps(tx, others)
        return {
            week: [tap for other in found for tap in taps.get(other, ())] for week, found in wanted.items()
        }

    async def _load_posted(
        self, tx: Any, weeks: Sequence[Week]
    ) -> tuple[dict[Week, OwedBy], dict[Week, dict[tuple[date, str], int]]]:
        posted: dict[Week, OwedBy] = defaultdict(dict)
        counts: dict[Week, dict[tuple[date, str], int]] = defaultdict(lambda: defaultdict(int))
        rows = await tx.fetch(queries["list_charges"], *_columns(weeks))
        for ref, day, customer_id, amount_minor, operator_ids, shares_minor in rows:
            week, key = (ref, monday_of(day)), (day, customer_id)
            this = Owed(amount_minor, dict(zip(operator_ids, shares_minor, strict=True)))
            posted[week][key] = posted[week].get(key, Owed()) + this
            counts[week][key] += 1
        return posted, counts


_CHARGE_COLUMNS = [
    "charge_id",
    "medium_ref",
    "service_date",
    "customer_id",
    "amount_minor",
    "operator_ids",
    "shares_minor",
    "recorded_at",
    "ride_minor_max",
]


def charge_id_of(medium_ref: str, day: date, customer_id: str, number: int) -> UUID:
    """The id of the number-th charge of a medium, day and customer: the same whoever decides it."""
    return uuid5(_CHARGES, f"{medium_ref}|{day}|{customer_id}|{number}")


def dearest_ride(owed: Owed, dearest_minor: int | None) -> int | None:
    """What the dearest ride of a charge costs: at most the charge, which may be of a later ride alone."""
    return None if dearest_minor is None or owed.amount_minor <= 0 else min(dearest_minor, owed.amount_minor)


def _with_categories(medium: Medium, categories: Categories) -> Medium:
    return replace(medium, categories=categories) if categories else medium


def _categories_text(categories: Categories) -> str:
    if not categories:
        return "{}"
    return orjson.dumps({day.isoformat(): rider.value for day, rider in categories.items()}).decode()


def _columns(weeks: Collection[Week]) -> tuple[list[str], list[date]]:
    return [ref for ref, _ in weeks], [monday for _, monday in weeks]


def _correction(row: Any) -> Correction:
    stop = None if row["stop_id"] is None else Stop(row["operator_id"], row["stop_id"])
    return Correction(
        correction_id=row["correction_id"],
        tap=(row["device_id"], row["sequence"]),
        kind=CorrectionKind(row["kind"]),
        stop=stop,
        recorded_at=row["recorded_at"],
    )
