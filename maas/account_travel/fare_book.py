"""Fares of ridden journeys from the one fare engine, each pair of stations asked once.

Problem   A city has a million rides a day between a few thousand pairs of stations. The engine is exact but
          takes tens of microseconds; gates say nothing of the way ridden, and of an unfinished ride not even
          where it led.
Idea      What a chain of rides costs hangs on its stops, its day's tariff, rider, medium and company alone,
          once it is known which changes were in time: so it is priced once and remembered.
            through-running   entered in one network, left in another: the cheapest way over a junction
            same station      free within the network's minutes, then the network's least fare from there
            maximum           of a ride that lacks an end: the dearest fare from the station that is known
Not here  Which rides belong together (fares.py); caps, passes and promises (charges.py).
Invariant A price is the engine's own; nothing is added here.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import TypeVar

from maas.account_travel.policy import TapRules, TravelPolicy
from maas.account_travel.rides import Stop
from maas.errors import FareNotFound
from maas.fares.charged import FareCharged, Part, build_fare_charged
from maas.fares.engine import FareEngine
from maas.fares.in_force import TariffInForce
from maas.fares.riders import Company
from maas.fares.runs import without_feed
from maas.fares.tables import NetworkRow
from maas.journeys import Journey, Leg, Mode, Place
from maas.prices import FareComponent, FareMedium, RiderCategory

DOTTED_PARTS = 3
_NOON = time(12, 0)
_MINUTE = timedelta(minutes=1)

Answer = TypeVar("Answer")
NameOf = Callable[[Stop], str]
Ends = tuple[Stop, Stop]


@dataclass(frozen=True, slots=True, kw_only=True)
class TapPlace:
    """A stop as the tariff knows it."""

    stop: Stop
    network: NetworkRow
    station: str
    route_id: str


@dataclass(frozen=True, slots=True)
class Fare:
    """One fare of a chain: what any rider on it is charged. `leg_indices` count over the chain's rides."""

    ride_indices: tuple[int, ...]
    charged: FareCharged

    def made(self, fare_id: str, entered_at: datetime, ride_ids: tuple[str, ...]) -> FareCharged:
        """This fare, as these rides made it."""
        template = self.charged
        return FareCharged(
            fare_id=fare_id,
            entered_at=entered_at,
            amount_minor=template.amount_minor,
            parts=template.parts,
            shares=template.shares,
            text=template.text,
            text_en=template.text_en,
            is_maximum=template.is_maximum,
            ride_ids=ride_ids,
            addends=template.addends,
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """For whom a fare is asked, on which service day. Its hash is made once, for many a look."""

    day: date
    rider: RiderCategory
    medium: FareMedium
    company: Company
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.day, self.rider, self.medium, self.company)))

    def __hash__(self) -> int:
        return self._hash


Prices = dict[tuple[Ends, ...], tuple[Fare, ...] | None]
"""Fares of chains, for those of whom the same is asked."""


def route_of_stop(stop: Stop) -> str:
    """The route that a gate's stop id tells: `demo:Toei.Oedo.Tochomae` -> `Toei.Oedo`; else ""."""
    parts = without_feed(stop.stop_id).split(".")
    return ".".join(parts[: DOTTED_PARTS - 1]) if len(parts) >= DOTTED_PARTS else ""


