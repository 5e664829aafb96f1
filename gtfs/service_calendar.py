"""On which dates each service runs.

Problem   calendar.txt gives weekdays in a range, calendar_dates.txt adds and removes dates; a feed may have
          either or both, and a careless range may reach the year 9999.
Idea      Keep each service as its rule (range, weekdays, added, removed) and answer by rule; nothing is ever
          listed for a whole range unless asked for.
Invariant A date removed does not run, a date added does, whatever the range says.
Source    GTFS Schedule reference, calendar.txt and calendar_dates.txt.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Self

from gtfs.tables import Feed

ONE_DAY = timedelta(days=1)
ADDED, REMOVED = 1, 2
_DAY_COLUMNS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class ServiceRule:
    """One service: `weekdays` are 0 (Monday) to 6, inside first..last; then the exceptions."""

    first: date | None = None
    last: date | None = None
    weekdays: frozenset[int] = frozenset()
    added: frozenset[date] = frozenset()
    removed: frozenset[date] = frozenset()

    def runs_on(self, day: date) -> bool:
        """Whether the service runs on that date."""
        if day in self.removed:
            return False
        if day in self.added:
            return True
        if self.first is None or self.last is None:
            return False
        return self.first <= day <= self.last and day.weekday() in self.weekdays

    def find_first(self) -> date | None:
        """The first date it runs, None if it never does."""
        return min(self._ends(forward=True), default=None)

    def find_last(self) -> date | None:
        """The last date it runs, None if it never does."""
        return max(self._ends(forward=False), default=None)

    def list_dates(self) -> list[date]:
        """Every date it runs, in order."""
        return sorted({*(self._range_days(forward=True)), *(self.added - self.removed)})

    def _ends(self, *, forward: bool) -> Iterator[date]:
        """The end of the range that runs, and the added dates: one of them is the answer."""
        yield from self.added - self.removed
        yield from next(([day] for day in self._range_days(forward=forward)), [])

    def _range_days(self, *, forward: bool) -> Iterator[date]:
        if self.first is None or self.last is None or not self.weekdays:
            return
        day_count = (self.last - self.first).days + 1
        for step in range(day_count):
            day = self.first + ONE_DAY * step if forward else self.last - ONE_DAY * step
            if self.runs_on(day):
                yield day


@dataclass(frozen=True, slots=True)
class ServiceCalendar:
    """All services of a feed."""

    rules: Mapping[str, ServiceRule]
    _active: dict[date, frozenset[str]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_feed(cls, feed: Feed) -> Self:
        """The services of calendar.txt and calendar_dates.txt together."""
        added = _exceptions(feed, ADDED)
        removed = _exceptions(feed, REMOVED)
        ranges = {row["service_id"]: row for row in feed["calendar"].iter_rows(named=True)}
        rules = {}
        for service_id in dict.fromkeys([*ranges, *added, *removed]):
            row = ranges.get(service_id)
            rules[service_id] = ServiceRule(
                first=row["start_date"] if row else None,
                last=row["end_date"] if row else None,
                weekdays=frozenset(day for day, name in enumerate(_DAY_COLUMNS) if row and row[name] == 1),
                added=added.get(service_id, frozenset()),
                removed=removed.get(service_id, frozenset()),
            )
        return cls(rules)

    def active_on(self, day: date) -> frozenset[str]:
        """The services that run on that date."""
        if day not in self._active:
            runs = (service_id for service_id, rule in self.rules.items() if rule.runs_on(day))
            self._active[day] = frozenset(runs)
        return self._active[day]

    def list_dates(self, service_id: str) -> list[date]:
        """Every date that service runs, in order; none for a service nobody defined."""
        rule = self.rules.get(service_id)
        return rule.list_dates() if rule else []

    @property
    def first_date(self) -> date | None:
        """The first date on which anything runs, None if nothing ever does."""
        return min((day for rule in self.rules.values() if (day := rule.find_first())), default=None)

    @property
    def last_date(self) -> date | None:
        """The last date on which anything runs, None if nothing ever does."""
        return max((day for rule in self.rules.values() if (day := rule.find_last())), default=None)


def _exceptions(feed: Feed, kind: int) -> dict[str, frozenset[date]]:
    dates: dict[str, set[date]] = {}
    for service_id, day, exception in (
        feed["calendar_dates"].select("service_id", "date", "exception_type").iter_rows()
    ):
        if exception == kind:
            dates.setdefault(service_id, set()).add(day)
    return {service_id: frozenset(days) for service_id, days in dates.items()}
