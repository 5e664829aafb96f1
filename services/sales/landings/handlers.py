"""What sales does when a ship that sailed on condition put its passengers ashore elsewhere.

Problem   The night ship could not land at the island that was paid for; some went ashore at another, some
          stayed on board and came back. Only the operator's clerk knows who did what.
Idea      The clerk names the order, its ship and the port. The fare to there is asked of the tariff for the
          same riders, class and day; what was paid beyond it goes back, and so does all that was to follow.
          Back at the pier it sailed from nothing is due. One landing a ship and order: a second one is the
          first again.
Source    facts B3.4 (conditional and not landed).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from maas.disruptions import refund_lines_for_landing
from maas.eligibility import find_home
from maas.errors import OrderNotFound
from maas.journeys import Journey, Leg, Mode, Place
from maas.notifications import compose_message
from maas.offers import service_date_of
from maas.orders import Order, OrderState
from maas.ports import PlannerPort
from payments.money import Money
from services.platform.auth import Principal, Role
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.platform.service import Call
from services.sales.aftersales import Aftersales
from services.sales.claims.handlers import Claims
from services.sales.models import LandingReport, LandingView
from services.sales.store import SalesStore


@dataclass(frozen=True, slots=True)
class Landings:
    """The endpoint of landings."""

    context: ServiceContext
    store: SalesStore
    aftersales: Aftersales
    claims: Claims

    async def record(self, call: Call) -> LandingView:
        """Give back what the fare to the port of landing leaves, and all that was to follow."""
        report: LandingReport = call.body
        order = await self._get_order(call.path["order_id"], report.leg_index, call.caller)
        refund_id = uuid5(order.order_id, f"landing:{report.leg_index}")
        known = [
            row for row in await self.store.list_refunds(order.order_id) if row["refund_id"] == refund_id
        ]
        if known:
            return LandingView(
                order_id=order.order_id, refund_id=refund_id, amount=Money(known[0]["amount_minor"])
            )
        port = _port_of(order.journey.legs[report.leg_index], report.stop_id)
        fares_due = await self._fares_due(order, report.leg_index, port)
        amount = await self._give_back(order.order_id, report.leg_index, port, fares_due, refund_id)
        return LandingView(order_id=order.order_id, refund_id=refund_id, amount=amount)

    async def _get_order(self, order_id: UUID, leg_index: int, caller: Principal) -> Order:
        """The order, if that leg of it is a ship of the caller's."""
        order = await self.store.find_order(order_id)
        legs = () if order is None else order.journey.legs
        is_theirs = leg_index < len(legs) and (
            caller.role is Role.ADMIN or legs[leg_index].operator_id == caller.operator_id
        )
        if order is None or not is_theirs:
            raise OrderNotFound("No order with a leg of your operator has this id and leg.")
        if legs[leg_index].mode is not Mode.FERRY:
            raise Problem("landing_impossible", detail=f"Leg {leg_index} is no ship. Name the ship's leg.")
        return order

    async def _fares_due(self, order: Order, leg_index: int, port: Place) -> dict[int, Money]:
        """By component of the ship: what its riders pay to go as far as they went."""
        leg = order.journey.legs[leg_index]
        components = [each for each in order.components if leg_index in each.leg_indices]
        if port.stop_id == leg.origin.stop_id:
            return {each.component_index: Money(0, order.total.currency) for each in components}
        travelled_on = service_date_of(order.journey)
        claims = await self.claims.list_claims(traveller_id=order.traveller_id, on=travelled_on)
        prices = await self.context.ports.get(PlannerPort).price(
            journey=Journey(
                journey_id=order.journey.journey_id,
                legs=(replace(leg, destination=port, passed_stops=()),),
                network_version=order.journey.network_version,
            ),
            riders=[price.rider for price in order.prices],
            medium=order.prices[0].medium,
            fare_class=components[0].fare_class,
            home=find_home(claims, on=travelled_on),
            passes=[],
        )
        return {each.component_index: prices[each.rider_index].total for each in components}

    async def _give_back(
        self, order_id: UUID, leg_index: int, port: Place, fares_due: Mapping[int, Money], refund_id: UUID
    ) -> Money:
        now = self.context.clock.now()
        async with self.context.database.transaction() as tx:
            order = await self.store.lock_order(tx, order_id)
            assert order is not None, "an order is never deleted"
            lines = refund_lines_for_landing(order, leg_index, fares_due)
            if order.state is not OrderState.CONFIRMED or not lines:
                detail = "The fare to there is no less than what was paid, or it was given back before."
                raise Problem("order_not_cancellable", detail=detail)
            await self.aftersales.give_back(
                tx, order, lines, reason="landed_elsewhere", case_id=None, now=now, refund_id=refund_id
            )
            amount = sum((line.amount for line in lines), Money(0, order.total.currency))
            leg = order.journey.legs[leg_index]
            message = compose_message(
                "landed_elsewhere",
                date=str(leg.service_date),
                line=leg.route_name or leg.destination.name,
                place=port.name,
                amount=f"{amount.amount_minor:,}",
            )
            await self.store.insert_notification(tx, order, message, now)
        return amount


def _port_of(leg: Leg, stop_id: str) -> Place:
    """The port of that id, by its name where the ship was to call there."""
    if stop_id == leg.destination.stop_id:
        raise Problem("landing_impossible", detail=f"{leg.destination.name} is where the leg was to end.")
    called = [leg.origin, *(each.place for each in leg.passed_stops)]
    return next(
        (place for place in called if place.stop_id == stop_id),
        Place(
            name=stop_id.rsplit(":", 1)[-1], lat=leg.destination.lat, lon=leg.destination.lon, stop_id=stop_id
        ),
    )
