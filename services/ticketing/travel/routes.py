"""The endpoints of account-based travel."""

from uuid import UUID

from services.platform.service import Route
from services.ticketing.travel.denials import Denials
from services.ticketing.travel.journeys import TravelDesk
from services.ticketing.travel.media import MediaDesk
from services.ticketing.travel.models import (
    ClerkCorrection,
    ClerkDayQuery,
    ClerkDayView,
    CorrectionView,
    DenialQuery,
    DeniedMediumList,
    MediumEnrolment,
    MediumList,
    MediumLoss,
    MediumPairing,
    MediumView,
    PartyRequest,
    SelfCorrection,
    TravelDayList,
    TravelQuery,
)

_MEDIUM = {"medium_id": UUID}


def build_travel_routes(media: MediaDesk, travel: TravelDesk, denials: Denials) -> list[Route]:
    """All endpoints."""
    return [*_media_routes(media), *_travel_routes(travel), *_staff_routes(media, travel, denials)]


def _media_routes(media: MediaDesk) -> list[Route]:
    return [
        Route(
            method="GET",
            path="/api/travel/media",
            operation="listMedia",
            handler=media.list_own,
            summary="Your cards and phones that may be tapped",
            tag="travel",
            response=MediumList,
        ),
        Route(
            method="POST",
            path="/api/travel/media",
            operation="enrolMedium",
            handler=media.enrol,
            summary="Link a card or phone by its token: you pay for its rides from now on",
            tag="travel",
            body=MediumEnrolment,
            response=MediumView,
            status=201,
            idempotent=True,
            problems=("medium_token_invalid", "medium_taken", "conflict"),
        ),
        Route(
            method="POST",
            path="/api/travel/media/{medium_id}/unlink",
            operation="unlinkMedium",
            handler=media.unlink,
            summary="End the link to a card or phone",
            tag="travel",
            path_types=_MEDIUM,
            response=MediumList,
            idempotent=True,
            problems=("medium_not_found",),
        ),
        Route(
            method="POST",
            path="/api/travel/media/{medium_id}/loss",
            operation="setMediumLost",
            handler=media.set_lost,
            summary="Say that a card or phone is lost, or found",
            tag="travel",
            path_types=_MEDIUM,
            body=MediumLoss,
            response=MediumView,
            idempotent=True,
            problems=("medium_not_found",),
        ),
        Route(
            method="POST",
            path="/api/travel/media/{medium_id}/party",
            operation="setMediumParty",
            handler=media.set_party,
            summary="Say who rides with you on one card or phone",
            tag="travel",
            path_types=_MEDIUM,
            body=PartyRequest,
            response=MediumView,
            idempotent=True,
            problems=("medium_not_found", "eligibility_unproven"),
        ),
    ]


def _travel_routes(travel: TravelDesk) -> list[Route]:
    return [
        Route(
            method="GET",
            path="/api/travel/days",
            operation="listTravelDays",
            handler=travel.list_days,
            summary="Your days: rides, fares with their reasons, caps, refunds",
            tag="travel",
            query=TravelQuery,
            response=TravelDayList,
        ),
        Route(
            method="POST",
            path="/api/travel/corrections",
            operation="correctRide",
            handler=travel.correct_own,
            summary="Tell where an unfinished ride of yours began or ended",
            tag="travel",
            body=SelfCorrection,
            response=CorrectionView,
            status=201,
            idempotent=True,
            problems=(
                "medium_not_found",
                "ride_not_found",
                "ride_not_correctable",
                "corrections_used_up",
                "network_unavailable",
            ),
        ),
    ]


def _staff_routes(media: MediaDesk, travel: TravelDesk, denials: Denials) -> list[Route]:
    return [
        Route(
            method="GET",
            path="/api/travel/staff/days",
            operation="getMediumDay",
            handler=travel.see_day,
            summary="A medium's day: taps, rides, fares, corrections",
            tag="travel",
            query=ClerkDayQuery,
            response=ClerkDayView,
            problems=("medium_not_found", "ride_not_found"),
        ),
        Route(
            method="POST",
            path="/api/travel/staff/corrections",
            operation="correctRideOfCustomer",
            handler=travel.correct,
            summary="Complete, replace or waive a ride, with a reason",
            tag="travel",
            body=ClerkCorrection,
            response=CorrectionView,
            status=201,
            idempotent=True,
            problems=("medium_not_found", "ride_not_found", "ride_not_correctable", "network_unavailable"),
        ),
        Route(
            method="POST",
            path="/api/travel/staff/pairs",
            operation="pairMedia",
            handler=media.pair,
            summary="Pair a disabled rider's medium with a helper's",
            tag="travel",
            body=MediumPairing,
            idempotent=True,
            status=204,
            problems=("medium_not_found",),
        ),
        Route(
            method="GET",
            path="/api/ticketing/denied-media",
            operation="listDeniedMedia",
            handler=denials.list_changes,
            summary="Cards and phones to refuse, since a sequence",
            tag="travel",
            query=DenialQuery,
            response=DeniedMediumList,
        ),
    ]
