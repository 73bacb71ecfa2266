"""What entries of a transparency log say, by their kinds, and whether that is said of a signature. Pure.

Formats: Rekor, pkg/types (hashedrekord 0.0.1, dsse 0.0.1, intoto 0.0.2), and Rekor v2, rekor-v2-spec, section 6.1
(hashedrekord 0.0.2).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import ConfigDict, Field

from shipseal.signing.material import NAMES, Material
from shipseal.statements.predicates import Base64, Said, TwiceBase64

Objections = Mapping[str, bool]
"""Each thing that could be another's, and whether it is the same."""


@dataclass(frozen=True)
class Made:
    """A signature, with what was signed.

    Args:
        material: the key.
        signature: the signature.
        hashed: digests of what was signed, by the name of the hash: of a file, or of a DSSE envelope's encoding.
        payload: of an envelope; None for the signature of a file.
        payload_type: likewise.
        certificate: of the key, in PEM and DER; None where there is a key alone.
    """

    material: Material
    signature: bytes
    hashed: Mapping[str, bytes]
    payload: bytes | None = None
    payload_type: str = ""
    certificate: tuple[bytes, bytes] | None = None

    def by(self, pem: bytes) -> bool:
        """Say whether a verifier in a log, in PEM, is the one who signed this: the very certificate, or the key."""
        if self.certificate is None:
            return b"-----BEGIN CERTIFICATE-----" not in pem and self.material.same(pem)
        return pem.strip() == self.certificate[0].strip()


class LogBody(Said):
    """An entry: its kind, the version of its format, and what it says in that."""

    kind: str
    api_version: str
    spec: dict[str, object]


class LoggedHash(Said):
    """A digest in hexadecimal digits."""

    algorithm: str
    value: str

    def is_of(self, payload: bytes | None) -> bool:
        """Say whether it is the sha256 of a payload."""
        return self == LoggedHash(algorithm="sha256", value=hashlib.sha256(payload or b"").hexdigest())


class _Hashed(Said):
    hash: LoggedHash


class _PublicKey(Said):
    content: Base64


class _FileSignature(Said):
    content: Base64
    public_key: _PublicKey


class HashedRekord(Said):
    """The signature of a file (hashedrekord 0.0.1)."""

    data: _Hashed
    signature: _FileSignature

    def holds(self, made: Made) -> Objections:
        """Hold it against a signature."""
        name = made.material.hash_name
        return {
            "another file": self.data.hash == LoggedHash(algorithm=name, value=made.hashed[name].hex()),
            "another signature": made.signature == self.signature.content,
            "another signer": made.by(self.signature.public_key.content),
        }


class _Raw(Said):
    raw_bytes: Base64


class _Verifier(Said):
    key_details: str
    public_key: _Raw | None = None
    x509_certificate: _Raw | None = None

    def is_of(self, made: Made) -> bool:
        """Say whether it is who has signed, and nobody else besides: the very certificate, or a key alone."""
        if made.certificate is None:
            given, same = "public_key", self.public_key and made.material.same_der(self.public_key.raw_bytes)
        else:
            certificate = self.x509_certificate
            given, same = "x509_certificate", certificate and certificate.raw_bytes == made.certificate[1]
        return self.model_fields_set == {"key_details", given} and bool(same)


class _DigestOfData(Said):
    algorithm: str
    digest: Base64


class _VerifiedSignature(Said):
    content: Base64
    verifier: _Verifier


class _HashedRekord2(Said):
    data: _DigestOfData
    signature: _VerifiedSignature


class HashedRekord2(Said):
    """The signature of a file, or of an envelope (hashedrekord 0.0.2); there is the one variant."""

    model_config = ConfigDict(extra="forbid")

    record: _HashedRekord2 = Field(alias="hashedRekordV002")

    def holds(self, made: Made) -> Objections:
        """Hold it against a signature."""
        name, data, signed = made.material.hash_name, self.record.data, self.record.signature
        return {
            "another file": (data.algorithm, data.digest) == (NAMES[name].value, made.hashed[name]),
            "another signature": made.signature == signed.content,
            "another signer": signed.verifier.is_of(made)
            and signed.verifier.key_details == made.material.details.value,
        }


class _DsseSignature(Said):
    signature: Base64
    verifier: Base64


class LoggedDsse(Said):
    """The one signature of an envelope, by the digest of its payload (dsse 0.0.1)."""

    payload_hash: LoggedHash
    signatures: Annotated[list[_DsseSignature], Field(min_length=1, max_length=1)]

    def holds(self, made: Made) -> Objections:
        """Hold it against a signature."""
        (signature,) = self.signatures
        return {
            "another statement": self.payload_hash.is_of(made.payload),
            "another signature": made.signature == signature.signature,
            "another signer": made.by(signature.verifier),
        }


class _IntotoSignature(Said):
    sig: TwiceBase64
    public_key: Base64


class _IntotoEnvelope(Said):
    payload_type: str
    payload: TwiceBase64 | None = None
    signatures: Annotated[list[_IntotoSignature], Field(min_length=1, max_length=1)]


class _IntotoContent(Said):
    envelope: _IntotoEnvelope
    payload_hash: LoggedHash


class LoggedIntoto(Said):
    """An envelope as Rekor kept it before 2023, often without its payload (intoto 0.0.2): its parts in base64 twice."""

    content: _IntotoContent

    def holds(self, made: Made) -> Objections:
        """Hold it against a signature."""
        envelope = self.content.envelope
        (signature,) = envelope.signatures
        return {
            "another statement": self.content.payload_hash.is_of(made.payload)
            and envelope.payload in {None, made.payload},
            "another type of statement": envelope.payload_type == made.payload_type,
            "another signature": made.signature == signature.sig,
            "another signer": made.by(signature.public_key),
        }


Form = type[HashedRekord] | type[HashedRekord2] | type[LoggedDsse] | type[LoggedIntoto]
FORMS: Mapping[tuple[str, bool], Form] = {
    ("hashedrekord 0.0.1", True): HashedRekord,
    ("hashedrekord 0.0.2", True): HashedRekord2,
    ("hashedrekord 0.0.2", False): HashedRekord2,
    ("dsse 0.0.1", False): LoggedDsse,
    ("intoto 0.0.2", False): LoggedIntoto,
}
"""What is read of an entry, by its kind and version, and whether it is of a file."""
