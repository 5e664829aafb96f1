"""What the city decided about tapping: how long a ride may be, when a same-station exit is free.

Problem   Every one of these numbers is argued about, differs between networks, and changes on a date.
Idea      What is a network's own stands in its tariff folder, in `tap_rules.csv`, dated and with its source;
          what holds for the whole city is a `TravelPolicy`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import ClassVar

from maas.errors import TariffUnreadable
from maas.fares.charged import ServiceClock
from maas.fares.csv_tables import Dated, TariffProblem, raise_if_any, read_table

ANY_NETWORK = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class TapRuleRow(Dated):
    """Who enters and leaves at one station within `same_station_free_s` pays nothing; later the least fare.

    `network_id` * is for all networks without a row of their own.
    """

    table: ClassVar[str] = "tap_rules"
    network_id: str
    same_station_free_s: int


class TapRules:
    """The dated rules of all networks."""

    def __init__(self, rows: Sequence[TapRuleRow]) -> None:
        self._rows = rows

    @classmethod
    def from_folder(cls, folder: Path) -> "TapRules":
        """Read a tariff folder's rules; without the table nothing is free. Raises TariffUnreadable."""
        problems: list[TariffProblem] = []
        rows = read_table(folder, TapRuleRow, problems)
        raise_if_any(problems)
        return cls(rows)

    def same_station_free_s(self, network_id: str, day: date) -> int:
        """Within how many seconds an exit at the station of entry is free on a service date."""
        valid = [row for row in self._rows if row.is_valid_on(day)]
        for name in (network_id, ANY_NETWORK):
            found = next((row for row in valid if row.network_id == name), None)
            if found is not None:
                return found.same_station_free_s
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TravelPolicy:
    """The city's own rules.

    ride_max                    an exit later than this ends no ride: two maximum fares
    second_try                  a further tap at the same station so soon is the same person's second try
    clocks_differ               what the clocks of two devices may be apart
    paired_within               two media ride together when their taps are no further apart
    habit_rides_min             so often a traveller must have ended a ride at one place before we assume it
    habit_days                  how far back habits are looked for
    auto_completions_per_week   how many rides of a medium are completed for it in a week
    self_corrections_per_month  how many rides a traveller may correct alone in a calendar month
    self_correction_days        how old such a ride may be
    """

    clock: ServiceClock
    ride_max: timedelta = timedelta(hours=4)
    second_try: timedelta = timedelta(seconds=120)
    clocks_differ: timedelta = timedelta(seconds=240)
    paired_within: timedelta = timedelta(seconds=180)
    habit_rides_min: int = 3
    habit_days: int = 28
    auto_completions_per_week: int = 2
    self_corrections_per_month: int = 3
    self_correction_days: int = 28


__all__ = ["TapRuleRow", "TapRules", "TariffUnreadable", "TravelPolicy"]
