"""Doubles of the ports that sales asks: simple, honest, and able to fail on demand."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from uuid import UUID

from maas.errors import JourneyNotFound
from maas.fares.refunds import RefundDecision
from maas.journeys import Journey, PlanRequest, PlanResult
from maas.passes import PassHeld, PassProduct
from maas.ports import Hold, HoldState, PriceWorlds, RideSeen
from maas.prices import FareComponent, FareMedium, JourneyPrice, MediumTotal, RiderCategory
from payments.errors import PaymentNotFound, ProviderUnavailable
from payments.money import Money, yen
from payments.ports import Payment, PaymentState, Refund, RefundState
from tests.support.journeys import island_journey, island_price, island_price_on_pass, one_leg_price


@dataclass
class OneJourneyPlanner:
    """A PlannerPort that knows the island journey of tests/support/journeys.py."""

    kept_percent: int = 30
    homes: list[str | None] = field(default_factory=list)
    passes: list[list[PassHeld]] = field(default_factory=list)
    products: list[PassProduct] = field(default_factory=list)
    fares: dict[str, int] = field(default_factory=dict)

    async def list_pass_products(self, *, on: date) -> list[PassProduct]:
        return [each for each in self.products if each.row.is_valid_on(on)]

    async def plan(self, *, request: PlanRequest) -> PlanResult:
        raise AssertionError(f"sales never searches: {request}")

    async def get_journey(self, *, journey_id: str) -> Journey:
        journey = island_journey()
        if journey_id != journey.journey_id:
            raise JourneyNotFound("No such journey. Search again.")
        return journey

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
        self.homes.append(home)
        self.passes.append(list(passes))
        assert (journey.journey_id, medium) == ("test-journey", FareMedium.APP), "the test's own journey"
        if len(journey.legs) == 1:
            leg = journey.legs[0]
            return [one_leg_price(rider, self.fares[leg.destination.stop_id or ""]) for rider in riders]
        if passes:
            return [island_price_on_pass(passes[0])]
        amounts = (110, 4_110, 190) if fare_class is None else (110, 8_220, 190)
        if list(riders) == [RiderCategory.INFANT]:
            return [island_price(RiderCategory.INFANT, (0, 0, 0))]
        return [
            island_price(rider, amounts) if rider is RiderCategory.CHILD else island_price(rider)
            for rider in riders
        ]

    async def price_worlds(
        self,
        *,
        journey: Journey,
        riders: Sequence[RiderCategory],
        fare_class: str | None,
        home: str | None,
    ) -> PriceWorlds:
        assert journey.journey_id == "test-journey", f"{riders} {fare_class} {home}"
        ic = MediumTotal(medium=FareMedium.IC, total=yen(8_800))
        card = MediumTotal(medium=FareMedium.CARD, total=None, reason="the ship takes no cards")
        app = MediumTotal(medium=FareMedium.APP, total=yen(8_810))
        return PriceWorlds(media=(ic, card, app), passes=())

    async def decide_refund(
        self,
        *,
        component: FareComponent,
        price_paid: Money,
        now: datetime,
        departs_at: datetime,
    ) -> RefundDecision:
        assert now < departs_at, component.product_id
        fee = yen(price_paid.amount_minor * self.kept_percent // 100)
        return RefundDecision(amount=price_paid - fee, fee=fee, rule_id="test", text="手数料", text_en="fee")


@dataclass
class Berths:
    """A BerthPort with `free` places."""

    free: int = 100
    holds: dict[UUID, Hold] = field(default_factory=dict)
    places: dict[UUID, int] = field(default_factory=dict)
    manifest: dict[UUID, list[str]] = field(default_factory=dict)
    lost: bool = False

    async def hold(
        self,
        *,
        hold_id: UUID,
        trip_id: str,
        service_date: date,
        fare_class: str,
        place_count: int,
        expires_at: datetime,
    ) -> Hold:
        assert trip_id, f"{service_date} {fare_class}"
        if hold_id not in self.holds:
            state = HoldState.HELD if place_count <= self.free else HoldState.SOLD_OUT
            if state is HoldState.HELD:
                self.free -= place_count
                self.places[hold_id] = place_count
            self.holds[hold_id] = Hold(hold_id=hold_id, state=state, expires_at=expires_at)
        return self.holds[hold_id]

    async def confirm(self, *, hold_id: UUID, passengers: Sequence[str]) -> Hold:
        if self.lost:
            return replace(self.holds[hold_id], state=HoldState.EXPIRED)
        self.manifest[hold_id] = list(passengers)
        return self._to(hold_id, HoldState.CONFIRMED)

    async def release(self, *, hold_id: UUID) -> Hold:
        self.free += self.places.pop(hold_id, 0)
        return self._to(hold_id, HoldState.RELEASED)

    async def list_cancelled(self, *, service_date: date) -> list[str]:
        return [str(service_date)] if self.lost else []

    def _to(self, hold_id: UUID, state: HoldState) -> Hold:
        self.holds[hold_id] = replace(self.holds[hold_id], state=state)
        return self.holds[hold_id]


@dataclass
class Payments:
    """A PaymentsPort in memory: `pm_declined` is declined, `pm_3ds` needs action; `down` answers nothing."""

    payments: dict[UUID, Payment] = field(default_factory=dict)
    refunds: dict[UUID, Refund] = field(default_factory=dict)
    down: bool = False
    die_after_capture: bool = False
    hold_lost: bool = False
    captured_elsewhere: bool = False

    async def open_payment(
        self,
        *,
        payment_id: UUID,
        order_id: UUID,
        traveller_id: str,
        amount: Money,
        modes: Sequence[str] = (),
    ) -> Payment:
        if payment_id not in self.payments:
            self.payments[payment_id] = Payment(
                payment_id=payment_id,
                order_id=order_id,
                traveller_id=traveller_id,
                amount=amount,
                captured=yen(0),
                refunded=yen(0),
                state=PaymentState.OPEN,
                modes=tuple(modes),
            )
        return self.payments[payment_id]

    async def authorise(self, *, payment_id: UUID, payment_method: str) -> Payment:
        self._check_up()
        payment = self.payments[payment_id]
        if payment.state in (PaymentState.AUTHORISED, PaymentState.CAPTURED, PaymentState.VOIDED):
            return payment
        state = {
            "pm_declined": PaymentState.DECLINED,
            "pm_3ds": PaymentState.REQUIRES_ACTION,
        }.get(payment_method, PaymentState.AUTHORISED)
        return self._keep(replace(payment, state=state))

    async def capture(self, *, payment_id: UUID) -> Payment:
        self._check_up()
        payment = self.payments[payment_id]
        if self.hold_lost:
            return self._keep(replace(payment, state=PaymentState.VOIDED))
        captured = self._keep(replace(payment, state=PaymentState.CAPTURED, captured=payment.amount))
        if self.die_after_capture:
            self.die_after_capture = False
            raise ProviderUnavailable("The answer was lost after the capture.")
        return captured

    async def void(self, *, payment_id: UUID) -> Payment:
        payment = self.payments[payment_id]
        if self.captured_elsewhere:
            return self._keep(replace(payment, state=PaymentState.CAPTURED, captured=payment.amount))
        return self._keep(replace(payment, state=PaymentState.VOIDED))

    async def refund(
        self, *, refund_id: UUID, payment_id: UUID, amount: Money, reason: str, to_wallet: bool = False
    ) -> Refund:
        self._check_up()
        if refund_id not in self.refunds:
            payment = self.payments[payment_id]
            assert not to_wallet, "sales gives back to where the money came from"
            self._keep(replace(payment, refunded=payment.refunded + amount))
            self.refunds[refund_id] = Refund(
                refund_id=refund_id,
                payment_id=payment_id,
                amount=amount,
                reason=reason,
                state=RefundState.SUCCEEDED,
            )
        return self.refunds[refund_id]

    async def get_payment(self, *, payment_id: UUID) -> Payment:
        if payment_id not in self.payments:
            raise PaymentNotFound("No such payment.")
        return self.payments[payment_id]

    def _keep(self, payment: Payment) -> Payment:
        self.payments[payment.payment_id] = payment
        return payment

    def _check_up(self) -> None:
        if self.down:
            raise ProviderUnavailable("The provider does not answer.")


@dataclass
class Rides:
    """A RidesPort that has seen the same rides of every order."""

    seen: list[RideSeen] = field(default_factory=list)
    asked: list[UUID] = field(default_factory=list)

    async def list_order_rides(self, *, order_id: UUID) -> list[RideSeen]:
        self.asked.append(order_id)
        return self.seen
