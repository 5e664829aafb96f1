"""Errors as the outside sees them: problem+json (RFC 9457) with stable codes.

Problem   A client must be able to act on an error without reading prose, and prose must tell the cure.
Idea      One table of all codes, their HTTP status and their title. Handlers raise `Problem(code)`; the
          packages' own exceptions carry the same codes and are answered by the same table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One row: the HTTP status and the title of a code."""

    status: int
    title: str


PROBLEMS: dict[str, ProblemKind] = {
    # general
    "malformed_request": ProblemKind(400, "The request is not well formed HTTP or JSON"),
    "idempotency_key_required": ProblemKind(400, "This command needs an Idempotency-Key header"),
    "token_missing": ProblemKind(401, "A bearer token is needed"),
    "token_invalid": ProblemKind(401, "The bearer token is not valid, or has expired"),
    "forbidden": ProblemKind(403, "This caller may not do this"),
    "not_found": ProblemKind(404, "There is nothing here, or nothing of yours"),
    "method_not_allowed": ProblemKind(405, "This resource does not know this method"),
    "idempotency_in_progress": ProblemKind(409, "The first request with this key is still running"),
    "conflict": ProblemKind(409, "The resource is in another state than this command needs"),
    "body_too_large": ProblemKind(413, "The body is larger than one mebibyte"),
    "unsupported_media_type": ProblemKind(415, "The body must be application/json"),
    "validation_failed": ProblemKind(422, "A field is missing or has a value out of range"),
    "idempotency_key_reused": ProblemKind(422, "This Idempotency-Key was used for another request"),
    "rate_limited": ProblemKind(429, "Too many requests; wait as long as Retry-After says"),
    "internal_error": ProblemKind(500, "Something broke here; the request id finds it in our log"),
    "bad_gateway": ProblemKind(502, "The service behind the gateway answered nonsense"),
    "service_unavailable": ProblemKind(503, "A part of the house does not answer now; try again"),
    "gateway_timeout": ProblemKind(504, "The service behind the gateway took too long"),
    # gateway
    "credentials_invalid": ProblemKind(401, "The e-mail address or the password is wrong"),
    "email_taken": ProblemKind(409, "An account with this e-mail address exists already"),
    # feeds
    "network_unavailable": ProblemKind(503, "No network is published yet"),
    "feed_unreadable": ProblemKind(422, "A feed cannot be used; the old network stays in force"),
    "network_not_found": ProblemKind(404, "No network of this version is kept"),
    "compiler_broken": ProblemKind(503, "The network could not be compiled; the old one stays in force"),
    # planner
    "journey_not_found": ProblemKind(404, "This journey is not in the network any more"),
    "trip_not_found": ProblemKind(404, "The network has no such trip on that day"),
    "place_not_found": ProblemKind(404, "No stop or place matches"),
    "outside_feed_dates": ProblemKind(422, "The timetable does not reach that date"),
    "fare_not_found": ProblemKind(422, "No tariff prices this journey"),
    # sales
    "offer_not_found": ProblemKind(404, "No such offer of yours"),
    "offer_expired": ProblemKind(409, "The offer has expired; ask for a new one"),
    "offer_taken": ProblemKind(409, "The offer was ordered already"),
    "order_not_found": ProblemKind(404, "No such order of yours"),
    "order_not_payable": ProblemKind(409, "The order is not waiting for payment"),
    "order_not_cancellable": ProblemKind(409, "Nothing of the order can be given back any more"),
    "landing_impossible": ProblemKind(422, "Nobody can have been put ashore like this"),
    "sold_out": ProblemKind(409, "There are not enough places left"),
    "payment_declined": ProblemKind(402, "The card was declined"),
    "eligibility_unproven": ProblemKind(422, "This reduction needs a proof that you have not given yet"),
    "claim_invalid": ProblemKind(422, "Such a claim cannot be recorded"),
    "claim_not_found": ProblemKind(404, "No such claim of yours"),
    "credential_invalid": ProblemKind(422, "The credential cannot be believed"),
    "credential_used": ProblemKind(409, "This credential has been used already"),
    "pass_product_not_found": ProblemKind(404, "No such pass is on sale on that day"),
    "pass_not_sellable": ProblemKind(422, "The pass is not sold like this"),
    "pass_order_not_found": ProblemKind(404, "No such pass of yours"),
    "passengers_required": ProblemKind(422, "A ship needs a name for each rider"),
    # payments
    "payment_not_found": ProblemKind(404, "No such payment"),
    "saved_method_not_found": ProblemKind(404, "No such card of yours is kept"),
    "business_not_found": ProblemKind(404, "No such business customer"),
    "invoice_not_found": ProblemKind(404, "No such invoice to a business"),
    "operator_payout_not_found": ProblemKind(404, "No such payout to an operator"),
    "dispute_not_found": ProblemKind(404, "No such dispute"),
    "dispute_decided": ProblemKind(409, "The dispute takes no evidence any more"),
    "provider_unavailable": ProblemKind(503, "The payment provider does not answer now; try again"),
    "webhook_signature_invalid": ProblemKind(400, "The webhook's signature is not the provider's"),
    "provider_refused": ProblemKind(502, "The payment provider refuses this for good"),
    "payment_command_differs": ProblemKind(409, "This id was used for another payment or refund"),
    "wallet_not_found": ProblemKind(404, "You have no wallet yet"),
    "wallet_not_open": ProblemKind(409, "The wallet is closed"),
    "wallet_in_use": ProblemKind(409, "Something is still held or owed; the wallet cannot be closed yet"),
    "payout_not_found": ProblemKind(404, "No such payout of a wallet"),
    "top_up_refused": ProblemKind(422, "This amount cannot be added to the wallet"),
    "top_up_not_found": ProblemKind(404, "No such top-up of yours"),
    "refund_not_retriable": ProblemKind(409, "The refund has not failed, or nothing is owed by it"),
    "mandate_not_found": ProblemKind(404, "No such mandate of yours"),
    "mandate_invalid": ProblemKind(422, "A mandate of these terms makes no sense"),
    "bill_not_found": ProblemKind(404, "No such bill of yours"),
    "bill_not_payable": ProblemKind(409, "The bill is in another state than this command needs"),
    # ledger
    "account_not_found": ProblemKind(404, "No ledger account has this id"),
    "transfer_not_found": ProblemKind(404, "The ledger knows no transfer of this id"),
    "transfer_not_sealed": ProblemKind(409, "The transfer is not sealed yet; try again in a minute"),
    "question_unanswerable": ProblemKind(422, "The books hold no answer to this question"),
    # settlement
    "settlement_batch_not_found": ProblemKind(404, "No such settlement batch"),
    "statement_not_found": ProblemKind(404, "No such statement of yours, or it is not issued yet"),
    "cut_off_not_possible": ProblemKind(409, "The cut-off is in the future, or before that of another run"),
    "agreement_missing": ProblemKind(409, "An agreement must be made first"),
    "transfer_refused": ProblemKind(409, "The ledger refuses this movement of money"),
    "bank_file_invalid": ProblemKind(422, "A bank file cannot carry this name, number or amount"),
    # ticketing
    "ticket_not_found": ProblemKind(404, "No such ticket of yours, or it is not issued yet"),
    "device_not_found": ProblemKind(404, "No device has this id"),
    "device_refused": ProblemKind(403, "This device may not send these taps; `reason` says why"),
    "tap_signature_missing": ProblemKind(400, "The batch is not signed by its device"),
    "tap_signature_invalid": ProblemKind(403, "The signature is not that of the device"),
    "wallet_certificate_invalid": ProblemKind(503, "The house's certificate for wallets cannot be used"),
    "ticket_on_device": ProblemKind(409, "The ticket is on a device, which alone can show its code"),
    "ticket_device_not_found": ProblemKind(404, "No such device of yours, or it was reported lost"),
    "device_proof_invalid": ProblemKind(422, "The device's signature does not prove this request"),
    "binding_invalid": ProblemKind(422, "No chain of codes covers this validity"),
    "ticket_key_not_found": ProblemKind(404, "No ticket key has this number"),
    "phone_code_mistyped": ProblemKind(422, "These are not eight characters that check one another"),
    "phone_code_unknown": ProblemKind(404, "No ticket has this code"),
    # ticketing: account-based travel
    "medium_not_found": ProblemKind(404, "No such card or phone of yours"),
    "medium_taken": ProblemKind(409, "This card or phone is linked to somebody else"),
    "medium_token_invalid": ProblemKind(422, "This is no token of a card or phone"),
    "ride_not_found": ProblemKind(404, "No such ride on this day"),
    "ride_not_correctable": ProblemKind(409, "This ride cannot be corrected so"),
    "corrections_used_up": ProblemKind(409, "This month's corrections of your own are used up"),
    # partners
    "sailing_not_found": ProblemKind(404, "No such sailing"),
    "manifest_unreadable": ProblemKind(503, "The passengers' names cannot be read with this house's key"),
    # dispatch
    "booking_not_found": ProblemKind(404, "No such booking of yours"),
    "zone_not_found": ProblemKind(404, "No on-demand zone has this id"),
    "vehicle_not_found": ProblemKind(404, "No on-demand vehicle of yours has this id"),
    "ride_not_available": ProblemKind(409, "No vehicle can take this ride; `reason` says why"),
    "booking_not_movable": ProblemKind(409, "The booking is in a state that this step does not follow"),
    "promises_broken": ProblemKind(409, "Rides are promised that the vehicle could no longer keep"),
    # demand
    "demand_period_invalid": ProblemKind(422, "The period ends before it starts, or is too long"),
    "demand_answer_too_large": ProblemKind(422, "The answer is too large; ask for a smaller area or period"),
    "demand_day_not_over": ProblemKind(409, "Only days that are over in the city can be released"),
}


class Problem(Exception):
    """Answer with this problem. `detail` tells this case and its cure; `extra` adds members."""

    def __init__(
        self,
        code: str,
        *,
        detail: str = "",
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        assert code in PROBLEMS, "every problem code is a row of PROBLEMS"
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = extra

    @property
    def status(self) -> int:
        """The HTTP status of the code."""
        return PROBLEMS[self.code].status


def problem_of(error: Exception) -> Problem | None:
    """The problem that a package's exception (one with a known `code`) is answered with, else None."""
    if isinstance(error, Problem):
        return error
    code = getattr(error, "code", None)
    if not isinstance(code, str) or code not in PROBLEMS:
        return None
    return Problem(code, detail=str(error) or (type(error).__doc__ or "").strip())


def problem_json(problem: Problem, *, request_id: str) -> bytes:
    """The body of application/problem+json. `error` is where clients of the MOTIS API look for the reason."""
    kind = PROBLEMS[problem.code]
    return orjson.dumps(
        {
            "type": f"urn:tsunagu:problem:{problem.code}",
            "code": problem.code,
            "title": kind.title,
            "status": kind.status,
            "detail": problem.detail,
            "error": problem.detail or kind.title,
            "request_id": request_id,
            **problem.extra,
        }
    )
