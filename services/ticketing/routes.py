"""Ticketing's endpoints."""

from uuid import UUID

from maas.tap_signatures import DIGEST, INPUT, SIGNATURE
from services.platform.service import Route
from services.ticketing.code_models import PrintQuery, WalletView
from services.ticketing.handlers import TicketingHandlers
from services.ticketing.models import (
    KeyListView,
    RideList,
    RideQuery,
    TapAnswers,
    TapBatch,
    TicketList,
    TicketQuery,
    TicketView,
)


def build_routes(handlers: TicketingHandlers) -> list[Route]:
    """All endpoints of the service."""
    return [*_traveller_routes(handlers), *_device_routes(handlers)]


def _traveller_routes(handlers: TicketingHandlers) -> list[Route]:
    return [
        Route(
            method="GET",
            path="/api/tickets",
            operation="listTickets",
            handler=handlers.list_tickets,
            summary="Your tickets, of one order or all",
            tag="ticketing",
            query=TicketQuery,
            response=TicketList,
        ),
        Route(
            method="GET",
            path="/api/tickets/{ticket_id}",
            operation="getTicket",
            handler=handlers.get_ticket,
            summary="A ticket of yours",
            tag="ticketing",
            path_types={"ticket_id": UUID},
            response=TicketView,
            problems=("ticket_not_found",),
        ),
        Route(
            method="GET",
            path="/api/tickets/{ticket_id}/qr.svg",
            operation="getTicketQr",
            handler=handlers.get_qr,
            summary="The QR code of a ticket of yours",
            tag="ticketing",
            path_types={"ticket_id": UUID},
            problems=("ticket_not_found", "ticket_on_device"),
            media_type="image/svg+xml",
        ),
        Route(
            method="GET",
            path="/api/tickets/{ticket_id}/text",
            operation="getTicketText",
            handler=handlers.get_text,
            summary="A ticket of yours in plain words",
            tag="ticketing",
            path_types={"ticket_id": UUID},
            query=PrintQuery,
            problems=("ticket_not_found",),
            media_type="text/plain",
        ),
        Route(
            method="GET",
            path="/api/tickets/{ticket_id}/paper.svg",
            operation="getTicketPaper",
            handler=handlers.get_sheet,
            summary="A ticket of yours to print: its code and its words",
            tag="ticketing",
            path_types={"ticket_id": UUID},
            query=PrintQuery,
            problems=("ticket_not_found", "ticket_on_device"),
            media_type="image/svg+xml",
        ),
        Route(
            method="GET",
            path="/api/tickets/{ticket_id}/wallet",
            operation="getTicketWallet",
            handler=handlers.get_wallet,
            summary="A ticket of yours for Apple's and Google's wallets; unsigned where nobody is certified",
            tag="ticketing",
            path_types={"ticket_id": UUID},
            response=WalletView,
            problems=("ticket_not_found", "ticket_on_device", "wallet_certificate_invalid"),
        ),
        Route(
            method="GET",
            path="/api/rides",
            operation="listRides",
            handler=handlers.list_rides,
            summary="Your rides and their fares",
            tag="ticketing",
            query=RideQuery,
            response=RideList,
        ),
    ]


def _device_routes(handlers: TicketingHandlers) -> list[Route]:
    return [
        Route(
            method="GET",
            path="/api/ticketing/keys",
            operation="listTicketKeys",
            handler=handlers.list_keys,
            summary="The public keys that tickets are checked with",
            tag="ticketing",
            response=KeyListView,
        ),
        Route(
            method="POST",
            path="/api/ticketing/keys",
            operation="rotateTicketKeys",
            handler=handlers.rotate_keys,
            summary="Sign with a new key from now on",
            tag="ticketing",
            response=KeyListView,
            status=201,
            idempotent=True,
            problems=("conflict",),
        ),
        Route(
            method="POST",
            path="/api/taps",
            operation="recordTaps",
            handler=handlers.record_taps,
            summary="Keep and judge up to a hundred taps of a device; safe to repeat",
            tag="ticketing",
            body=TapBatch,
            response=TapAnswers,
            problems=("tap_signature_missing", "tap_signature_invalid", "device_refused"),
            headers={
                DIGEST: "sha-256=:<base64 of the SHA-256 of the body>: (RFC 9530)",
                INPUT: 'tap=("content-digest");keyid="<device_id>";alg="ed25519" (RFC 9421)',
                SIGNATURE: "tap=:<base64 of the 64 bytes of the device's signature>: (RFC 9421)",
            },
        ),
    ]