class FareBook:
    """What chains of rides cost under one tariff folder. It remembers every answer.

    Prices are remembered by version of the tariff: a pair of stations asked about today is known tomorrow.
    """

    def __init__(
        self,
        engine: FareEngine,
        rules: TapRules,
        policy: TravelPolicy,
        *,
        name_of: NameOf = lambda stop: without_feed(stop.stop_id).rsplit(".", 1)[-1],
        route_of: Callable[[Stop], str] = route_of_stop,
    ) -> None:
        self.engine = engine
        self.policy = policy
        self._rules = rules
        self.name_of = name_of
        self._route_of = route_of
        self._known: dict[Hashable, object] = {}
        self._prices: dict[Asked, Prices] = {}
        self._prices_alike: dict[Hashable, Prices] = {}
        self._same: dict[date, dict[Ends, bool]] = {}
        self._bound: dict[tuple[date, bool], dict[Ends, timedelta | None]] = {}

    def find_place(self, day: date, stop: Stop) -> TapPlace | None:
        """What the day's tariff knows of a stop; None where it knows nothing."""
        return self._remember(("place", day, stop), lambda: self._find_place(day, stop))

    def is_same_station(self, day: date, here: Stop, there: Stop) -> bool:
        """Whether two stops are one station of one network."""
        known = self._same.setdefault(day, {})
        ends = here, there
        if ends not in known:
            known[ends] = self._is_same_station(day, here, there)
        return known[ends]

    def is_interchange(self, day: date, here: Stop, there: Stop) -> bool:
        """Whether one may change from here to there: one station, outside the gates, or a junction."""
        return self._remember(
            ("interchange", day, here, there), lambda: self._is_interchange(day, here, there)
        )

    def binds_within(self, day: date, here: Stop, there: Stop, *, boarded: bool) -> timedelta | None:
        """How soon a fare must go on from here to there to be bound to the one before; None where never.

        `boarded`: both are buses, and time runs from the boarding before; else from the exit to the entry.
        """
        known = self._bound.setdefault((day, boarded), {})
        ends = here, there
        if ends not in known:
            known[ends] = self._binds_within(day, here, there, boarded=boarded)
        return known[ends]

    def price(self, asked: Asked, chain: tuple[Ends, ...]) -> tuple[Fare, ...] | None:
        """The fares of rides that are bound to one another; None where no tariff prices them."""
        known = self._prices.get(asked)
        if known is None:
            known = self._prices[asked] = self._find_prices_alike(asked)
        if chain not in known:
            known[chain] = self._price(asked, chain)
        return known[chain]

    def price_same_station(self, asked: Asked, stop: Stop, stayed: timedelta) -> Fare | None:
        """What it costs to leave where one entered."""
        place = self.find_place(asked.day, stop)
        if place is None:
            return None
        free_s = self._rules.same_station_free_s(place.network.network_id, asked.day)
        if stayed <= timedelta(seconds=free_s):
            name = self.name_of(stop)
            return self._plain(
                place,
                0,
                f"{name} 同じ駅で出場（{free_s // 60}分以内）",
                f"{name}, left where entered in time",
            )
        return self._remember(("least", asked, stop), lambda: self._from_here(asked, place, least=True))

    def price_maximum(self, asked: Asked, stop: Stop) -> Fare | None:
        """What a ride costs of which only this stop is known."""
        place = self.find_place(asked.day, stop)
        if place is None:
            return None
        return self._remember(("most", asked, stop), lambda: self._from_here(asked, place, least=False))

    def price_waived(self, day: date, stop: Stop) -> Fare | None:
        """A ride that a clerk charges nothing for."""
        place = self.find_place(day, stop)
        name = self.name_of(stop)
        if place is None:
            return None
        return self._plain(place, 0, f"{name} 係員による免除", f"{name}, waived by staff")

    def _find_prices_alike(self, asked: Asked) -> Prices:
        """The prices of all days on which the same version of the tariff is in force: they are the same."""
        version = self.engine.tariff_on(asked.day)
        return self._prices_alike.setdefault((version, asked.rider, asked.medium, asked.company), {})

    def _remember(self, key: Hashable, find: Callable[[], Answer]) -> Answer:
        if key not in self._known:
            self._known[key] = find()
        return self._known[key]  # type: ignore[return-value]  # a key is asked for in one way only

    def _find_place(self, day: date, stop: Stop) -> TapPlace | None:
        tariff = self.engine.tariff_on(day)
        route_id = self._route_of(stop)
        network = tariff.find_network(stop.operator_id, route_id)
        station = None if network is None else tariff.find_station(network, without_feed(stop.stop_id))
        if network is None or station is None:
            return None
        return TapPlace(stop=stop, network=network, station=station, route_id=route_id)

    def _is_same_station(self, day: date, here: Stop, there: Stop) -> bool:
        one, other = self.find_place(day, here), self.find_place(day, there)
        if one is None or other is None or one.network.network_id != other.network.network_id:
            return False
        network_id = one.network.network_id
        tariff = self.engine.tariff_on(day)
        return tariff.is_same_station(network_id, one.station, other.station)

    def _is_interchange(self, day: date, here: Stop, there: Stop) -> bool:
        one, other = self.find_place(day, here), self.find_place(day, there)
        if one is None or other is None:
            return False
        names = (one.network.network_id, other.network.network_id)
        tariff = self.engine.tariff_on(day)
        if names[0] == names[1]:
            return tariff.is_same_station(names[0], one.station, other.station)
        return (one.station, other.station) in tariff.junctions.get(names, ())

    def _binds_within(self, day: date, here: Stop, there: Stop, *, boarded: bool) -> timedelta | None:
        one, other = self.find_place(day, here), self.find_place(day, there)
        if one is None or other is None:
            return None
        tariff = self.engine.tariff_on(day)
        names = (one.network.network_id, other.network.network_id)
        if boarded:
            row = tariff.discounts.get(("boarding", *names))
            return None if row is None or row.within_s is None else timedelta(seconds=row.within_s)
        if names[0] == names[1]:
            within_s = tariff.find_gate_window(names[0], one.station, other.station)
            return None if within_s is None else timedelta(seconds=within_s)
        row = tariff.discounts.get(("joint", *names))
        if row is None or not self.is_interchange(day, here, there):
            return None
        # A joint fare without a time of its own goes on for as long as a ride may last.
        return self.policy.ride_max if row.within_s is None else timedelta(seconds=row.within_s)

    def _price(self, asked: Asked, chain: tuple[Ends, ...]) -> tuple[Fare, ...] | None:
        """Times are made up so that every change is in time: that they were is known already."""
        rides = [self._list_ways(asked.day, *ends) for ends in chain]
        ways: list[list[list[tuple[TapPlace, TapPlace]]]] = [[]]
        for found in rides:
            ways = [[*before, way] for before in ways for way in found]
        priced = []
        for way in ways:
            fares = self._price_way(asked, way)
            if fares is None:
                continue
            if len(fares) == 1 and self._is_alike_over_each_junction(asked.day, chain):
                return fares
            priced.append(fares)
        return min(priced, key=lambda fares: sum(each.charged.amount_minor for each in fares), default=None)

    def _is_alike_over_each_junction(self, day: date, chain: tuple[Ends, ...]) -> bool:
        """Whether one fare for a ride over a junction is the same whichever junction is named.

        The tariff itself changes at the cheapest; but what is ridden within a section that two networks own
        may be either's, which hangs on where it ends.
        """
        if len(chain) != 1:
            return False
        shared = self.engine.tariff_on(day).shared_sections
        places = [self.find_place(day, stop) for stop in chain[0]]
        return all(each and (each.network.network_id, each.station) not in shared for each in places)

    def _list_ways(self, day: date, origin: Stop, destination: Stop) -> list[list[tuple[TapPlace, TapPlace]]]:
        """The ways from gate to gate: one within a network, one over each junction between two."""
        one, other = self.find_place(day, origin), self.find_place(day, destination)
        if one is None or other is None:
            return []
        if one.network.network_id == other.network.network_id:
            return [[(one, other)]]
        tariff = self.engine.tariff_on(day)
        names = (one.network.network_id, other.network.network_id)
        return [
            [(one, _moved(tariff, one, here)), (_moved(tariff, other, there), other)]
            for here, there in tariff.junctions.get(names, ())
            if here != one.station and there != other.station
        ]

    def _price_way(
        self, asked: Asked, rides: Sequence[list[tuple[TapPlace, TapPlace]]]
    ) -> tuple[Fare, ...] | None:
        at = datetime.combine(asked.day, _NOON, tzinfo=self.policy.clock.zone)
        legs: list[Leg] = []
        ride_of_leg: list[int] = []
        journeys: list[Journey] = []
        for index, hops in enumerate(rides):
            own = []
            for origin, destination in hops:
                own.append(self._leg(asked.day, origin, destination, at))
                ride_of_leg.append(index)
                at += 2 * _MINUTE
            legs += own
            journeys.append(Journey(journey_id="", legs=tuple(own), network_version=""))
        try:
            components = self.engine.price_rides(
                rides=journeys, rider=asked.rider, medium=asked.medium, company=asked.company
            )
            return tuple(self._fare(asked, legs, ride_of_leg, component) for component in components)
        except FareNotFound:
            return None

    def _fare(
        self, asked: Asked, legs: Sequence[Leg], ride_of_leg: Sequence[int], component: FareComponent
    ) -> Fare:
        charged = build_fare_charged(
            self.engine,
            legs=legs,
            component=component,
            fare_id="",
            ride_ids=(),
            rider=asked.rider,
            medium=asked.medium,
            company=asked.company,
        )
        return Fare(tuple(sorted({ride_of_leg[leg] for leg in component.leg_indices})), charged)

    def _from_here(self, asked: Asked, place: TapPlace, *, least: bool) -> Fare | None:
        """The least or the dearest single fare from a station to the others of its network."""
        tariff = self.engine.tariff_on(asked.day)
        fares = []
        for station in _list_stations(tariff, place):
            found = self._price_way(asked, [[(place, _moved(tariff, place, station))]])
            if found is not None:
                fares.append((found[0].charged.amount_minor, station))
        if not fares:
            return None
        amount, _ = min(fares) if least else max(fares)
        name, kind, kind_en = self.name_of(place.stop), "最低運賃", "least fare"
        if not least:
            kind, kind_en = (
                "最大運賃（入場または出場の記録なし）",
                "maximum fare: an entry or exit is missing",
            )
        network = place.network
        fare = self._plain(
            place, amount, f"{network.name} {name} {kind}", f"{network.name_en}, {name}, {kind_en}"
        )
        if not least:
            return Fare(fare.ride_indices, replace(fare.charged, is_maximum=True))
        part = Part(network_id=network.network_id, alone_minor=amount, operator_id=network.operator_id)
        return Fare(fare.ride_indices, replace(fare.charged, parts=(part,)))

    def _plain(self, place: TapPlace, amount: int, text: str, text_en: str) -> Fare:
        return Fare(
            (0,),
            FareCharged(
                fare_id="",
                entered_at=datetime.combine(place.network.valid_from, _NOON, tzinfo=self.policy.clock.zone),
                amount_minor=amount,
                parts=(),
                shares={place.network.operator_id: amount},
                text=text,
                text_en=text_en,
            ),
        )

    def _leg(self, day: date, origin: TapPlace, destination: TapPlace, at: datetime) -> Leg:
        return Leg(
            mode=Mode.RAIL,
            origin=self._end(origin),
            destination=self._end(destination),
            departs_at=at,
            arrives_at=at + _MINUTE,
            operator_id=origin.stop.operator_id,
            route_id=origin.route_id,
            service_date=day,
        )

    def _end(self, place: TapPlace) -> Place:
        return Place(name=self.name_of(place.stop), lat=0.0, lon=0.0, stop_id=place.stop.stop_id)


def _moved(tariff: TariffInForce, place: TapPlace, station: str) -> TapPlace:
    """Another station of the same network, by a stop id that its tariff reads as that station."""
    kind = place.network.stations
    if kind == "dotted":
        stop_id = f"{place.route_id}.{station}"
    else:
        listed = (stop for (name, stop), meant in tariff.stops.items() if (name, meant) == (kind, station))
        stop_id = min(listed, default=station)
    return replace(place, station=station, stop=place.stop._replace(stop_id=stop_id))


def _list_stations(tariff: TariffInForce, place: TapPlace) -> list[str]:
    network_id = place.network.network_id
    graph = tariff.graphs.get(network_id)
    if graph is not None:
        return sorted(station for station in graph.distances(place.station) if station != place.station)
    sections = {pair for key in tariff.sections if key[0] == network_id for pair in key[1:]}
    return sorted(sections - {place.station}) or [place.station]
