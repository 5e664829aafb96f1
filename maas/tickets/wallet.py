"""A ticket as Apple's and Google's wallets want it: the data of a pass, not yet signed.

Problem   People keep tickets in the wallet of their telephone. Both makers take a document of their own,
          signed by whoever they have certified.
Idea      The documents are built here from the same ticket; signing is the shell's (services/ticketing).
          Their codes cannot move by our rule (a wallet's rotating code is a shared secret, of which any gate
          could make more), so a pass carries the static code: each fare once, held against the list of used.
Not here  Certificates and signatures; pictures beyond the one icon that Apple insists on.
Source    Apple, Wallet Passes: pass.json (boardingPass, barcodes); Google Wallet API: transitObject,
          savetowallet JWT.
"""

from typing import Any
from zoneinfo import ZoneInfo

from maas.tickets.phone_code import spell
from maas.tickets.printed import PrintedTicket

ORGANISATION = "つなぐ Tsunagu"
DESCRIPTION = "乗車券 / Ticket"


def build_apple_pass(
    ticket: PrintedTicket, *, pass_type_id: str, team_id: str, zone: ZoneInfo
) -> dict[str, Any]:
    """The content of pass.json. The ids are those of the signing certificate."""
    assert ticket.payload is not None, "a wallet shows the static code"
    first, last = ticket.fares[0], ticket.fares[-1]
    document: dict[str, Any] = {
        "formatVersion": 1,
        "passTypeIdentifier": pass_type_id,
        "teamIdentifier": team_id,
        "serialNumber": ticket.ticket_ref,
        "organizationName": ORGANISATION,
        "description": DESCRIPTION,
        "expirationDate": ticket.valid_until.astimezone(zone).isoformat(),
        "relevantDate": ticket.valid_from.astimezone(zone).isoformat(),
        "sharingProhibited": True,
        "barcodes": [
            {
                "format": "PKBarcodeFormatQR",
                "message": ticket.payload,
                "messageEncoding": "iso-8859-1",
                **({"altText": spell(ticket.phone_code)} if ticket.phone_code else {}),
            }
        ],
        "boardingPass": {
            "transitType": "PKTransitTypeGeneric",
            "primaryFields": [
                {"key": "origin", "label": "FROM", "value": first.origin},
                {"key": "destination", "label": "TO", "value": last.destination},
            ],
            "secondaryFields": [{"key": "riders", "label": "RIDERS", "value": _riders(ticket)}],
            "auxiliaryFields": [
                {
                    "key": "until",
                    "label": "VALID UNTIL",
                    "value": ticket.valid_until.astimezone(zone).isoformat(),
                    "dateStyle": "PKDateStyleMedium",
                    "timeStyle": "PKDateStyleShort",
                }
            ],
            "backFields": [
                {"key": f"fare{number}", "label": str(number), "value": f"{fare.origin} → {fare.destination}"}
                for number, fare in enumerate(ticket.fares, 1)
            ],
        },
    }
    return document


def build_google_claims(
    ticket: PrintedTicket, *, issuer_id: str, account: str, zone: ZoneInfo
) -> dict[str, Any]:
    """The claims of a savetowallet JWT with one transit object and its class."""
    assert ticket.payload is not None, "a wallet shows the static code"
    class_id = f"{issuer_id}.tsunagu_ticket"
    legs = [
        {
            "originName": _localized(fare.origin),
            "destinationName": _localized(fare.destination),
            **({"ticketSeat": {"customFareClass": _localized(fare.fare_class)}} if fare.fare_class else {}),
        }
        for fare in ticket.fares
    ]
    transit_object = {
        "id": f"{issuer_id}.{ticket.ticket_ref}",
        "classId": class_id,
        "state": "ACTIVE",
        "tripType": "ONE_WAY",
        "passengerType": "SINGLE_PASSENGER" if sum(ticket.riders.values()) == 1 else "MULTIPLE_PASSENGERS",
        "passengerNames": _riders(ticket),
        **({"ticketLeg": legs[0]} if len(legs) == 1 else {"ticketLegs": legs}),
        "validTimeInterval": {
            "start": {"date": ticket.valid_from.astimezone(zone).isoformat()},
            "end": {"date": ticket.valid_until.astimezone(zone).isoformat()},
        },
        "barcode": {
            "type": "QR_CODE",
            "value": ticket.payload,
            **({"alternateText": spell(ticket.phone_code)} if ticket.phone_code else {}),
        },
        "passConstraints": {"screenshotEligibility": "INELIGIBLE"},
    }
    transit_class = {
        "id": class_id,
        "issuerName": ORGANISATION,
        "reviewStatus": "UNDER_REVIEW",
        "transitType": "OTHER",
        "multipleDevicesAndHoldersAllowedStatus": "ONE_USER_ONE_DEVICE",
    }
    return {
        "iss": account,
        "aud": "google",
        "typ": "savetowallet",
        "origins": [],
        "payload": {"transitClasses": [transit_class], "transitObjects": [transit_object]},
    }


def _localized(text: str) -> dict[str, Any]:
    return {"defaultValue": {"language": "ja", "value": text}}


def _riders(ticket: PrintedTicket) -> str:
    return ", ".join(f"{count} {rider.value}" for rider, count in ticket.riders.items() if count)
