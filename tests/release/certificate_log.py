"""A small certificate-transparency log for Fulcio: it promises, and forgets (RFC 6962, sections 3.2 and 4.2)."""

import base64
import json
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shipseal.local.sigstore.keys import LocalKey
from shipseal.local.sigstore.transparency import der
from shipseal.signing.material import Material
from tests.release.issuer import serving

_POISON = bytes.fromhex("060a2b06010401d679020403")  # the object identifier 1.3.6.1.4.1.11129.2.4.3
_SEQUENCE, _EXTENSIONS = 0x30, 0xA3


def children(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield each DER value in a value: its tag, its content, and all of it (X.690, section 8.1)."""
    while data:
        size, head = data[1], 2
        if size & 0x80:
            head += size & 0x7F
            size = int.from_bytes(data[2:head], "big")
        yield data[0], data[head : head + size], data[: head + size]
        data = data[head + size :]


def without_poison(tbs: bytes) -> bytes:
    """Return what is to be signed of a certificate without the extension that makes it none."""
    [(_, content, _)] = children(tbs)
    kept = b""
    for tag, inner, whole in children(content):
        if tag != _EXTENSIONS:
            kept += whole
            continue
        [(_, extensions, _)] = children(inner)
        others = b"".join(each for _, body, each in children(extensions) if not body.startswith(_POISON))
        kept += der(_EXTENSIONS, der(_SEQUENCE, others))
    return der(_SEQUENCE, kept)


class CertificateLog:
    """Promises to keep what it is shown."""

    def __init__(self) -> None:
        self.key = LocalKey()
        self.url = ""

    def answer(self, path: str, body: bytes) -> tuple[int, dict[str, str], Any]:
        """Answer `add-pre-chain`."""
        if not path.endswith("/ct/v1/add-pre-chain"):
            return 404, {}, {}
        certificate, issuer = [base64.b64decode(each) for each in json.loads(body)["chain"][:2]]
        issuing = Material.of_certificate(x509.load_der_x509_certificate(issuer))
        tbs = without_poison(x509.load_der_x509_certificate(certificate).tbs_certificate_bytes)
        milliseconds = int(time.time() * 1000)
        entry = bytes.fromhex(issuing.digest.hex) + len(tbs).to_bytes(3, "big") + tbs
        signed = struct.pack("!BBQH", 0, 0, milliseconds, 1) + entry + struct.pack("!H", 0)
        signature = self.key.sign(signed)
        promise = b"\x04\x03" + struct.pack("!H", len(signature)) + signature
        said = {"sct_version": 0, "timestamp": milliseconds, "extensions": ""}
        encoded = {"id": base64.b64encode(self.key.key_id).decode(), "signature": base64.b64encode(promise).decode()}
        return 200, {}, {**said, **encoded}

    @property
    def pem(self) -> bytes:
        """Its public key."""
        return self.key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@contextmanager
def certificate_log() -> Iterator[CertificateLog]:
    """Run a log on loopback."""
    there = CertificateLog()
    with serving(there.answer) as there.url:
        yield there
