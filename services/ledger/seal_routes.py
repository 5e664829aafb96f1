"""What third parties are shown of the books: seals, proofs, and the unused prepaid value of a base date."""

from datetime import date, datetime, time, timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from payments.seals import Seal, text_of
from services.ledger.questions import LedgerQuestions
from services.ledger.routes import MoneyView
from services.ledger.sealing import Sealer
from services.platform.clock import Clock
from services.platform.problem import Problem
from services.platform.service import Call, Route

TOKYO = ZoneInfo("Asia/Tokyo")
"""Base dates are days of Japanese law (Payment Services Act)."""

DEPOSIT_ABOVE_MINOR = 10_000_000

_NUMBER_MAX = 2**62


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SealView(_Strict):
    """A seal as it is hashed: hashes in hexadecimal, time in microseconds since 1970. Publish `seal_hash`."""

    number: int
    after_sequence: int
    until_sequence: int
    leaf_count: int
    merkle_root: str
    previous_hash: str
    sealed_at_us: int
    seal_hash: str


class SealsView(_Strict):
    """Seals in their order."""

    seals: list[SealView]


class SealsQuestion(_Strict):
    """Which seals."""

    after_number: Annotated[int, Field(ge=0, le=_NUMBER_MAX)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class ProofView(_Strict):
    """That a transfer stands in the books: verify it with services/ledger/verify_proof.py."""

    transfer: dict[str, str | None]
    leaf_index: int
    path: list[str]
    seal: SealView


class PrepaidQuestion(_Strict):
    """`base_date`: a day in Japan that is over; 31 March or 30 September for the authorities."""

    base_date: Annotated[date, Field(ge=date(1970, 1, 2), le=date(2199, 12, 30))]


class PrepaidView(_Strict):
    """What was unused in all wallets at the end of the day. Above ten million yen, half must be deposited."""

    base_date: date
    unused: MoneyView
    deposit_required: MoneyView


def build_seal_routes(sealer: Sealer, questions: LedgerQuestions, clock: Clock) -> list[Route]:
    """The endpoints."""

    async def get_proof(call: Call) -> ProofView:
        return await _get_proof(sealer, call.path["transfer_id"])

    async def list_seals(call: Call) -> SealsView:
        seals = await sealer.list_seals(after_number=call.query.after_number, limit=call.query.limit)
        return SealsView(seals=[_seal_view(seal) for seal in seals])

    async def get_prepaid(call: Call) -> PrepaidView:
        return await _get_prepaid(questions, call.query.base_date, clock.now())

    return [
        Route(
            method="GET",
            path="/api/ledger/transfers/{transfer_id}/proof",
            operation="getTransferProof",
            handler=get_proof,
            summary="The proof that a transfer stands in the sealed books",
            tag="ledger",
            path_types={"transfer_id": UUID},
            response=ProofView,
            problems=("transfer_not_found", "transfer_not_sealed"),
        ),
        Route(
            method="GET",
            path="/api/ledger/seals",
            operation="listSeals",
            handler=list_seals,
            summary="The chain of seals over the books",
            tag="ledger",
            query=SealsQuestion,
            response=SealsView,
        ),
        Route(
            method="GET",
            path="/api/ledger/unused-prepaid-value",
            operation="getUnusedPrepaidValue",
            handler=get_prepaid,
            summary="What was unused in all wallets at the end of a base date",
            tag="ledger",
            query=PrepaidQuestion,
            response=PrepaidView,
            problems=("question_unanswerable",),
        ),
    ]


async def _get_proof(sealer: Sealer, transfer_id: UUID) -> ProofView:
    row = await sealer.find_transfer(transfer_id)
    if row is None:
        raise Problem("transfer_not_found")
    proof = await sealer.find_proof(row)
    if proof is None:
        raise Problem("transfer_not_sealed")
    return ProofView(
        transfer=proof.fields,
        leaf_index=proof.leaf_index,
        path=[each.hex() for each in proof.path],
        seal=_seal_view(proof.seal),
    )


async def _get_prepaid(questions: LedgerQuestions, base_date: date, now: datetime) -> PrepaidView:
    ends_at = datetime.combine(base_date + timedelta(days=1), time(), TOKYO)
    if ends_at > now:
        raise Problem("question_unanswerable", detail=f"{base_date} is not over yet in Japan.")
    beginning = await questions.find_beginning()
    if beginning is None or ends_at <= beginning:
        raise Problem("question_unanswerable", detail=f"The books were opened after {base_date}.")
    unused = await questions.get_unused_prepaid_minor(before=ends_at, known_at=now)
    # Half, rounded up: a deposit of less than half would be too little.
    deposit = (unused + 1) // 2 if unused > DEPOSIT_ABOVE_MINOR else 0
    return PrepaidView(
        base_date=base_date,
        unused=MoneyView(amount_minor=unused, currency="JPY"),
        deposit_required=MoneyView(amount_minor=deposit, currency="JPY"),
    )


def _seal_view(seal: Seal) -> SealView:
    return SealView(
        number=seal.number,
        after_sequence=seal.after_sequence,
        until_sequence=seal.until_sequence,
        leaf_count=seal.leaf_count,
        merkle_root=seal.merkle_root.hex(),
        previous_hash=seal.previous_hash.hex(),
        sealed_at_us=int(text_of(seal.sealed_at) or 0),
        seal_hash=seal.seal_hash.hex(),
    )
