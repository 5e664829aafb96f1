"""Cards and phones that are tapped, who rides with them, and who pays.

Problem   A card is not a person: it may be lent, lost, paired with a helper's, or carry a family; and its
          number must never be stored.
Idea      A medium is an opaque token, made by the provider or by a salted hash on the device. Who rides
          with it, which passes it holds and who pays for it are spans of time beside it, so that the fare
          of an old ride, rated late, is still that of its own day.
Rule      Each medium is capped alone, also when one customer has several: a card and a phone are two devices
          that two people may carry. A ride is paid by whoever the medium was linked to when it began; nobody
          pays for rides before, and a new owner never sees them.
Not here  Rides (rides.py), fares (fare_book.py, fares.py), rows (services/ticketing/travel).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import TypeVar

from maas.fares.pass_cover import PassInHand
from maas.prices import FareMedium, RiderCategory

TOKEN_CHARS_MIN = 16
TOKEN_CHARS_MAX = 128
CARD_DIGITS_MIN = 12
CARD_DIGITS_MAX = 19
_TOKEN = re.compile(r"[A-Za-z0-9._:~-]+")
_DIGEST = re.compile(r"[0-9a-f]{32,128}|[0-9A-F]{32,128}")
_DIGITS = re.compile(r"\d(?:[ .:~_-]?\d)*")
_TWO_DIGITS_FROM = 10


class MediumKind(StrEnum):
    """What is held to the device. Each buys in the price world of `fare_medium`."""

    IC_CARD = "ic_card"
    BANK_CARD = "bank_card"
    PHONE = "phone"

    @property
    def fare_medium(self) -> FareMedium:
        """The medium whose fares are charged: a phone pays those of our own app.

        A bank card pays ticket fares: for an adult those of a contactless card, but a child or a disabled
        rider whose claim is proven pays less, which the card alone cannot tell.
        """
        return _FARE_MEDIA[self]


_FARE_MEDIA = {
    MediumKind.IC_CARD: FareMedium.IC,
    MediumKind.BANK_CARD: FareMedium.TICKET,
    MediumKind.PHONE: FareMedium.APP,
}


class TokenFault(StrEnum):
    """Why a text is no medium's token."""

    LENGTH = "length"
    CHARACTERS = "characters"
    CARD_NUMBER = "card_number"


def find_token_fault(token: str) -> TokenFault | None:
    """What is wrong with a token; None for a good one.

    A token has 16 to 128 letters, digits and `._:~-`, and holds no payment card's number. The digits of a
    hexadecimal digest are never taken for one.
    """
    # First of all the number: whatever else is wrong, nobody may log the rest.
    if holds_card_number(token):
        return TokenFault.CARD_NUMBER
    if not TOKEN_CHARS_MIN <= len(token) <= TOKEN_CHARS_MAX:
        return TokenFault.LENGTH
    return None if _TOKEN.fullmatch(token) else TokenFault.CHARACTERS


def holds_card_number(text: str) -> bool:
    """Whether 12 to 19 digits of the text, parted or not, pass the check of payment cards (ISO/IEC 7812)."""
    if _DIGEST.fullmatch(text):
        return False
    runs = (re.sub(r"\D", "", run) for run in _DIGITS.findall(text))
    return any(CARD_DIGITS_MIN <= len(run) <= CARD_DIGITS_MAX and passes_luhn(run) for run in runs)


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others. Source: ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value >= _TWO_DIGITS_FROM else value
    return total % 10 == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From `since` until before `until`; None is open."""

    since: datetime
    until: datetime | None = None

    def holds_at(self, instant: datetime) -> bool:
        """Whether the instant lies within."""
        return self.since <= instant and (self.until is None or instant < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidBy(Span):
    """The customer who pays for rides begun in this span, and who rides when no claim says otherwise."""

    customer_id: str
    rider: RiderCategory = RiderCategory.ADULT


@dataclass(frozen=True, slots=True, kw_only=True)
class Party(Span):
    """Several riders on one medium: a family, a disabled rider with a helper, a group."""

    riders: tuple[RiderCategory, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired(Span):
    """Another medium whose holder rides along, for a fare that asks for both (a helper's card)."""

    medium_ref: str
    rides_as: RiderCategory


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """A medium with all that decides its fares. An unknown one is a plain adult's, and nobody pays for it.

    `categories` are the claims that were good on a service date.
    """

    medium_ref: str
    kind: MediumKind = MediumKind.BANK_CARD
    categories: Mapping[date, RiderCategory] = field(default_factory=dict)
    parties: tuple[Party, ...] = ()
    passes: tuple[PassInHand, ...] = ()
    paired: tuple[Paired, ...] = ()
    payers: tuple[PaidBy, ...] = ()

    def riders_at(self, instant: datetime, day: date) -> tuple[RiderCategory, ...]:
        """Who rides on this medium then. Of two parties that overlap the later one counts."""
        party = _latest(self.parties, instant) if self.parties else None
        if party:
            return party.riders
        if day in self.categories:
            return (self.categories[day],)
        paid = _latest(self.payers, instant)
        return (paid.rider if paid else RiderCategory.ADULT,)

    def find_payer(self, instant: datetime) -> str | None:
        """Who pays for a ride begun then; None when nobody does."""
        paid = _latest(self.payers, instant)
        return paid.customer_id if paid else None


SpanType = TypeVar("SpanType", bound=Span)


def _latest(spans: tuple[SpanType, ...], instant: datetime) -> SpanType | None:
    if len(spans) == 1:
        return spans[0] if spans[0].holds_at(instant) else None
    holding = [span for span in spans if span.holds_at(instant)]
    return max(holding, key=lambda span: span.since, default=None)
