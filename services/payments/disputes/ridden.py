"""What was ridden of a disputed order, as evidence: the validators' record in words.

Idea      Asked of ticketing when a dispute becomes known and again when evidence is added, because a
          ticket holds until the bank decides. Payments keeps no rides of its own.
"""

from collections.abc import Sequence

import structlog

from maas.ports import RideSeen, RidesPort
from payments.collection import CITY
from payments.ports import Payment, PaymentPurpose
from services.platform.context import ServiceContext
from services.platform.errors import PlatformError

log = structlog.get_logger()

FIELD = "access_activity_log"
RIDDEN_HEAD = "The ticket of this order was read by the operators' validators:"
_CHARACTERS_MAX = 20_000


async def find_ridden(context: ServiceContext, payment: Payment) -> dict[str, str]:
    """The evidence of rides; empty when nothing was ridden, or nobody can be asked now."""
    if payment.purpose is not PaymentPurpose.ORDER:
        return {}
    try:
        rides = await context.ports.get(RidesPort).list_order_rides(order_id=payment.order_id)
    except PlatformError as error:
        log.warning("rides_not_known", order_id=str(payment.order_id), error=type(error).__name__)
        return {}
    return {FIELD: describe_rides(rides)} if rides else {}


def describe_rides(rides: Sequence[RideSeen]) -> str:
    """One line a ride, in the city's time, cut where the provider's field ends."""
    lines = [RIDDEN_HEAD]
    lines += [
        f"{_time(each)} {each.operator_id}: {each.origin_name or '?'} -> {each.destination_name or '?'}"
        for each in rides
    ]
    return "\n".join(lines)[:_CHARACTERS_MAX]


def _time(ride: RideSeen) -> str:
    taps = (("in", ride.began_at), ("out", ride.ended_at))
    return ", ".join(f"{what} {at.astimezone(CITY):%Y-%m-%d %H:%M}" for what, at in taps if at is not None)
