"""Travel as those who made it see it, and as a clerk does; and the corrections both may make.

Rule      A traveller sees what they pay for: of a medium that had another holder, only their own time. They
          correct alone what is unfinished or was completed by habit, three rides a month, within four weeks;
          to a station that the tariff sells from there. A clerk sees and corrects what touches their
          operator, with a reason; an admin everything. Every correction stays, with who said it: it is the
          audit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from maas.account_travel.endings import CorrectionKind
from maas.account_travel.fare_book import Asked, FareBook
from maas.account_travel.policy import TravelPolicy
from maas.account_travel.rides import RideState, Stop
from maas.errors import NetworkUnavailable
from maas.fares.riders import ALONE
from maas.prices import FareMedium, RiderCategory
from payments.money import yen
from services.platform.auth import Principal, Role
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.platform.service import Call
from services.ticketing.travel.media import medium_id_of
from services.ticketing.travel.models import (
    ChargeView,
    ClerkCorrection,
    ClerkDayView,
    CorrectionView,
    FareView,
    PromiseRefundView,
    RideView,
    SelfCorrection,
    StopView,
    TapSeenView,
    TravelDayList,
    TravelDayView,
)
from services.ticketing.travel.rating import WeekRater
from services.ticketing.travel.store import queries
from services.ticketing.travel.tariff import TariffInForce

DAYS_BACK = 28
SELF_CORRECTED = frozenset({RideState.INCOMPLETE, RideState.AUTO_COMPLETED, RideState.CORRECTED})

Document = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class TravelDesk:
    """The endpoints about days, rides and corrections."""

    context: ServiceContext
    policy: TravelPolicy
    tariff: TariffInForce
    rater: WeekRater

    async def list_days(self, call: Call) -> TravelDayList:
        """The caller's days with their rides, fares and refunds."""
        me, asked = call.caller.subject, call.query
        until = asked.until or self._today()
        since = asked.since or until - timedelta(days=DAYS_BACK)
        database = self.context.database
        media = await database.fetch(queries["list_ever_own_media"], me, asked.medium_id)
        refs = [row["medium_ref"] for row in media]
        rows = await database.fetch(queries["list_days_of_media"], refs, since, until, asked.limit)
        days = [
            self._view(ref, day, document)
            for ref, day, text in rows
            if any((document := _paid_by(orjson.loads(text), me)).values())
        ]
        return TravelDayList(days=days)

    async def correct_own(self, call: Call) -> CorrectionView:
        """A traveller tells where an unfinished ride began or ended."""
        said: SelfCorrection = call.body
        me, now = call.caller.subject, self.context.clock.now()
        ref = await self._find_ever_own(said.medium_id, me)
        document = _paid_by(await self._load(ref, said.service_date), me)
        ride = _find_ride(document, said.ride_id)
        if ride["state"] not in SELF_CORRECTED or ride["waived"]:
            detail = f"It is {ride['state']}; only a ride without an entry or exit can be. Ask a counter."
            raise Problem("ride_not_correctable", detail=detail)
        if self._today() - said.service_date > timedelta(days=self.policy.self_correction_days):
            detail = f"It is older than {self.policy.self_correction_days} days. Ask a counter."
            raise Problem("ride_not_correctable", detail=detail)
        stop = Stop(said.operator_id, said.stop_id)
        self._check_sold(ride, stop, said.service_date)
        await self._check_undecided(ref, said)
        await self._check_bound(me, ref, said.ride_id, now)
        return await self._keep(call, ref, said, CorrectionKind.COMPLETE, stop=stop, said_as=Role.TRAVELLER)

    async def see_day(self, call: Call) -> ClerkDayView:
        """All that is known of a medium's day, for a clerk."""
        asked = call.query
        if (asked.medium_id is None) == (asked.medium is None):
            raise Problem("validation_failed", detail="Give `medium_id` or `medium`, one of the two.")
        ref = asked.medium or await self._find_ref(asked.medium_id)
        return await self._see(call.caller, ref, asked.service_date)

    async def correct(self, call: Call) -> CorrectionView:
        """A clerk completes, replaces or waives, with a reason."""
        said: ClerkCorrection = call.body
        is_waived = said.kind is CorrectionKind.WAIVE
        if (said.stop_id is None) != is_waived or (said.operator_id is None) != is_waived:
            raise Problem(
                "validation_failed", detail="Give operator_id and stop_id, unless the ride is waived."
            )
        ref = await self._find_ref(said.medium_id)
        document = _touching(await self._load(ref, said.service_date), _operator_of(call.caller))
        ride = _find_ride(document, said.ride_id)
        if ride["state"] == RideState.OPEN and not is_waived:
            raise Problem("ride_not_correctable", detail="It is still open; it may end by itself.")
        stop = None
        if said.stop_id is not None and said.operator_id is not None:
            stop = Stop(said.operator_id, said.stop_id)
            self._check_sold(ride, stop, said.service_date)
        return await self._keep(call, ref, said, said.kind, stop=stop, said_as=call.caller.role)

    def _check_sold(self, ride: dict[str, Any], stop: Stop, day: date) -> None:
        """Whether the tariff sells a ride between the known end and the one that was told."""
        book = self._get_book()
        known = ride["origin"] if ride["began_at"] is not None else ride["destination"]
        ends = (Stop(*known), stop) if ride["began_at"] is not None else (stop, Stop(*known))
        asked = Asked(day, RiderCategory.ADULT, FareMedium.TICKET, ALONE)
        if ride["scan"] or (not book.is_same_station(day, *ends) and book.price(asked, (ends,)) is None):
            detail = f"No ticket is sold from {ends[0].stop_id} to {ends[1].stop_id}. Give another station."
            raise Problem("ride_not_correctable", detail=detail)

    async def _check_undecided(self, ref: str, said: SelfCorrection) -> None:
        rows = await self.context.database.fetch(queries["list_corrections_of_day"], ref, said.service_date)
        tap = _tap_of(said.ride_id)
        if any((row["device_id"], row["sequence"]) == tap and row["said_as"] != "traveller" for row in rows):
            raise Problem("ride_not_correctable", detail="Staff decided about it already. Ask a counter.")

    async def _check_bound(self, me: str, ref: str, ride_id: str, now: datetime) -> None:
        local = now.astimezone(self.policy.clock.zone)
        month = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        following = (month + timedelta(days=31)).replace(day=1)
        count = await self.context.database.fetchval(
            queries["count_self_corrections"], me, month, following, ref, *_tap_of(ride_id)
        )
        if count >= self.policy.self_corrections_per_month:
            detail = f"You have corrected {count} rides this month. A counter corrects more."
            raise Problem("corrections_used_up", detail=detail)

    async def _keep(
        self,
        call: Call,
        ref: str,
        said: SelfCorrection | ClerkCorrection,
        kind: CorrectionKind,
        *,
        stop: Stop | None,
        said_as: Role,
    ) -> CorrectionView:
        now = self.context.clock.now()
        async with self.context.database.transaction() as tx:
            await tx.execute(
                queries["insert_correction"],
                call.command_id,
                ref,
                said.service_date,
                *_tap_of(said.ride_id),
                kind.value,
                *(stop or (None, None)),
                call.caller.subject,
                said_as.value,
                said.reason,
                now,
            )
            await tx.execute(queries["mark_due"], ref, said.service_date, now)
        self.rater.wake()
        rows = await self.context.database.fetch(queries["list_corrections_of_day"], ref, said.service_date)
        return next(self._correction(row) for row in rows if row["correction_id"] == call.command_id)

    async def _see(self, caller: Principal, ref: str, day: date) -> ClerkDayView:
        operator_id = _operator_of(caller)
        database = self.context.database
        document = _touching(await self._load(ref, day), operator_id)
        seen = {ride["ride_id"] for ride in document["rides"]}
        taps = await database.fetch(queries["list_taps_of_day"], ref, day)
        corrections = await database.fetch(queries["list_corrections_of_day"], ref, day)
        charges = await database.fetch(queries["list_charges_of_day"], ref, day)
        return ClerkDayView(
            day=self._view(ref, day, document),
            taps=[self._tap(row) for row in taps if operator_id in (None, row["operator_id"])],
            corrections=[
                self._correction(row)
                for row in corrections
                if operator_id is None or f"{row['device_id']}/{row['sequence']}" in seen
            ],
            # What a customer pays in all is not one operator's business.
            charges=[_charge_view(row) for row in charges] if operator_id is None else [],
        )

    async def _load(self, ref: str, day: date) -> Document:
        text = await self.context.database.fetchval(queries["find_day"], ref, day)
        if text is None:
            raise Problem("ride_not_found", detail=f"Nothing was rated for this medium on {day}.")
        document: Document = orjson.loads(text)
        return document

    async def _find_ref(self, medium_id: UUID) -> str:
        ref = await self.context.database.fetchval(queries["find_medium_ref"], medium_id)
        if ref is None:
            raise Problem("medium_not_found", detail="Read the medium again, or ask with its token.")
        return str(ref)

    async def _find_ever_own(self, medium_id: UUID, me: str) -> str:
        rows = await self.context.database.fetch(queries["list_ever_own_media"], me, medium_id)
        if not rows:
            raise Problem("medium_not_found", detail="List your media to find its id.")
        return str(rows[0]["medium_ref"])

    def _get_book(self) -> FareBook:
        book = self.tariff.find_book()
        if book is None:
            raise NetworkUnavailable("No network with tariffs is published yet.")
        return book

    def _today(self) -> date:
        return self.policy.clock.day_of(self.context.clock.now())

    def _view(self, ref: str, day: date, document: Document) -> TravelDayView:
        charged = sum(fare["charge_minor"] for fare in document["fares"])
        given_back = sum(refund["amount_minor"] for refund in document["refunds"])
        return TravelDayView(
            medium_id=medium_id_of(ref),
            service_date=day,
            rides=[self._ride(ride) for ride in document["rides"]],
            fares=[_fare(fare) for fare in document["fares"]],
            refunds=[_refund(refund) for refund in document["refunds"]],
            owed=yen(charged - given_back),
        )

    def _ride(self, ride: dict[str, Any]) -> RideView:
        return RideView(
            ride_id=ride["ride_id"],
            state=ride["state"],
            origin=self._stop(ride["origin"]),
            destination=self._stop(ride["destination"]),
            began_at=ride["began_at"],
            ended_at=ride["ended_at"],
            is_boarding_only=ride["scan"],
            is_waived=ride["waived"],
            alighting=self._stop(ride["alighting"]),
            is_priced=ride["priced"],
        )

    def _stop(self, stop: Sequence[str] | None) -> StopView | None:
        if stop is None:
            return None
        book = self.tariff.find_book()
        name = stop[1] if book is None else book.name_of(Stop(*stop))
        return StopView(operator_id=stop[0], stop_id=stop[1], name=name)

    def _tap(self, row: Any) -> TapSeenView:
        stop = self._stop((row["operator_id"], row["stop_id"]))
        assert stop is not None, "a tap knows its stop"
        return TapSeenView(
            ride_id=f"{row['device_id']}/{row['sequence']}",
            kind=row["kind"],
            stop=stop,
            tapped_at=row["tapped_at"],
            received_at=row["received_at"],
            accepted_offline=row["accepted_offline"],
        )

    def _correction(self, row: Any) -> CorrectionView:
        is_stop = row["stop_id"] is not None
        return CorrectionView(
            correction_id=row["correction_id"],
            ride_id=f"{row['device_id']}/{row['sequence']}",
            kind=row["kind"],
            said_as=row["said_as"],
            stop=self._stop((row["operator_id"], row["stop_id"])) if is_stop else None,
            reason=row["reason"],
            recorded_at=row["recorded_at"],
        )


