"""What a journey costs, and why.

Problem   A price must be firm, explain itself, and be shared between operators to the yen.
Idea      A `JourneyPrice` is a sum of `FareComponent`s; each covers some legs of one fare, lists the addends
          that make its amount, and says how the amount is shared between operators.
Invariant amount of a component = sum of its addends = sum of its shares; price = sum of components.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from payments.money import Money


class RiderCategory(StrEnum):
    """Who rides. GTFS Fares v2 rider categories of the city.

    All but the first three pay the adult's fare wherever no concession is in the tariff.
    """

    ADULT = "adult"
    CHILD = "child"
    INFANT = "infant"
    STUDENT = "student"
    SENIOR = "senior"
    DISABLED = "disabled"
    HELPER = "helper"
    ISLANDER = "islander"
    GROUP = "group"


class FareMedium(StrEnum):
    """How the fare is carried; each is a price world of its own. GTFS fare_media types 2, 1, 3 and 4.

    CARD is a contactless bank card (cEMV): the adult's ticket fare for everyone, where it is taken at all.
    """

    IC = "ic"
    TICKET = "ticket"
    CARD = "card"
    APP = "app"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addend:
    """One line of an explanation: what, how much, by which rule of which version, from where."""

    text: str
    text_en: str
    amount_minor: int
    rule_id: str
    valid_from: date
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FareComponent:
    """One fare over the legs with these indices. `fare_class` is a ship's class, None elsewhere.

    `networks` names for each of the legs the fare network that prices it; empty where feeds price.
    """

    leg_indices: tuple[int, ...]
    product_id: str
    amount: Money
    addends: tuple[Addend, ...]
    shares: dict[str, int]
    fare_class: str | None = None
    networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MediumTotal:
    """What a party pays on one medium; `total` is None where it cannot, and `reason` says why."""

    medium: FareMedium
    total: Money | None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyPrice:
    """The price of a journey for one rider, in one medium."""

    rider: RiderCategory
    medium: FareMedium
    total: Money
    components: tuple[FareComponent, ...]
