"""Codes read over the telephone: looked up, let pass, and not guessed.

Problem   Somebody whose telephone is flat, or who never had one, reads eight characters to a driver or
          a clerk, who must see what the ticket is and let its riders pass.
Idea      A code is looked up here only, by people and devices that are signed in; what they see are the fares
          at their own operator, and no name. Letting pass is a tap like any other: this service signs a
          static code of the ticket's present edition for the moment of the tap, and hands it to the intake.
Guessing  A caller who names ten codes within ten minutes that are none waits. A code with a false check
          character names nothing and is not counted: it was misheard.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from maas.taps import TapKind
from maas.tickets.issue import sign
from maas.tickets.layout import decode_payload
from maas.tickets.phone_code import PhoneCodeMistyped, read_phone_code
from services.platform.auth import Principal
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.ticketing.code_models import PhoneCodeView, PhoneUseIn
from services.ticketing.code_store import CodeStore
from services.ticketing.keys import KeyStore
from services.ticketing.models import SEQUENCE_MAX, TapAnswer, TapAnswers, TapBatch, TapIn
from services.ticketing.store import TicketingStore
from services.ticketing.tapping import SignedBatch, Tapping
from services.ticketing.views import fare_view, riders_of

MISSES_MAX = 10
MISSES_WITHIN = timedelta(minutes=10)
MISSES_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Desk:
    """The use cases on codes read by telephone."""

    context: ServiceContext
    store: TicketingStore
    code_store: CodeStore
    keys: KeyStore
    tapping: Tapping

    async def look_up(self, caller: Principal, heard: str) -> PhoneCodeView:
        """The ticket of a code, with its fares at the caller's operator."""
        row = await self._find(caller, heard)
        code = (await self.code_store.list_codes([row["ticket_ref"]]))[row["ticket_ref"]]
        fares = await self.store.list_fares([row["ticket_ref"]])
        return PhoneCodeView(
            ticket_ref=row["ticket_ref"],
            riders=riders_of(row),
            form=code.form,
            edition=code.edition,
            valid_from=row["valid_from"],
            valid_until=row["valid_until"],
            fares=[fare_view(fare) for fare in fares if caller.operator_id in fare["operator_ids"]],
        )

    async def let_pass(self, caller: Principal, wanted: PhoneUseIn, command_id: UUID) -> TapAnswer:
        """Tap for the riders of a code, at the caller's operator. The same command taps once."""
        if caller.operator_id is None:
            raise Problem("forbidden", detail="Only a device or a clerk of an operator lets people pass.")
        row = await self._find(caller, wanted.code)
        tap = TapIn(
            sequence=command_id.int % SEQUENCE_MAX,
            tapped_at=self.context.clock.now(),
            kind=TapKind(wanted.kind),
            operator_id=caller.operator_id,
            stop_id=wanted.stop_id,
            payload=await self._sign_for_tap(row),
        )
        batch = TapBatch(device_id=f"desk:{caller.subject}", taps=[tap])
        signed = SignedBatch(principal=caller, raw=b"", signature=None, batch=batch)
        return TapAnswers.model_validate_json(await self.tapping.record(signed)).answers[0]

    async def _sign_for_tap(self, row: Any) -> str:
        """A static code of the present edition. It is kept with the tap and shown to nobody."""
        now = self.context.clock.now()
        key = await asyncio.to_thread(self.keys.key_for, valid_from=row["valid_from"], now=now)
        first = decode_payload(row["payload"]).ticket
        return sign(replace(first, key_id=key.public.key_id, edition=row["edition"]), key)

    async def _find(self, caller: Principal, heard: str) -> Any:
        try:
            code = read_phone_code(heard)
        except PhoneCodeMistyped as error:
            raise Problem("phone_code_mistyped", detail=f"{error} Ask for it once more.") from None
        now = self.context.clock.now()
        if await self.code_store.count_misses(caller.subject, now - MISSES_WITHIN) >= MISSES_MAX:
            raise Problem(
                "rate_limited",
                detail="Too many codes that are none. Wait ten minutes.",
                headers={"Retry-After": str(int(MISSES_WITHIN.total_seconds()))},
            )
        row = await self.code_store.find_by_phone_code(code)
        if row is None:
            await self.code_store.count_miss(caller.subject, now, forget_before=now - MISSES_KEPT)
            raise Problem("phone_code_unknown", detail="No ticket has this code. Ask for it once more.")
        return row
