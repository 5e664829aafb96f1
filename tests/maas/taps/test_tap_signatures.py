"""Signatures over batches of taps, against RFC 9421's own example and against every way to change one."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from maas.tap_signatures import SignatureUnreadable, build_signature_base, read_signature, sign_batch

BODY = b'{"device_id": "gate-1", "taps": []}'
KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes_raw()


def test_the_signature_base_is_that_of_the_rfc() -> None:
    # RFC 9421, B.2.6, "Signing a Request Using ed25519"; the key is B.1.4's.
    key = Ed25519PublicKey.from_public_bytes(
        base64.urlsafe_b64decode("JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs=")
    )
    components = [
        ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("@method", "POST"),
        ("@path", "/foo"),
        ("@authority", "example.com"),
        ("content-type", "application/json"),
        ("content-length", "18"),
    ]
    parameters = (
        '("date" "@method" "@path" "@authority" "content-type" "content-length")'
        ';created=1618884473;keyid="test-key-ed25519"'
    )
    signature = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    key.verify(base64.b64decode(signature), build_signature_base(components, parameters))


def test_the_digest_is_that_of_the_rfc() -> None:
    # RFC 9530, appendix: the SHA-256 of {"hello": "world"}.
    headers = sign_batch(b'{"hello": "world"}', device_id="gate-1", private_key=KEY)
    assert headers["Content-Digest"] == "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"


def test_a_signature_holds_for_its_body_its_key_and_its_device_only() -> None:
    headers = sign_batch(BODY, device_id="gate-1", private_key=KEY)
    signature = read_signature(headers)
    assert signature is not None
    assert signature.device_id == "gate-1"
    assert signature.is_of(BODY, PUBLIC)
    assert not signature.is_of(BODY + b" ", PUBLIC)
    assert not signature.is_of(BODY, Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    renamed = read_signature(
        {**headers, "Signature-Input": headers["Signature-Input"].replace("gate-1", "gate-2")}
    )
    assert renamed is not None
    assert not renamed.is_of(BODY, PUBLIC)
    # The digest of another body under the old signature.
    other = sign_batch(b"other", device_id="gate-1", private_key=KEY)
    swapped = read_signature({**headers, "Content-Digest": other["Content-Digest"]})
    assert swapped is not None
    assert not swapped.is_of(b"other", PUBLIC)


def test_no_signature_is_none() -> None:
    assert read_signature({"Content-Type": "application/json"}) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Digest", ""),
        ("Content-Digest", "sha-512=:AAAA:"),
        ("Signature-Input", 'tap=("content-digest");alg="ed25519"'),
        ("Signature-Input", 'tap=();keyid="gate-1";alg="ed25519"'),
        ("Signature-Input", 'tap=("content-digest");keyid="gate-1";alg="rsa-pss-sha512"'),
        ("Signature", "tap=:AAAA:"),
        ("Signature", f"other=:{'A' * 86}==:"),
    ],
)
def test_what_is_not_of_the_profile_is_named(name: str, value: str) -> None:
    headers = sign_batch(BODY, device_id="gate-1", private_key=KEY)
    with pytest.raises(SignatureUnreadable, match=name):
        read_signature({**headers, name: value})
