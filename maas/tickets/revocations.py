"""What counts no more, and what was used: the lists that a checking device keeps and refreshes.

Problem   A cancelled fare, a lost telephone, a leaked key: devices that are offline for days must learn of
          them with little to carry, and must not accept a paper ticket twice.
Idea      Four things are said, in one growing list that is fetched in differences:
            fare     a fare of a ticket was cancelled: every code ever issued for the ticket is meant, since
                     each carries the ticket's number: old telephones, paper, the code read by telephone
            codes    editions of a ticket below a number count no more: it was moved or printed again
            key      nothing that a key signed counts any more
            use      a fare of a static ticket was used, or a pass began: that list is fetched by itself
Invariant A list that has taken in a difference is the list that was fetched whole.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from maas.tickets.keys import KeyListUnreadable, read_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocations:
    """What counts no more. `revoked` are (ticket_ref, fare_index).

    `first_editions` gives by ticket_ref the first edition that counts. `sequence` is how far the list goes:
    ask for what came after it.
    """

    revoked: frozenset[tuple[str, int]] = frozenset()
    first_editions: Mapping[str, int] = field(default_factory=dict)
    keys: frozenset[int] = frozenset()
    sequence: int = 0

    @classmethod
    def from_json(cls, text: str | bytes) -> "Revocations":
        """Read what `GET /api/ticketing/revocations` answers. Raises KeyListUnreadable."""
        return cls().with_difference(text)

    def with_difference(self, text: str | bytes) -> "Revocations":
        """The list with a further answer taken in. Raises KeyListUnreadable."""
        try:
            document = json.loads(text)
            entries, latest = document["revocations"], int(document.get("latest", self.sequence))
            fares = {(str(e["ticket_ref"]), int(e["fare_index"])) for e in _of(entries, "fare")}
            editions = dict(self.first_editions)
            for entry in _of(entries, "codes"):
                ref, first = str(entry["ticket_ref"]), int(entry["first_edition"])
                editions[ref] = max(first, editions.get(ref, 0))
            keys = {int(entry["key_id"]) for entry in _of(entries, "key")}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise KeyListUnreadable(f"no revocation list: {error}") from None
        return Revocations(
            revoked=self.revoked | fares,
            first_editions=editions,
            keys=self.keys | keys,
            sequence=max(self.sequence, latest),
        )

    def __contains__(self, fare: tuple[str, int]) -> bool:
        return fare in self.revoked

    def is_superseded(self, ticket_ref: str, edition: int) -> bool:
        """Whether a later code was issued for the ticket."""
        return edition < self.first_editions.get(ticket_ref, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """When fares of static tickets were used, and passes began, by (ticket_ref, fare_index)."""

    first_used_at: Mapping[tuple[str, int], datetime] = field(default_factory=dict)
    sequence: int = 0

    def with_difference(self, text: str | bytes) -> "Uses":
        """The list with an answer of `GET /api/ticketing/uses` taken in. Raises KeyListUnreadable."""
        try:
            document = json.loads(text)
            used = dict(self.first_used_at)
            for entry in document["uses"]:
                fare = (str(entry["ticket_ref"]), int(entry["fare_index"]))
                used[fare] = read_instant(entry["first_used_at"])
            latest = int(document.get("latest", self.sequence))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise KeyListUnreadable(f"no list of uses: {error}") from None
        return Uses(first_used_at=used, sequence=max(self.sequence, latest))


def _of(entries: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["kind"] == kind]
