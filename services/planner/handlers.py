"""The planner's use cases; implements PlannerPort."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import TypeVar

from maas.errors import FareNotFound, OutsideFeedDates, PlaceNotFound
from maas.events import JourneysPlanned, NothingFound
from maas.fares.network_fares import NO_TARIFF, NetworkFares
from maas.fares.pass_cover import PassInHand, cover_price
from maas.fares.refunds import RefundDecision
from maas.journeys import Journey, PlanRequest, PlanResult
from maas.passes import PassHeld, PassProduct
from maas.ports import PriceWorlds
from maas.prices import FareComponent, FareMedium, JourneyPrice, RiderCategory
from payments.money import JPY, Money
from services.planner.bikes.following import BikesNow
from services.planner.limits import ANY, Limits
from services.planner.network import Network, NetworkInForce
from services.planner.places import End
from services.planner.pricing import price_worlds
from services.planner.search import search, search_before
from services.planner.searches import SearchLog
from services.planner.sought import Answer
from services.platform.bus import Envelope
from services.platform.context import ServiceContext

R = TypeVar("R")

THREADS, THREADS_OF_MANY = 2, 1
"""Threads that search: of an only process, and of one of several. They share an interpreter, so where each
core has a process of its own a second one only gets in the way."""


class Planner:
    """Plans and prices on the network in force."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        threads = THREADS if context.settings.process_count == 1 else THREADS_OF_MANY
        self._executor = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="planner")
        self.in_force = NetworkInForce(context, self._executor)
        self.bikes = BikesNow(context)
        self.searches = SearchLog(context)

    # PlannerPort -------------------------------------------------------------------------------------------

    async def plan(self, *, request: PlanRequest) -> PlanResult:
        """Raises PlaceNotFound, OutsideFeedDates, NetworkUnavailable."""
        return await self.answer(request, count_min=1, tell=_plan_result)

    async def get_journey(self, *, journey_id: str) -> Journey:
        """The journey of that id, on today's network. Raises JourneyNotFound, NetworkUnavailable."""
        teller, bikes = self.in_force.get().teller, self.bikes.get()
        return await self.in_thread(lambda: teller.get_journey(journey_id, bikes))

    async def price(
        self,
        *,
        journey: Journey,
        riders: Sequence[RiderCategory],
        medium: FareMedium,
        fare_class: str | None,
        home: str | None,
        passes: Sequence[PassHeld],
    ) -> list[JourneyPrice]:
        """One price a rider of a party, in the order given. Raises FareNotFound."""
        fares = self.in_force.get().fares
        if fares is None:
            raise FareNotFound(NO_TARIFF)
        prices = fares.price_party(
            journey=journey, riders=riders, medium=medium, fare_class=fare_class, home=home
        )
        currencies = {price.total.currency for price in prices} - {JPY}
        if currencies:
            raise FareNotFound(
                f"its price is in {', '.join(sorted(currencies))}, and tickets are sold in {JPY}"
            )
        waiting = list(passes)
        covered = []
        for price in prices:
            mine = [each for each in waiting if each.rider is price.rider][:1]
            waiting = [each for each in waiting if each not in mine]
            covered.append(_cover(fares, journey, price, [each.in_hand for each in mine]))
        return covered

    async def price_worlds(
        self,
        *,
        journey: Journey,
        riders: Sequence[RiderCategory],
        fare_class: str | None,
        home: str | None,
    ) -> PriceWorlds:
        """What the same party pays on every medium, and the passes its first rider may buy for it."""
        return price_worlds(
            self.in_force.get().fares, journey, riders=riders, fare_class=fare_class, home=home
        )

    async def list_pass_products(self, *, on: date) -> list[PassProduct]:
        """The passes on sale on a service date; none where there are no tariffs."""
        fares = self.in_force.get().fares
        if fares is None or fares.tables is None:
            return []
        return [
            PassProduct(
                row=row,
                operators=fares.tables.list_operators(row.networks.split(), on),
                areas=fares.tables.list_areas(row.networks.split(), on),
            )
            for row in fares.tables.list_passes(on)
        ]

    async def decide_refund(
        self, *, component: FareComponent, price_paid: Money, now: datetime, departs_at: datetime
    ) -> RefundDecision:
        """What a customer who cancels gets back of one fare, by its operator's rule. Raises FareNotFound."""
        refunds = self.in_force.get().refunds
        if refunds is None:
            raise FareNotFound(NO_TARIFF)
        return refunds.refund_for(
            component,
            price_paid=price_paid,
            now=now,
            departs_at=departs_at,
        )

    # For the endpoints -------------------------------------------------------------------------------------

    async def answer(
        self,
        request: PlanRequest,
        *,
        count_min: int,
        leaves_before: datetime | None = None,
        limits: Limits = ANY,
        tell: Callable[[Answer], R],
    ) -> R:
        """Search, and note the search; returns what `tell` makes of the answer, in the thread that found it.

        Raises PlaceNotFound, OutsideFeedDates, NetworkUnavailable.
        """
        network = self.in_force.get()
        origin = self._find_end(network, request.origin, request.language)
        destination = self._find_end(network, request.destination, request.language)
        if origin is None or destination is None:
            unknown = request.origin if origin is None else request.destination
            self._note_nothing(request, origin, destination, PlaceNotFound.code)
            raise PlaceNotFound(
                f"Nothing here is called {unknown[:80]!r}. Give latitude,longitude, a stop id, or a name "
                "that /api/v1/geocode knows."
            )

        bikes = self.bikes.get()

        def find() -> Answer:
            if leaves_before is None:
                return search(
                    network, request, origin, destination, count_min=count_min, limits=limits, bikes=bikes
                )
            return search_before(
                network,
                request,
                origin,
                destination,
                leaves_before=leaves_before,
                count_min=count_min,
                limits=limits,
                bikes=bikes,
            )

        def find_and_tell() -> tuple[Answer, R]:
            answer = find()
            return answer, tell(answer)

        try:
            answer, told = await self.in_thread(find_and_tell)
        except OutsideFeedDates:
            self._note_nothing(request, origin, destination, OutsideFeedDates.code)
            raise
        self._note(request, answer)
        return told

    # Following the network ---------------------------------------------------------------------------------

    async def on_published(self, _tx: object, _event: object, _envelope: Envelope) -> None:
        """A network was published: open it soon. Nothing here is stored, so nothing can be done twice."""
        self.in_force.tell()

    async def readiness(self) -> None:
        """Raises NetworkUnavailable while there is none."""
        self.in_force.get()

    async def stop(self) -> None:
        """Write what is still waiting, and let the threads go."""
        await self.searches.flush()
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def in_thread(self, work: Callable[[], R]) -> R:
        """Do what takes longer than a moment beside the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    @staticmethod
    def _find_end(network: Network, text: str, language: str) -> End | None:
        try:
            return network.places.get_end(text, language=language)
        except PlaceNotFound:
            return None

    # Noting searches ---------------------------------------------------------------------------------------

    def _note(self, request: PlanRequest, answer: Answer) -> None:
        found = (*answer.journeys, *answer.list_direct())
        if not found:
            self._note_nothing(request, answer.origin, answer.destination, "no_journey")
            return
        modes = {leg.mode for journey in answer.journeys or found for leg in journey.legs}
        self.searches.note(
            JourneysPlanned(
                origin_lat=answer.origin.place.lat,
                origin_lon=answer.origin.place.lon,
                destination_lat=answer.destination.place.lat,
                destination_lon=answer.destination.place.lon,
                asked_for=request.at,
                journey_count=len(found),
                modes=tuple(sorted(modes)),
            )
        )

    def _note_nothing(
        self, request: PlanRequest, origin: End | None, destination: End | None, reason: str
    ) -> None:
        self.searches.note(
            NothingFound(
                origin_lat=origin.place.lat if origin else None,
                origin_lon=origin.place.lon if origin else None,
                destination_lat=destination.place.lat if destination else None,
                destination_lon=destination.place.lon if destination else None,
                asked_for=request.at,
                reason=reason,
            )
        )


def _plan_result(answer: Answer) -> PlanResult:
    # The rides that are kept all beat the walk; one without an interchange beats it in everything.
    is_beaten = any(journey.interchanges == 0 for journey in answer.journeys)
    walks = () if answer.direct is None or is_beaten else (answer.direct,)
    return PlanResult(
        origin=answer.origin.place,
        destination=answer.destination.place,
        journeys=(*answer.journeys, *walks),
        network_version=answer.network.snapshot_version,
    )


def _cover(
    fares: NetworkFares, journey: Journey, price: JourneyPrice, passes: Sequence[PassInHand]
) -> JourneyPrice:
    """What is left beside passes in hand; they are of our tables, so a feed's fares are none of theirs."""
    is_ours = all(component.networks for component in price.components)
    if not passes or fares.tables is None or not is_ours:
        return price
    return cover_price(fares.tables, journey=journey, price=price, passes=passes)
