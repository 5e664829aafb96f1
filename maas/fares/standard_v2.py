"""GTFS Fares v2, whole: leg rules, joins, transfers of the three kinds, timeframes, riders and media.

Problem   A leg may match several rules, a change may match several transfer rules, and the least sum over
          all of them is the price.
Idea      1. Join: legs with a join rule between them, or in one seat, are one effective leg: its area and
          time of departure are the first leg's, those of arrival the last one's, its network the first
          one's. 2. Match: each effective leg has, by leg group, the cheapest product for the rider and the
          medium. 3. Walk over the legs with dynamic programming: a state is the leg's group and the chain
          of transfers that it ends; each step pays the leg, or takes a transfer rule in place of it.
Rule      Without priorities, an empty network or area stands for those that no rule of the file names; with
          priorities, for any, and only the rules of the highest priority that match count. Empty leg groups
          of transfer rules stand for the groups that no transfer rule names on that side. Type 0 (A + AB)
          pays the rule's product in place of the next leg, type 1 (A + AB + B) beside it, type 2 (AB) in
          place of what the leg before and the next leg cost. A rule from a group to itself may repeat
          `transfer_count` times (-1: any), its time then runs from the first leg of the chain; types of
          limit: departure to arrival, departure to departure, arrival to departure, arrival to arrival. An
          area is a stop's own, else its station's. Where rules leave a choice, the rider pays less.
Invariant Exact. Twin: tests/oracles/fares_v2.py (every choice of products and rules).
Source    GTFS Schedule reference, fare_leg_rules.txt, fare_leg_join_rules.txt, fare_transfer_rules.txt.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from gtfs.fares import FareLegRule, FareProduct, FareTables, FareTransferRule
from gtfs.service_calendar import ServiceCalendar
from gtfs.tables import Feed
from maas.errors import FareNotFound
from maas.fares.standard import Entry, Origin, StandardPrice, build_component, list_rides, stop_of, to_minor
from maas.journeys import Journey, Leg
from payments.money import Money

REPLACES_NEXT, BESIDE_NEXT, REPLACES_BOTH = 0, 1, 2
UNLIMITED = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveLeg:
    """One or more legs that the leg rules see as one."""

    indices: tuple[int, ...]
    first: Leg
    last: Leg
    network_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegOption:
    """A way to pay an effective leg: the product of a leg group."""

    leg_group_id: str | None
    product: FareProduct
    amount_minor: int


@dataclass(frozen=True, slots=True)
class _State:
    """Where a walk over the legs stands: the last leg's group and what it added, the chain of transfers."""

    group: str | None
    added: int
    rule_index: int | None
    repeats: int
    chain_start: int


@dataclass(frozen=True, slots=True)
class _Step:
    """How a leg was paid: its option, the transfer rule before it, and the step before."""

    option: LegOption
    rule_index: int | None
    before: "_Step | None"


