"""The provider's test cards: a payment method's id says how its bank will behave.

Source    https://docs.stripe.com/testing (names of the test payment methods).
"""

from dataclasses import dataclass
from typing import Any

from services.payments.stand_in.errors import ApiError


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """How a card behaves. `decline_code` None: its bank agrees.

    requires_action  its bank asks the payer each time; with `set_up_frees` not once it was set up
    fails_later      it can be saved, and declines when it is charged
    dispute_reason   its owner disputes the charge as soon as it is captured
    """

    brand: str = "visa"
    last4: str = "4242"
    decline_code: str | None = None
    error_code: str = "card_declined"
    requires_action: bool = False
    set_up_frees: bool = False
    fails_later: bool = False
    refund: str = "succeeded"
    dispute_reason: str | None = None


CARDS: dict[str, Card] = {
    "pm_card_visa": Card(),
    "pm_card_mastercard": Card(brand="mastercard", last4="4444"),
    "pm_card_jcb": Card(brand="jcb", last4="0505"),
    "pm_card_jp": Card(last4="0003"),
    "pm_card_chargeDeclined": Card(last4="0002", decline_code="generic_decline"),
    "pm_card_visa_chargeDeclined": Card(last4="0002", decline_code="generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": Card(last4="9995", decline_code="insufficient_funds"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": Card(last4="9995", decline_code="insufficient_funds"),
    "pm_card_chargeDeclinedLostCard": Card(last4="9987", decline_code="lost_card"),
    "pm_card_chargeDeclinedExpiredCard": Card(
        last4="0069", decline_code="expired_card", error_code="expired_card"
    ),
    "pm_card_threeDSecure2Required": Card(last4="3220", requires_action=True),
    "pm_card_authenticationRequired": Card(last4="3184", requires_action=True),
    "pm_card_authenticationRequiredOnSetup": Card(last4="3155", requires_action=True, set_up_frees=True),
    "pm_card_chargeCustomerFail": Card(last4="0341", decline_code="generic_decline", fails_later=True),
    "pm_card_createDispute": Card(last4="0259", dispute_reason="fraudulent"),
    "pm_card_createDisputeProductNotReceived": Card(last4="2685", dispute_reason="product_not_received"),
    "pm_card_pendingRefund": Card(last4="7726", refund="pending"),
    "pm_card_refundFail": Card(last4="5126"),
}
MESSAGES = {
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}


def find_card(token: str) -> Card | None:
    """The card behind a test payment method, or None."""
    return CARDS.get(token)


AUTHENTICATION_REQUIRED = "authentication_required"


def decline(card: Card, **details: Any) -> ApiError:
    """What the provider answers when the bank says no. What failed stays recorded.

    A card that its bank lets pay only when the payer acts is declined with `authentication_required`.
    """
    message = MESSAGES.get(card.decline_code or AUTHENTICATION_REQUIRED, "Your card was declined.")
    return ApiError(
        402,
        kind="card_error",
        message=message,
        code=card.error_code if card.decline_code else AUTHENTICATION_REQUIRED,
        decline_code=card.decline_code or AUTHENTICATION_REQUIRED,
        commits=True,
        **details,
    )
