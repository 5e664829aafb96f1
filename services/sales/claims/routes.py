"""The claims' endpoints."""

from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from services.platform.service import Route
from services.sales.claims.handlers import Claims
from services.sales.claims.models import (
    ClaimList,
    ClaimRequest,
    ClaimView,
    CredentialRequest,
    IssuerList,
    IssuerSettings,
    IssuerView,
)

_TAG = "sales"
IssuerId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:._-]{1,120}$")]


def build_routes(claims: Claims) -> list[Route]:
    """All endpoints about claims and the authorities that prove them."""
    return [*_claim_routes(claims), *_issuer_routes(claims)]


def _claim_routes(claims: Claims) -> list[Route]:
    return [
        Route(
            method="POST",
            path="/api/claims",
            operation="recordClaim",
            handler=claims.record,
            summary="A clerk has seen that a traveller may ride as a category",
            tag=_TAG,
            body=ClaimRequest,
            response=ClaimView,
            status=201,
            idempotent=True,
            problems=("claim_invalid",),
        ),
        Route(
            method="POST",
            path="/api/claims/credentials",
            operation="presentCredential",
            handler=claims.present,
            summary="Upload an authority's signed credential",
            tag=_TAG,
            body=CredentialRequest,
            response=ClaimView,
            status=201,
            idempotent=True,
            problems=("claim_invalid", "credential_invalid", "credential_used"),
        ),
        Route(
            method="GET",
            path="/api/claims",
            operation="listClaims",
            handler=claims.list_own,
            summary="What you have proven, and until when it counts",
            tag=_TAG,
            response=ClaimList,
        ),
        Route(
            method="POST",
            path="/api/claims/{claim_id}/withdrawals",
            operation="withdrawClaim",
            handler=claims.withdraw,
            summary="Forget a claim",
            tag=_TAG,
            path_types={"claim_id": UUID},
            idempotent=True,
            problems=("claim_not_found",),
        ),
    ]


def _issuer_routes(claims: Claims) -> list[Route]:
    return [
        Route(
            method="PUT",
            path="/api/claim-issuers/{issuer_id}",
            operation="putClaimIssuer",
            handler=claims.put_issuer,
            summary="Register an authority whose credentials count",
            tag=_TAG,
            path_types={"issuer_id": IssuerId},
            body=IssuerSettings,
            response=IssuerView,
        ),
        Route(
            method="GET",
            path="/api/claim-issuers",
            operation="listClaimIssuers",
            handler=claims.list_issuers,
            summary="The authorities whose credentials count",
            tag=_TAG,
            response=IssuerList,
        ),
    ]
