"""The fares of a medium's rides of one service day: which rides one fare binds, and for whom.

Problem   A ride that goes on outside the gates in time is the same fare; a family on one card pays
          several; a helper's card halves both fares only when it rides along.
Idea      Neighbouring rides are bound when the tariff says that the change was in time. A chain of bound
          rides is priced as one, for each rider of the party.
Rule      An unfinished ride pays the maximum fare of the station that is known; so do both ends of a ride
          that no tariff prices (entered and left where no ticket is sold between).
Not here  Passes, caps and promises (charges.py).
Invariant Every ride is in exactly one fare for each rider, but an open one and one at a stop that no tariff
          knows: those are charged nothing, and `is_priced` says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache

from maas.account_travel.endings import EndedRide
from maas.account_travel.fare_book import Asked, Ends, Fare, FareBook
from maas.account_travel.media import Medium
from maas.account_travel.rides import Ride, RideState, TapKey
from maas.fares.charged import FareCharged
from maas.fares.riders import list_companies
from maas.prices import FareMedium, RiderCategory


@dataclass(frozen=True, slots=True)
class RideFare:
    """One fare of one rider, and the rides it pays for."""

    charged: FareCharged
    day: date
    rider_index: int
    rider: RiderCategory
    rides: tuple[TapKey, ...]
    began_at: datetime


@dataclass(frozen=True, slots=True)
class DayFares:
    """A day's rides as they are charged, and their fares."""

    rides: tuple[EndedRide, ...]
    fares: tuple[RideFare, ...]
    unpriced: frozenset[TapKey]


def list_day_fares(
    medium: Medium, day: date, rides: Sequence[EndedRide], book: FareBook, *, companions: Sequence[Ride] = ()
) -> DayFares:
    """The fares of one day. `companions` are the rides of the media that are paired with this one."""
    work = _Day(medium, day, book, companions)
    for chain in _chain(medium, day, rides, book):
        work.add(chain)
    return DayFares(tuple(work.rides), tuple(work.fares), frozenset(work.unpriced))


def _chain(
    medium: Medium, day: date, rides: Iterable[EndedRide], book: FareBook
) -> Iterable[list[EndedRide]]:
    chain: list[EndedRide] = []
    for ride in rides:
        if chain and not _is_bound(medium, day, chain[-1], ride, book):
            yield chain
            chain = []
        chain.append(ride)
    if chain:
        yield chain


def _is_bound(medium: Medium, day: date, before: EndedRide, ride: EndedRide, book: FareBook) -> bool:
    """Whether the fare of `before` goes on with `ride`: only taps tell, never an end that was assumed."""
    if before.state is not RideState.COMPLETE or not _is_whole(ride) or ride.ride.began is None:
        return False
    if (
        before.is_scan != ride.is_scan
        or _is_same_station(day, before, book)
        or _is_same_station(day, ride, book)
    ):
        return False
    left_at = before.ride.began if before.is_scan else before.ride.ended
    here = before.origin if before.is_scan else before.destination
    assert left_at is not None, "a complete ride has its taps"
    assert here is not None, "a complete ride has its ends"
    assert ride.origin is not None, "a ride that began knows where"
    within = book.binds_within(day, here, ride.origin, boarded=before.is_scan)
    if within is None:
        return False
    passed = ride.ride.began.tapped_at - left_at.tapped_at
    return -book.policy.clocks_differ <= passed <= within and (
        not medium.parties or medium.riders_at(before.began_at, day) == medium.riders_at(ride.began_at, day)
    )


def _is_whole(ride: EndedRide) -> bool:
    return ride.origin is not None and (ride.destination is not None or ride.is_scan) and not ride.is_waived


def _is_same_station(day: date, ride: EndedRide, book: FareBook) -> bool:
    if ride.is_scan or ride.origin is None or ride.destination is None:
        return False
    return ride.origin == ride.destination or book.is_same_station(day, ride.origin, ride.destination)


@dataclass(frozen=True, slots=True)
class _Rider:
    """One of a party: the category that caps and promises count, and the fare that is asked."""

    index: int
    category: RiderCategory
    asked: Asked


@lru_cache(maxsize=4_000)
def _list_riders(riders: tuple[RiderCategory, ...], day: date, medium: FareMedium) -> tuple[_Rider, ...]:
    """The riders of a party whose fares hang on nobody beside it."""
    return tuple(
        _Rider(index, pays_as, Asked(day, pays_as, medium, company))
        for index, (_, pays_as, company) in enumerate(list_companies(riders))
    )