class FaresV2:
    """Prices journeys of one feed by its Fares v2. Immutable; threads may share it."""

    def __init__(
        self, tables: FareTables, *, services: ServiceCalendar, zone: ZoneInfo, origin: Origin
    ) -> None:
        self._tables = tables
        self._services = services
        self._zone = zone
        self._origin = origin
        self._products: dict[str, list[FareProduct]] = {}
        for product in tables.products:
            self._products.setdefault(product.fare_product_id, []).append(product)

    @classmethod
    def from_feed(cls, feed: Feed) -> "FaresV2":
        """The fares of a feed that the reader has judged."""
        services = ServiceCalendar.from_feed(feed)
        return cls(
            FareTables.from_feed(feed),
            services=services,
            zone=ZoneInfo(feed["agency"]["agency_timezone"][0]),
            origin=Origin(
                valid_from=services.first_date or date.min, source=f"{feed.feed_id}: GTFS Fares v2"
            ),
        )

    @cached_property
    def _named(self) -> dict[str, frozenset[str]]:
        """For each column, the values that some rule names: what its empty cells do not stand for."""
        leg_rules, transfers = self._tables.leg_rules, self._tables.transfer_rules
        return {
            "network": frozenset(rule.network_id for rule in leg_rules if rule.network_id),
            "from_area": frozenset(rule.from_area_id for rule in leg_rules if rule.from_area_id),
            "to_area": frozenset(rule.to_area_id for rule in leg_rules if rule.to_area_id),
            "from_group": frozenset(rule.from_leg_group_id for rule in transfers if rule.from_leg_group_id),
            "to_group": frozenset(rule.to_leg_group_id for rule in transfers if rule.to_leg_group_id),
        }

    def price(
        self, *, journey: Journey, rider_category_id: str | None = None, fare_media_id: str | None = None
    ) -> StandardPrice:
        """The least price by the feed's rules. Raises FareNotFound naming the leg that no rule prices.

        `rider_category_id` None asks for the feed's default rider; `fare_media_id` None for any medium.
        """
        rider = rider_category_id or self._tables.default_rider_category_id
        legs = self.join_legs(journey)
        options = [self.list_options(leg, rider, fare_media_id) for leg in legs]
        for leg, found in zip(legs, options, strict=True):
            if not found:
                where = f"leg {', '.join(str(index + 1) for index in leg.indices)}"
                names = f"{leg.first.origin.name} to {leg.last.destination.name}"
                raise FareNotFound(f"{where} ({names}): no leg rule prices it for {rider} on {fare_media_id}")
        currencies = {option.product.currency for found in options for option in found}
        if len(currencies) > 1:
            raise FareNotFound(f"the journey is priced in {' and '.join(sorted(currencies))}")
        if not legs:
            return StandardPrice(total=Money(0), components=())
        return self._tell(
            legs, self._find_cheapest(legs, options, rider, fare_media_id), (rider, fare_media_id)
        )

    # Joining and matching ----------------------------------------------------------------------------------

    def join_legs(self, journey: Journey) -> list[EffectiveLeg]:
        """The effective legs of a journey, in order; walks belong to none."""
        joined: list[EffectiveLeg] = []
        for index, leg in list_rides(journey):
            network_id = self._network_of(leg)
            before = joined[-1] if joined else None
            if before is not None and (leg.in_seat or self._is_joined(before.last, leg)):
                joined[-1] = EffectiveLeg(
                    indices=(*before.indices, index),
                    first=before.first,
                    last=leg,
                    network_id=before.network_id,
                )
            else:
                joined.append(EffectiveLeg(indices=(index,), first=leg, last=leg, network_id=network_id))
        return joined

    def _network_of(self, leg: Leg) -> str | None:
        return self._tables.network_of_route.get(stop_of(leg.route_id))

    def _is_joined(self, leg: Leg, following: Leg) -> bool:
        networks = (self._network_of(leg), self._network_of(following))
        left, entered = self._names_of(leg.destination.stop_id), self._names_of(following.origin.stop_id)
        return any(
            networks == (rule.from_network_id, rule.to_network_id)
            and (rule.from_stop_id is None or rule.from_stop_id in left)
            and (rule.to_stop_id is None or rule.to_stop_id in entered)
            for rule in self._tables.join_rules
        )

    def _names_of(self, public_id: str | None) -> set[str]:
        """A stop and its station."""
        stop_id = stop_of(public_id)
        return {stop_id, self._tables.parent_of_stop.get(stop_id, stop_id)}

    def _areas_of(self, public_id: str | None) -> frozenset[str]:
        stop_id = stop_of(public_id)
        areas = self._tables.areas_of_stop
        return areas.get(stop_id) or areas.get(self._tables.parent_of_stop.get(stop_id, ""), frozenset())

    def list_options(
        self, leg: EffectiveLeg, rider: str | None, fare_media_id: str | None
    ) -> list[LegOption]:
        """The cheapest product of each leg group that the leg belongs to."""
        rules = [rule for rule in self._tables.leg_rules if self._matches(rule, leg)]
        if self._tables.has_priorities and rules:
            highest = max(rule.priority for rule in rules)
            rules = [rule for rule in rules if rule.priority == highest]
        cheapest: dict[str | None, LegOption] = {}
        for rule in rules:
            for product in self._sold(rule.fare_product_id, rider, fare_media_id):
                amount = to_minor(product.amount, product.currency)
                known = cheapest.get(rule.leg_group_id)
                if known is None or amount < known.amount_minor:
                    cheapest[rule.leg_group_id] = LegOption(
                        leg_group_id=rule.leg_group_id, product=product, amount_minor=amount
                    )
        return list(cheapest.values())

    def _sold(
        self, fare_product_id: str | None, rider: str | None, fare_media_id: str | None
    ) -> list[FareProduct]:
        """The variants of a product that this rider may buy on this medium."""
        return [
            product
            for product in self._products.get(fare_product_id or "", ())
            if product.rider_category_id in (None, rider)
            and (fare_media_id is None or product.fare_media_id in (None, fare_media_id))
        ]

    def _matches(self, rule: FareLegRule, leg: EffectiveLeg) -> bool:
        from_areas = self._areas_of(leg.first.origin.stop_id)
        to_areas = self._areas_of(leg.last.destination.stop_id)
        networks = frozenset({leg.network_id} if leg.network_id else ())
        return (
            self._is_of(rule.network_id, networks, "network")
            and self._is_of(rule.from_area_id, from_areas, "from_area")
            and self._is_of(rule.to_area_id, to_areas, "to_area")
            and self._is_within(rule.from_timeframe_group_id, leg.first.departs_at)
            and self._is_within(rule.to_timeframe_group_id, leg.last.arrives_at)
        )

    def _is_of(self, wanted: str | None, has: frozenset[str], column: str) -> bool:
        if wanted is not None:
            return wanted in has
        return self._tables.has_priorities or not has & self._named[column]

    def _is_within(self, timeframe_group_id: str | None, instant: datetime) -> bool:
        if timeframe_group_id is None:
            return True
        local = instant.astimezone(self._zone)
        second = local.hour * 3600 + local.minute * 60 + local.second
        active = self._services.active_on(local.date())
        return any(
            frame.start_s <= second < frame.end_s and frame.service_id in active
            for frame in self._tables.timeframes.get(timeframe_group_id, ())
        )

    # Transfers ---------------------------------------------------------------------------------------------

    def _find_cheapest(
        self,
        legs: list[EffectiveLeg],
        options: list[list[LegOption]],
        rider: str | None,
        fare_media_id: str | None,
    ) -> _Step:
        states: dict[_State, tuple[int, _Step]] = {}
        for option in options[0]:
            state = _State(option.leg_group_id, option.amount_minor, None, 0, 0)
            _keep(states, state, option.amount_minor, _Step(option, None, None))
        for index in range(1, len(legs)):
            reached: dict[_State, tuple[int, _Step]] = {}
            for state, (cost, step) in states.items():
                for option in options[index]:
                    price = option.amount_minor
                    alone = _State(option.leg_group_id, price, None, 0, index)
                    _keep(reached, alone, cost + price, _Step(option, None, step))
                    for rule_index, after, change in self._list_transfers(
                        legs, index, state, option, (rider, fare_media_id)
                    ):
                        _keep(reached, after, cost + change, _Step(option, rule_index, step))
            states = reached
        return min(states.values(), key=lambda reached: reached[0])[1]

    def _list_transfers(
        self,
        legs: list[EffectiveLeg],
        index: int,
        state: _State,
        option: LegOption,
        asked: tuple[str | None, str | None],
    ) -> Iterator[tuple[int, _State, int]]:
        """The rules that hold from the state's leg to this one: rule, state after, change of the cost."""
        for rule_index, rule in enumerate(self._tables.transfer_rules):
            if not self._binds(rule, state.group, option.leg_group_id):
                continue
            repeats = state.rule_index == rule_index and state.group == option.leg_group_id
            start = state.chain_start if repeats else index - 1
            count = state.repeats + 1 if repeats else 1
            if rule.count not in (None, UNLIMITED) and count > (rule.count or 0):
                continue
            if not _is_in_time(rule, legs[start], legs[index]):
                continue
            cost = self._transfer_cost(rule, asked)
            if cost is None:
                continue
            added = cost + (option.amount_minor if rule.fare_transfer_type == BESIDE_NEXT else 0)
            change = added - (state.added if rule.fare_transfer_type == REPLACES_BOTH else 0)
            yield rule_index, _State(option.leg_group_id, added, rule_index, count, start), change

    def _binds(self, rule: FareTransferRule, group: str | None, following: str | None) -> bool:
        if group is None or following is None:
            return False
        is_from = (
            rule.from_leg_group_id == group
            if rule.from_leg_group_id is not None
            else group not in self._named["from_group"]
        )
        return is_from and (
            rule.to_leg_group_id == following
            if rule.to_leg_group_id is not None
            else following not in self._named["to_group"]
        )

    def _transfer_cost(self, rule: FareTransferRule, asked: tuple[str | None, str | None]) -> int | None:
        """What the rule's product costs; 0 without one, None when it is not for this rider or medium."""
        if rule.fare_product_id is None:
            return 0
        sold = self._sold(rule.fare_product_id, *asked)
        return min((to_minor(product.amount, product.currency) for product in sold), default=None)

    # The answer --------------------------------------------------------------------------------------------

    def _tell(
        self, legs: list[EffectiveLeg], step: _Step | None, asked: tuple[str | None, str | None]
    ) -> StandardPrice:
        steps: list[_Step] = []
        while step is not None:
            steps.append(step)
            step = step.before
        steps.reverse()
        currency = steps[0].option.product.currency
        components = []
        start = 0
        for index in range(1, len(steps) + 1):
            if index == len(steps) or steps[index].rule_index is None:
                chain = slice(start, index)
                components.append(
                    build_component(
                        indices=tuple(place for leg in legs[chain] for place in leg.indices),
                        product_id=steps[start].option.product.fare_product_id,
                        entries=self._list_entries(legs[chain], steps[chain], asked),
                        currency=currency,
                        origin=self._origin,
                    )
                )
                start = index
        for component in components:
            if component.amount.amount_minor < 0:
                raise FareNotFound(f"the feed's transfer rules make {component.product_id} less than nothing")
        total = sum(component.amount.amount_minor for component in components)
        return StandardPrice(total=Money(total, currency), components=tuple(components))

    def _list_entries(
        self, legs: list[EffectiveLeg], steps: list[_Step], asked: tuple[str | None, str | None]
    ) -> list[Entry]:
        entries: list[Entry] = []
        added = 0
        operator_before = ""
        for leg, step in zip(legs, steps, strict=True):
            operator = leg.first.operator_id or ""
            product = step.option.product
            name = product.name or product.fare_product_id
            pays = Entry(
                text=f"{name}（{leg.first.origin.name}→{leg.last.destination.name}）",
                text_en=f"{name} ({leg.first.origin.name} to {leg.last.destination.name})",
                amount_minor=step.option.amount_minor,
                rule_id=f"fare_leg_rules/{step.option.leg_group_id or ''}/{product.fare_product_id}",
                operator_id=operator,
            )
            if step.rule_index is None:
                entries.append(pays)
                added = pays.amount_minor
            else:
                rule = self._tables.transfer_rules[step.rule_index]
                cost = self._transfer_cost(rule, asked)
                assert cost is not None, "a rule that was taken has its price"
                rule_id = f"fare_transfer_rules/{rule.from_leg_group_id or ''}/{rule.to_leg_group_id or ''}"
                if rule.fare_transfer_type == REPLACES_BOTH:
                    entries.append(
                        Entry(text="乗継運賃に置換え", text_en="replaced by the transfer",
                              amount_minor=-added, rule_id=rule_id, operator_id=operator_before)
                    )  # fmt: skip
                entries.append(
                    Entry(text=rule.fare_product_id or "乗継無料",
                          text_en=rule.fare_product_id or "free transfer", amount_minor=cost,
                          rule_id=rule_id, operator_id=operator)
                )  # fmt: skip
                added = cost
                if rule.fare_transfer_type == BESIDE_NEXT:
                    entries.append(pays)
                    added += pays.amount_minor
            operator_before = operator
        return entries


def _keep(states: dict[_State, tuple[int, _Step]], state: _State, cost: int, step: _Step) -> None:
    if state not in states or cost < states[state][0]:
        states[state] = (cost, step)


def _is_in_time(rule: FareTransferRule, before: EffectiveLeg, following: EffectiveLeg) -> bool:
    if rule.duration_s is None:
        return True
    starts_at = before.first.departs_at if rule.duration_type in (None, 0, 1) else before.last.arrives_at
    ends_at = following.last.arrives_at if rule.duration_type in (0, 3) else following.first.departs_at
    return (ends_at - starts_at).total_seconds() <= rule.duration_s
