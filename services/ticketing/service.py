"""Build the ticketing service."""

import asyncio
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from maas.events import AccountClosed, LegCancelled, OrderConfirmed, PassGivenBack, PassSold
from maas.ports import RidesPort
from services.platform.bus import Envelope
from services.platform.context import ServiceContext
from services.platform.outbox import Subscription
from services.platform.service import Service
from services.ticketing.code_handlers import CodeHandlers
from services.ticketing.code_routes import build_code_routes
from services.ticketing.code_store import CodeStore
from services.ticketing.codes import Codes
from services.ticketing.conflicts import Conflicts, build_conflict_routes
from services.ticketing.desk import Desk
from services.ticketing.devices import DeviceDesk, build_device_routes
from services.ticketing.handlers import TicketingHandlers
from services.ticketing.issuing import Issuing
from services.ticketing.keys import KeyStore
from services.ticketing.pass_rides import PassRides
from services.ticketing.rating import Rating
from services.ticketing.routes import build_routes
from services.ticketing.store import TicketingStore
from services.ticketing.tap_store import TapStore
from services.ticketing.tapping import Tapping
from services.ticketing.tides.exporting import TidesExport
from services.ticketing.tides.importing import TidesImport
from services.ticketing.tides.routes import TidesDesk, build_tides_routes
from services.ticketing.tides.tokens import TokenHasher
from services.ticketing.travel.building import build_travel
from services.ticketing.wallets import Wallets

ZONE = ZoneInfo("Asia/Tokyo")


def build(context: ServiceContext) -> Service:
    """The service, not started."""
    store = TicketingStore(context.database)
    keys = KeyStore(context.data_dir / "keys" / "ticketing.json")
    code_store = CodeStore(context.database)
    codes = Codes(context, code_store, keys, asyncio.Event())
    issuing = Issuing(context, store, code_store, keys, zone=ZONE)
    taps = TapStore(context.database)
    travel = build_travel(context, zone=ZONE)
    rating = Rating(context, store, taps, PassRides(context, travel.tariff), zone=ZONE)
    tapping = Tapping(context, store, taps, keys, rating, zone=ZONE)
    devices = DeviceDesk(context, taps, rating)
    tokens = TokenHasher(context.data_dir / "keys" / "tides.key")
    tides = TidesDesk(TidesExport(context.database, tokens), TidesImport(context, taps, zone=ZONE))
    wallets = Wallets(context.data_dir / "keys", ZONE)
    desk = Desk(context, store, code_store, keys, tapping)

    async def on_account_closed(tx: Any, event: AccountClosed, envelope: Envelope) -> None:
        await issuing.on_account_closed(tx, event, envelope)
        await travel.media.forget_customer(tx, str(event.account_id))

    async def open_keys() -> None:
        await asyncio.to_thread(keys.open, context.clock.now())
        await asyncio.to_thread(tokens.open)

    return Service(
        name="ticketing",
        context=context,
        migrations=Path(__file__).with_name("migrations"),
        routes=[
            *build_routes(TicketingHandlers(context, store, code_store, keys, tapping, wallets)),
            *build_code_routes(CodeHandlers(store, code_store, codes, desk)),
            *build_device_routes(devices),
            *build_conflict_routes(Conflicts(store)),
            *build_tides_routes(tides),
            *travel.routes,
        ],
        ports={RidesPort: store},
        subscriptions=[
            Subscription(OrderConfirmed, issuing.on_order_confirmed),
            Subscription(LegCancelled, issuing.on_leg_cancelled),
            Subscription(PassSold, issuing.on_pass_sold),
            Subscription(PassGivenBack, issuing.on_pass_given_back),
            Subscription(AccountClosed, on_account_closed),
        ],
        workers=[rating.run, codes.run_reissue, *travel.workers],
        on_start=[open_keys],
    )
