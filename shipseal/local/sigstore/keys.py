"""Hold the keys of the local Sigstore: in memory, for as long as one stage signs, with no way to write them down."""

import hashlib
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class LocalKey:
    """A P-256 key that is made when the object is, and is gone when the object is."""

    def __init__(self) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())
        self.public = self._private.public_key()
        self.spki = self.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def key_id(self) -> bytes:
        """Return the sha256 of the public key: a log's name for itself (RFC 6962, section 3.2)."""
        return hashlib.sha256(self.spki).digest()

    def sign(self, data: bytes) -> bytes:
        """Sign with ECDSA over SHA-256; the signature is DER."""
        return self._private.sign(data, ec.ECDSA(hashes.SHA256()))

    def token(self, claims: Mapping[str, Any]) -> str:
        """Sign a JSON web token with ES256."""
        return jwt.encode(dict(claims), self._private, "ES256")

    def certify(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        """Sign a certificate."""
        return builder.sign(self._private, hashes.SHA256())