class _Day:
    """The fares of a day, as they are found."""

    def __init__(self, medium: Medium, day: date, book: FareBook, companions: Sequence[Ride]) -> None:
        self._medium = medium
        self._day = day
        self._book = book
        self._companions = companions
        self.rides: list[EndedRide] = []
        self.fares: list[RideFare] = []
        self.unpriced: set[TapKey] = set()

    def add(self, chain: list[EndedRide]) -> None:
        """Price a chain of bound rides; a single ride is a chain too."""
        first = chain[0]
        if first.state is RideState.OPEN:
            self.rides.append(first)
            return
        riders = self._list_riders(chain)
        priced = [self._price(chain, each.asked) for each in riders]
        if len(chain) > 1 and any(fares is None for fares in priced):
            for ride in chain:
                self.add([ride])
            return
        if any(fares is None for fares in priced):
            self._add_unpriced(first)
            return
        self.rides += chain
        for each, fares in zip(riders, priced, strict=True):
            for place, fare in enumerate(fares or ()):
                self._keep(chain, each, fare, place)

    def _list_riders(self, chain: list[EndedRide]) -> Sequence[_Rider]:
        first = chain[0]
        party = self._medium.riders_at(first.began_at, self._day)
        riders = _list_riders(party, self._day, self._medium.kind.fare_medium)
        first_asked = riders[0].asked
        partner = self._find_partner(chain) if first_asked.company.partner is None else None
        if partner is None:
            return riders
        # Whoever rides along with a disabled rider is the helper on these rides, and no helper alone.
        is_helper = partner is RiderCategory.DISABLED
        beside = replace(
            first_asked,
            rider=RiderCategory.HELPER if is_helper else first_asked.rider,
            company=replace(first_asked.company, partner=partner),
        )
        return [replace(riders[0], asked=beside), *riders[1:]]

    def _find_partner(self, chain: list[EndedRide]) -> RiderCategory | None:
        """The rider of the paired medium, when it made all of these rides along with this one."""
        if not self._companions:
            return None
        paired = [each for each in self._medium.paired if each.holds_at(chain[0].began_at)]
        if not paired:
            return None
        within = self._book.policy.paired_within
        if all(any(_is_together(ride.ride, other, within) for other in self._companions) for ride in chain):
            return paired[-1].rides_as
        return None

    def _entered_at(self, ride: EndedRide) -> datetime:
        """When it was entered; of an exit alone past the day's end, the day's last instant."""
        clock = self._book.policy.clock
        if ride.ride.began is not None or clock.day_of(ride.began_at) == self._day:
            return ride.began_at
        after = datetime.combine(self._day + timedelta(days=1), clock.starts_at, tzinfo=clock.zone)
        return after - timedelta(microseconds=1)

    def _price(self, chain: list[EndedRide], asked: Asked) -> tuple[Fare, ...] | None:
        first = chain[0]
        if len(chain) == 1:
            stop = first.origin or first.destination
            assert stop is not None, "a ride knows one of its stops"
            if first.is_waived:
                return _alone(self._book.price_waived(self._day, stop))
            if not _is_whole(first):
                return _alone(self._book.price_maximum(asked, stop))
            if _is_same_station(self._day, first, self._book):
                return _alone(self._book.price_same_station(asked, stop, _stayed(first)))
        return self._book.price(asked, tuple(_ends(ride) for ride in chain))

    def _add_unpriced(self, ride: EndedRide) -> None:
        """No tariff sells from its origin to its destination: each end pays its own maximum fare."""
        both = ride.origin is not None and ride.destination is not None and ride.origin != ride.destination
        ends = [
            replace(ride, state=RideState.INCOMPLETE, destination=None),
            replace(ride, state=RideState.INCOMPLETE, origin=None),
        ]
        kept = False
        for half, end in enumerate(ends if both else ()):
            for each in self._list_riders([ride]):
                for fare in self._price([end], each.asked) or ():
                    self._keep([end], each, fare, half)
                    kept = True
        if kept:
            self.rides.append(replace(ride, state=RideState.INCOMPLETE))
        else:
            self.rides.append(ride)
            self.unpriced.add(ride.key)

    def _keep(self, chain: list[EndedRide], rider: _Rider, fare: Fare, place: int) -> None:
        rides = tuple(chain[ride].key for ride in fare.ride_indices)
        began_at = self._entered_at(chain[fare.ride_indices[0]])
        ride_ids = tuple(f"{device_id}/{sequence}" for device_id, sequence in rides)
        charged = fare.made(f"{ride_ids[0]}/{rider.index}/{place}", began_at, ride_ids)
        self.fares.append(RideFare(charged, self._day, rider.index, rider.category, rides, began_at))


def _alone(fare: Fare | None) -> tuple[Fare, ...] | None:
    return None if fare is None else (fare,)


def _ends(ride: EndedRide) -> Ends:
    assert ride.origin is not None, "a whole ride has an origin"
    return ride.origin, ride.destination or ride.origin


def _stayed(ride: EndedRide) -> timedelta:
    began, ended = ride.ride.began, ride.ride.ended
    return abs(ended.tapped_at - began.tapped_at) if began and ended else timedelta.max


def _is_together(ride: Ride, other: Ride, within: timedelta) -> bool:
    """Whether two media were tapped at the same stops, within a little time, at both ends."""
    for mine, theirs in ((ride.began, other.began), (ride.ended, other.ended)):
        if (mine is None) != (theirs is None):
            return False
        if mine is not None and theirs is not None:
            same = (mine.operator_id, mine.stop_id) == (theirs.operator_id, theirs.stop_id)
            if not same or abs(mine.tapped_at - theirs.tapped_at) > within:
                return False
    return True
