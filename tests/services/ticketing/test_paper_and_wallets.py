"""Tickets as text, paper and wallet passes; signed by certificates of the test, checked by other programs."""

import base64
import hashlib
import io
import json
import shutil
import subprocess
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.support.counter import Counter
from tests.support.phone import Phone

KEY = generate_private_key(65537, 2048)


def pem_of(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def certificate(key: RSAPrivateKey) -> bytes:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.USER_ID, "pass.example.tsunagu"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "TEAM123456"),
        ]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
        .sign(key, SHA256())
    )
    return made.public_bytes(Encoding.PEM)


def verify_with_openssl(folder: Path) -> bool:
    """Whether `signature` there is a detached one over `manifest.json`."""
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-noverify"]
    command += ["-in", str(folder / "signature"), "-content", str(folder / "manifest.json")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


async def buy(counter: Counter) -> Any:
    (ticket,) = await counter.tickets(await counter.confirm())
    return ticket


async def test_a_ticket_in_words_and_on_paper(counter: Counter) -> None:
    ticket = await buy(counter)
    path = f"/api/tickets/{ticket['ticket_id']}"
    status, text = await counter.house.call("GET", f"{path}/text?language=en")
    assert status == 200
    assert ticket["ticket_ref"] in text.decode()
    assert "Each ride once." in text.decode()
    status, sheet = await counter.house.call("GET", f"{path}/paper.svg?language=zh-Hans")
    assert (status, ET.fromstring(sheet).tag) == (200, "{http://www.w3.org/2000/svg}svg")  # noqa: S314
    assert (await counter.house.call("GET", f"{path}/text?language=fr"))[0] == 422
    assert (await counter.house.call("GET", f"{path}/text", subject="mallory"))[0] == 404
    phone = Phone(counter)
    await phone.register()
    await phone.bind(ticket)
    status, text = await counter.house.call("GET", f"{path}/text?language=en")
    assert "Open the app" in text.decode()
    for part in ("paper.svg", "wallet"):
        status, body = await counter.house.call("GET", f"{path}/{part}")
        assert (status, body["code"]) == (409, "ticket_on_device")


async def test_without_certificates_the_passes_say_that_they_are_unsigned(counter: Counter) -> None:
    ticket = await buy(counter)
    status, wallet = await counter.house.call("GET", f"/api/tickets/{ticket['ticket_id']}/wallet")
    assert status == 200, wallet
    for maker in ("apple", "google"):
        assert wallet[maker]["is_signed"] is False
        assert "Unsigned" in wallet[maker]["note"]
    assert (wallet["apple"]["package"], wallet["google"]["save_url"]) == (None, None)
    assert wallet["apple"]["document"]["barcodes"][0]["message"] == ticket["payload"]


async def test_googles_pass_is_signed_by_the_service_account(counter: Counter, tmp_path: Path) -> None:
    account = {
        "issuer_id": "338",
        "client_email": "pass@example.org",
        "private_key": pem_of(KEY).decode(),
    }
    (tmp_path / "keys" / "google-wallet.json").write_text(json.dumps(account))
    ticket = await buy(counter)
    _, wallet = await counter.house.call("GET", f"/api/tickets/{ticket['ticket_id']}/wallet")
    token = wallet["google"]["save_url"].rsplit("/", 1)[1]
    claims = jwt.decode(token, KEY.public_key(), algorithms=["RS256"], audience="google")
    assert claims == wallet["google"]["claims"]
    assert claims["iss"] == "pass@example.org"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl checks the signature")
async def test_apples_package_is_signed_over_its_manifest(counter: Counter, tmp_path: Path) -> None:
    (tmp_path / "keys" / "apple-wallet.pem").write_bytes(pem_of(KEY) + certificate(KEY))
    ticket = await buy(counter)
    _, wallet = await counter.house.call("GET", f"/api/tickets/{ticket['ticket_id']}/wallet")
    assert wallet["apple"]["is_signed"]
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(wallet["apple"]["package"]))) as package:
        files = {name: package.read(name) for name in package.namelist()}
    assert set(files) == {"pass.json", "icon.png", "manifest.json", "signature"}
    manifest = json.loads(files["manifest.json"])
    for name in ("pass.json", "icon.png"):
        assert manifest.pop(name) == hashlib.sha1(files[name], usedforsecurity=False).hexdigest()
    assert manifest == {}
    document = json.loads(files["pass.json"])
    assert (document["passTypeIdentifier"], document["teamIdentifier"]) == (
        "pass.example.tsunagu",
        "TEAM123456",
    )
    for name in ("manifest.json", "signature"):
        (tmp_path / name).write_bytes(files[name])
    assert verify_with_openssl(tmp_path)
    (tmp_path / "manifest.json").write_bytes(files["manifest.json"] + b" ")
    assert not verify_with_openssl(tmp_path)


@pytest.mark.parametrize("content", ["nonsense", pem_of(KEY).decode(), "other"])
async def test_a_certificate_that_cannot_be_used_is_told(
    counter: Counter, tmp_path: Path, content: str
) -> None:
    if content == "other":
        content = pem_of(generate_private_key(65537, 2048)).decode() + certificate(KEY).decode()
    (tmp_path / "keys" / "apple-wallet.pem").write_text(content)
    ticket = await buy(counter)
    status, body = await counter.house.call("GET", f"/api/tickets/{ticket['ticket_id']}/wallet")
    assert (status, body["code"]) == (503, "wallet_certificate_invalid")
    assert "apple-wallet.pem" in body["detail"]
