"""The provider's test cards: a payment method's id says how its bank will behave.

Source    https://docs.stripe.com/testing (names of the test payment methods).
"""

from dataclasses import dataclass

from services.payments.stand_in.errors import ApiError, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """How a card behaves. `decline_code` None: its bank agrees."""

    brand: str = "visa"
    last4: str = "4242"
    decline_code: str | None = None
    error_code: str = "card_declined"
    requires_action: bool = False
    refund: str = "succeeded"


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
    "pm_card_pendingRefund": Card(last4="7726", refund="pending"),
    "pm_card_refundFail": Card(last4="5126"),
}
MESSAGES = {
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
}


def find_card(token: str) -> Card | None:
    """The card behind a test payment method, or None."""
    return CARDS.get(token)


def decline(card: Card, *, charge_id: str, intent: JsonObject, method: JsonObject) -> ApiError:
    """What the provider answers when the bank says no. The failed charge stays recorded."""
    assert card.decline_code is not None, "only a card that declines is declined"
    message = MESSAGES.get(card.decline_code, "Your card was declined.")
    return ApiError(
        402,
        kind="card_error",
        message=message,
        code=card.error_code,
        decline_code=card.decline_code,
        charge=charge_id,
        payment_intent=intent,
        payment_method=method,
        commits=True,
    )
