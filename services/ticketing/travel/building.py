"""The parts of account-based travel, wired."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from maas.account_travel.policy import TravelPolicy
from maas.fares.charged import ServiceClock
from services.platform.context import ServiceContext
from services.platform.service import Route, Step
from services.ticketing.travel.charging import Charger
from services.ticketing.travel.denials import Denials
from services.ticketing.travel.holdings import Holdings
from services.ticketing.travel.journeys import TravelDesk
from services.ticketing.travel.media import MediaDesk
from services.ticketing.travel.rating import SET_SIZE, WeekRater
from services.ticketing.travel.routes import build_travel_routes
from services.ticketing.travel.store import TravelStore
from services.ticketing.travel.tariff import TariffInForce


@dataclass(frozen=True, slots=True)
class Travel:
    """What the service mounts and runs."""

    rater: WeekRater
    charger: Charger
    tariff: TariffInForce
    denials: Denials
    media: MediaDesk
    routes: list[Route]

    @property
    def workers(self) -> list[Step]:
        """What runs for ever."""
        return [self.tariff.follow, self.rate, self.post, self.denials.follow]

    async def rate(self) -> None:
        """The rating's worker."""
        await self.rater.run()

    async def post(self) -> None:
        """The charging's worker."""
        await self.charger.run()


def build_travel(context: ServiceContext, *, zone: ZoneInfo, set_size: int = SET_SIZE) -> Travel:
    """The parts, not started. `set_size`: how many markers and weeks are rated in one transaction."""
    policy = TravelPolicy(clock=ServiceClock(zone=zone))
    store = TravelStore(context.database)
    tariff = TariffInForce(context, policy)
    charger = Charger(context, policy)
    holdings = Holdings(context, store, policy.clock)
    rater = WeekRater(context, store, tariff, holdings, charger, set_size=set_size)
    denials = Denials(context)
    media = MediaDesk(context, policy, denials)
    travel = TravelDesk(context, policy, tariff, rater)
    return Travel(rater, charger, tariff, denials, media, build_travel_routes(media, travel, denials))
