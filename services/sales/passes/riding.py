"""Orders that ride on a pass: the pass stays while they do, and is shared by what they rode.

Problem   An order may cost less because a pass covers a part of it. Were the pass given back afterwards, the
          ride would be free.
Idea      Placing such an order and giving the pass back both lock the pass's row: an order is placed only on
          a pass that is held, and a pass is given back only when no order rides on it.
Not here  What a pass covers (maas/fares/pass_cover.py); rides on cards and phones (PassPort.note_uses).
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from maas.offers import iterate_components
from maas.orders import ComponentState, Order
from maas.passes import PassOrder, PassState, covered_by, note_entry
from maas.prices import JourneyPrice
from payments.money import split_exactly
from services.platform.problem import Problem
from services.sales.passes.store import PassStore


async def check_held(tx: Any, store: PassStore, prices: tuple[JourneyPrice, ...]) -> None:
    """Raises Problem offer_expired when a pass that an offer counted on was given back since."""
    wanted = {pass_id for _, component in iterate_components(prices) for pass_id in covered_by(component)}
    for pass_id in sorted(wanted):
        held = await store.lock(tx, pass_id)
        if held is None or held.state is not PassState.CONFIRMED:
            raise Problem("offer_expired", detail="A pass of the offer is not held any more. Ask again.")


async def is_ridden_on(tx: Any, store: PassStore, order: PassOrder) -> bool:
    """Whether some order has a fare on the pass that was not given back. Requires the pass locked."""
    return any(
        riding.components[index].state is not ComponentState.REFUNDED
        for riding in await store.list_orders_riding(tx, order)
        for index, (_, component) in enumerate(iterate_components(riding.prices))
        if order.pass_id in covered_by(component)
    )


async def note_ridden(
    tx: Any, store: PassStore, order: Order, component_index: int, ridden_at: datetime
) -> None:
    """A fare of an order was ridden: its passes have begun, and stood for what they took off it."""
    _, component = list(iterate_components(order.prices))[component_index]
    for pass_id, covered in sorted(covered_by(component).items()):
        held = await store.lock(tx, pass_id)
        if held is not None and held.state is PassState.CONFIRMED:
            await store.update(tx, note_entry(held, ridden_at))
            fare = (order.order_id, component_index)
            await store.put_fare(tx, pass_id, fare, _used(held, order, component_index, covered))


async def forget_ridden(tx: Any, store: PassStore, order_id: UUID, component_index: int) -> None:
    """A fare was not ridden after all. A pass of hours that it began stays begun: a gate let somebody in."""
    await store.delete_fare(tx, order_id, component_index)


def _used(held: PassOrder, order: Order, component_index: int, covered: int) -> dict[str, int]:
    """What the pass took off, by the operators ridden that it covers: in equal parts where they are two."""
    legs = order.components[component_index].leg_indices
    ridden = {order.journey.legs[index].operator_id for index in legs} & set(held.operators)
    operators = {operator for operator in ridden if operator is not None} or set(held.operators)
    return split_exactly(covered, dict.fromkeys(operators, 1)) if covered else {}
