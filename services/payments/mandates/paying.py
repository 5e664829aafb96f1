"""Who pays a charge: the traveller, or whoever a mandate names.

Rule      Each charge is checked by itself: what a day's further rides cost counts against the limits too.
          What is given back under a reference goes to whoever paid under it, also when their mandate is over
          by then; to the traveller first, who paid what the mandates did not allow.
Invariant Uses are checked and written with their mandate locked, in the transaction of what they are for: two
          charges at once never exceed a limit.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from payments.mandates import Mandate, MandateProduct, MandateVerdict, decide_use
from payments.ports import Charge, Payment
from services.payments.mandates.store import MandateStore, MandateUse


class MandatePaying:
    """Finds payers and keeps account of mandates."""

    def __init__(self, store: MandateStore) -> None:
        self._store = store

    async def find_payers(self, tx: Any, charges: Sequence[Charge], now: datetime) -> list[str]:
        """Who pays each of these new charges; what mandates pay is written down as used."""
        payers = [each.customer_id for each in charges]
        names = sorted(set(payers))
        mandates = await self._store.lock_for(tx, names)
        if not mandates:
            return payers
        concerned = [place for place, each in enumerate(charges) if each.customer_id in mandates]
        paid = await self._store.list_paid_before(
            tx, sorted(mandates), sorted({charges[place].reference for place in concerned})
        )
        for place in concerned:
            charge = charges[place]
            shares = paid.setdefault((charge.customer_id, charge.reference), {})
            if charge.amount.amount_minor > 0:
                payer = await self._choose(tx, charge, mandates[charge.customer_id], now)
            else:
                payer = who_is_paid_back(charge, shares)
                await self._give_back(tx, charge, payer, mandates[charge.customer_id])
            shares[payer] = shares.get(payer, 0) + charge.amount.amount_minor
            payers[place] = payer
        return payers

    async def reserve(
        self, tx: Any, mandate_id: UUID, payment: Payment, *, day: date, now: datetime
    ) -> MandateVerdict:
        """Use a mandate for an order's payment. One that is for somebody else counts as not accepted."""
        mandate = await self._store.lock(tx, mandate_id)
        if mandate is None or mandate.traveller_id != payment.traveller_id:
            return MandateVerdict.NOT_ACCEPTED
        use = MandateUse(
            mandate_id=mandate_id,
            use_id=payment.payment_id,
            amount_minor=payment.amount.amount_minor,
            used_on=day,
        )
        product = MandateProduct.ORDERS
        return await self._use(tx, mandate, use, product=product, modes=payment.modes, now=now)

    async def let_go(self, mandate_id: UUID, use_id: UUID) -> None:
        """What was reserved did not happen."""
        await self._store.delete_use(mandate_id, use_id)

    async def _choose(self, tx: Any, charge: Charge, mandates: Sequence[Mandate], now: datetime) -> str:
        for mandate in mandates:
            verdict = await self._use(
                tx,
                mandate,
                _use_of(charge, mandate),
                product=MandateProduct.TRAVEL,
                modes=charge.modes,
                now=now,
                ride_minor=charge.ride_minor_max,
            )
            if verdict is MandateVerdict.ALLOWED:
                return mandate.payer_id
        return charge.customer_id

    async def _give_back(self, tx: Any, charge: Charge, payer_id: str, mandates: Sequence[Mandate]) -> None:
        """What a payer gets back counts with their mandate, which may be over by then."""
        used = [each for each in mandates if each.payer_id == payer_id]
        if used:
            await self._store.insert_uses(tx, [_use_of(charge, used[0])])

    async def _use(
        self,
        tx: Any,
        mandate: Mandate,
        use: MandateUse,
        *,
        product: MandateProduct,
        modes: Sequence[str],
        now: datetime,
        ride_minor: int | None = None,
    ) -> MandateVerdict:
        day_minor, month_minor = await self._store.sum_uses(
            tx, mandate.mandate_id, use.used_on, but_for=use.use_id
        )
        verdict = decide_use(
            mandate,
            amount_minor=use.amount_minor,
            product=product,
            modes=frozenset(modes),
            day_minor=day_minor,
            month_minor=month_minor,
            now=now,
            ride_minor=ride_minor,
        )
        if verdict is MandateVerdict.ALLOWED:
            await self._store.insert_uses(tx, [use])
        return verdict


def who_is_paid_back(charge: Charge, paid: Mapping[str, int]) -> str:
    """The traveller, if they paid as much under this reference themselves; else whoever paid most of it."""
    own = paid.get(charge.customer_id, 0)
    if own >= -charge.amount.amount_minor or not any(each > 0 for each in paid.values()):
        return charge.customer_id
    return max(sorted(paid), key=lambda payer: paid[payer])


def _use_of(charge: Charge, mandate: Mandate) -> MandateUse:
    return MandateUse(
        mandate_id=mandate.mandate_id,
        use_id=charge.charge_id,
        amount_minor=charge.amount.amount_minor,
        used_on=charge.service_date,
    )
