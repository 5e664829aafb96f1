"""The endpoints of codes, devices, and what counts no more."""

from uuid import UUID

from services.platform.service import Route
from services.ticketing.code_handlers import CodeHandlers
from services.ticketing.code_models import (
    BindingIn,
    HolderDeviceIn,
    HolderDeviceList,
    HolderDeviceView,
    KeyRevocationIn,
    PhoneCodeIn,
    PhoneCodeView,
    PhoneUseIn,
    UseList,
    UseQuery,
)
from services.ticketing.models import CodeView, RevocationList, RevocationQuery, TapAnswer


def build_code_routes(handlers: CodeHandlers) -> list[Route]:
    """All endpoints of codes."""
    return [*_holder_routes(handlers), *_gate_routes(handlers), *_desk_routes(handlers)]


def _holder_routes(handlers: CodeHandlers) -> list[Route]:
    return [
        Route(
            method="POST",
            path="/api/ticket-devices",
            operation="registerTicketDevice",
            handler=handlers.register_device,
            summary="Register a device of yours that tickets can be bound to; safe to repeat",
            tag="ticketing",
            body=HolderDeviceIn,
            response=HolderDeviceView,
            status=201,
            problems=("device_proof_invalid", "conflict"),
        ),
        Route(
            method="GET",
            path="/api/ticket-devices",
            operation="listTicketDevices",
            handler=handlers.list_devices,
            summary="Your devices",
            tag="ticketing",
            response=HolderDeviceList,
        ),
        Route(
            method="DELETE",
            path="/api/ticket-devices/{device_id}",
            operation="closeTicketDevice",
            handler=handlers.close_device,
            summary="Report a device as lost: what is on it counts no more, and becomes printable",
            tag="ticketing",
            path_types={"device_id": UUID},
            response=HolderDeviceView,
            problems=("ticket_device_not_found",),
        ),
        Route(
            method="POST",
            path="/api/tickets/{ticket_id}/device-code",
            operation="bindTicket",
            handler=handlers.bind_ticket,
            summary="Bind a ticket to a device, or move it to another; the earlier code ends",
            tag="ticketing",
            path_types={"ticket_id": UUID},
            body=BindingIn,
            response=CodeView,
            status=201,
            problems=(
                "ticket_not_found",
                "ticket_device_not_found",
                "device_proof_invalid",
                "binding_invalid",
                "conflict",
            ),
        ),
        Route(
            method="POST",
            path="/api/tickets/{ticket_id}/static-code",
            operation="printTicket",
            handler=handlers.print_ticket,
            summary="A static code for paper or a wallet, each fare once; a code on a device ends",
            tag="ticketing",
            path_types={"ticket_id": UUID},
            response=CodeView,
            status=201,
            problems=("ticket_not_found", "conflict"),
        ),
    ]


def _gate_routes(handlers: CodeHandlers) -> list[Route]:
    return [
        Route(
            method="GET",
            path="/api/ticketing/revocations",
            operation="listRevocations",
            handler=handlers.list_revocations,
            summary="Fares, codes and keys that count no more, since a sequence",
            tag="ticketing",
            query=RevocationQuery,
            response=RevocationList,
        ),
        Route(
            method="GET",
            path="/api/ticketing/uses",
            operation="listTicketUses",
            handler=handlers.list_uses,
            summary="Fares of static tickets that were used, and passes that began, since a number",
            tag="ticketing",
            query=UseQuery,
            response=UseList,
        ),
        Route(
            method="POST",
            path="/api/ticketing/keys/{key_id}/revocation",
            operation="revokeTicketKey",
            handler=handlers.revoke_key,
            summary="A key has leaked: nothing that it signed counts, and its tickets are signed anew",
            tag="ticketing",
            path_types={"key_id": int},
            body=KeyRevocationIn,
            status=204,
            problems=("ticket_key_not_found",),
        ),
    ]


def _desk_routes(handlers: CodeHandlers) -> list[Route]:
    return [
        Route(
            method="POST",
            path="/api/ticketing/phone-codes/look-ups",
            operation="lookUpPhoneCode",
            handler=handlers.look_up_phone_code,
            summary="The ticket that eight characters read by telephone name",
            tag="ticketing",
            body=PhoneCodeIn,
            response=PhoneCodeView,
            problems=("phone_code_mistyped", "phone_code_unknown"),
        ),
        Route(
            method="POST",
            path="/api/ticketing/phone-codes/uses",
            operation="usePhoneCode",
            handler=handlers.use_phone_code,
            summary="Let the riders of a code pass, as a tap of a gate would",
            tag="ticketing",
            body=PhoneUseIn,
            response=TapAnswer,
            idempotent=True,
            problems=("phone_code_mistyped", "phone_code_unknown"),
        ),
    ]
