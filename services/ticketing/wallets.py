"""Passes for the wallets of telephones: signed where the house is certified, else plain data that says so.

Problem   Apple and Google take passes only from whom they have certified; a house without certificates should
          still hand its apps what they need, and never pretend.
Idea      Certificates are two files that the house's owner puts into `data_dir/keys`; they are read when a
          pass is asked for. Without them the documents come unsigned, with the reason.
            apple-wallet.pem    the pass type's certificate, its private key, and Apple's intermediate
            google-wallet.json  the service account's key file, with `issuer_id` added
Not here  What stands in a pass (maas/tickets/wallet.py).
"""

import base64
import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jwt
import segno
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder
from cryptography.x509.oid import NameOID

from maas.tickets.printed import PrintedTicket
from maas.tickets.wallet import build_apple_pass, build_google_claims
from services.platform.problem import Problem
from services.ticketing.code_models import ApplePassView, GooglePassView, WalletView

APPLE_FILE, GOOGLE_FILE = "apple-wallet.pem", "google-wallet.json"
# What a document says where nobody is certified; no wallet takes it.
UNSIGNED_PASS_TYPE, UNSIGNED_TEAM, UNSIGNED_ISSUER, UNSIGNED_ACCOUNT = "unsigned", "unsigned", "unsigned", ""
SAVE_URL = "https://pay.google.com/gp/v/save/"
# Dates in a package are fixed, so that the same ticket gives the same bytes.
ZIP_DATE = (2020, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Wallets:
    """Makes passes with the certificates of a folder. Its methods touch the disk: call them in a thread."""

    folder: Path
    zone: ZoneInfo

    def make(self, ticket: PrintedTicket) -> WalletView:
        """Both passes of a static ticket. Raises Problem for a certificate that cannot be used."""
        return WalletView(apple=self._apple(ticket), google=self._google(ticket))

    def _apple(self, ticket: PrintedTicket) -> ApplePassView:
        path = self.folder / APPLE_FILE
        if not path.exists():
            document = build_apple_pass(
                ticket, pass_type_id=UNSIGNED_PASS_TYPE, team_id=UNSIGNED_TEAM, zone=self.zone
            )
            note = f"Unsigned, so no wallet takes it: this house has no certificate ({APPLE_FILE})."
            return ApplePassView(is_signed=False, note=note, document=document, package=None)
        key, certificate, others = _read_apple(path)
        document = build_apple_pass(
            ticket,
            pass_type_id=_subject(certificate, NameOID.USER_ID, path),
            team_id=_subject(certificate, NameOID.ORGANIZATIONAL_UNIT_NAME, path),
            zone=self.zone,
        )
        package = base64.b64encode(_package(document, key, certificate, others)).decode()
        return ApplePassView(is_signed=True, note="", document=document, package=package)

    def _google(self, ticket: PrintedTicket) -> GooglePassView:
        path = self.folder / GOOGLE_FILE
        if not path.exists():
            claims = build_google_claims(
                ticket, issuer_id=UNSIGNED_ISSUER, account=UNSIGNED_ACCOUNT, zone=self.zone
            )
            note = f"Unsigned, so no wallet takes it: this house has no service account ({GOOGLE_FILE})."
            return GooglePassView(is_signed=False, note=note, claims=claims, save_url=None)
        try:
            account = json.loads(path.read_text("utf-8"))
            claims = build_google_claims(
                ticket, issuer_id=account["issuer_id"], account=account["client_email"], zone=self.zone
            )
            token = jwt.encode(claims, account["private_key"], algorithm="RS256")
        except (OSError, ValueError, KeyError, jwt.PyJWTError) as error:
            raise _unusable(path, error) from error
        return GooglePassView(is_signed=True, note="", claims=claims, save_url=SAVE_URL + token)


def _read_apple(
    path: Path,
) -> tuple[RSAPrivateKey | EllipticCurvePrivateKey, x509.Certificate, list[x509.Certificate]]:
    try:
        pem = path.read_bytes()
        key = load_pem_private_key(pem, password=None)
        certificates = x509.load_pem_x509_certificates(pem)
    except (OSError, ValueError, TypeError) as error:
        raise _unusable(path, error) from error
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        raise _unusable(path, "its key is neither RSA nor EC")
    own = [each for each in certificates if each.public_key() == key.public_key()]
    if not own:
        raise _unusable(path, "no certificate in it belongs to its key")
    return key, own[0], [each for each in certificates if each is not own[0]]


def _subject(certificate: x509.Certificate, oid: x509.ObjectIdentifier, path: Path) -> str:
    found = certificate.subject.get_attributes_for_oid(oid)
    if not found:
        raise _unusable(path, f"its subject has no {oid.dotted_string}")
    return str(found[0].value)


def _package(
    document: dict[str, Any],
    key: RSAPrivateKey | EllipticCurvePrivateKey,
    certificate: x509.Certificate,
    others: list[x509.Certificate],
) -> bytes:
    """A .pkpass: the document, an icon, the digests of both, and a detached signature over these."""
    files = {"pass.json": json.dumps(document, ensure_ascii=False).encode(), "icon.png": _icon()}
    # The format asks for SHA-1 digests; what protects them is the signature.
    digests = {
        name: hashlib.sha1(content, usedforsecurity=False).hexdigest() for name, content in files.items()
    }
    files["manifest.json"] = json.dumps(digests).encode()
    builder = PKCS7SignatureBuilder().set_data(files["manifest.json"])
    builder = builder.add_signer(certificate, key, SHA256())
    for each in others:
        builder = builder.add_certificate(each)
    options = [PKCS7Options.DetachedSignature, PKCS7Options.Binary]
    files["signature"] = builder.sign(Encoding.DER, options)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in files.items():
            package.writestr(zipfile.ZipInfo(name, ZIP_DATE), content)
    return out.getvalue()


def _sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def _icon() -> bytes:
    """A square of modules: a house without a picture of its own still needs one."""
    out = io.BytesIO()
    segno.make_micro("TSUNAGU").save(out, kind="png", scale=4, border=1)
    return out.getvalue()


def _unusable(path: Path, error: object) -> Problem:
    detail = f"{path.name} cannot be used: {error}. Replace it, or take it away for unsigned passes."
    return Problem("wallet_certificate_invalid", detail=detail)