def _operator_of(caller: Principal) -> str | None:
    """Whose rides a member of staff may see; None: all."""
    return None if caller.role is Role.ADMIN else caller.operator_id or ""


def _tap_of(ride_id: str) -> tuple[str, int]:
    device_id, _, sequence = ride_id.rpartition("/")
    return device_id, int(sequence)


def _paid_by(document: Document, me: str) -> Document:
    return {part: [each for each in found if each["payer"] == me] for part, found in document.items()}


def _touching(document: Document, operator_id: str | None) -> Document:
    """The rides of an operator and their fares; refunds are about the whole day, and nobody's alone."""
    if operator_id is None:
        return document
    rides = [
        ride
        for ride in document["rides"]
        if any(stop is not None and stop[0] == operator_id for stop in (ride["origin"], ride["destination"]))
    ]
    seen = {ride["ride_id"] for ride in rides}
    return {
        "rides": rides,
        "fares": [fare for fare in document["fares"] if seen & set(fare["rides"])],
        "refunds": [],
    }


def _find_ride(document: Document, ride_id: str) -> dict[str, Any]:
    ride = next((ride for ride in document["rides"] if ride["ride_id"] == ride_id), None)
    if ride is None:
        raise Problem("ride_not_found", detail="List the day's rides to find its id.")
    return ride


def _fare(fare: dict[str, Any]) -> FareView:
    return FareView(
        fare_id=fare["fare_id"],
        ride_ids=fare["rides"],
        rider=fare["rider"],
        rider_index=fare["rider_index"],
        nominal=yen(fare["nominal_minor"]),
        charge=yen(fare["charge_minor"]),
        is_maximum=fare["is_maximum"],
        cap=fare["cap"],
        caps_recorded=fare["caps_recorded"],
        lines=fare["lines"],
        lines_en=fare["lines_en"],
    )


def _refund(refund: dict[str, Any]) -> PromiseRefundView:
    return PromiseRefundView(
        period=refund["period"],
        rider=refund["rider"],
        amount=yen(refund["amount_minor"]),
        lines=refund["lines"],
        lines_en=refund["lines_en"],
    )


def _charge_view(row: Any) -> ChargeView:
    return ChargeView(
        customer_id=row["customer_id"],
        amount=yen(row["amount_minor"]),
        recorded_at=row["recorded_at"],
        status=row["status"],
    )
