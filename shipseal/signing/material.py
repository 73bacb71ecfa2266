"""Hold a public key as verification needs it: which hash goes with it, and how a transparency log names it. Pure.

Source: Sigstore's algorithm registry (architecture-docs, algorithm-registry.md): one hash for each kind of key, and no
choice of another.
"""

from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)
from cryptography.x509 import Certificate, load_pem_x509_certificate
from sigstore_models.common.v1 import HashAlgorithm, PublicKeyDetails

from shipseal.digest import Digest
from shipseal.errors import VerificationFailed

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey

_CURVES: dict[str, tuple[hashes.HashAlgorithm, PublicKeyDetails]] = {
    "secp256r1": (hashes.SHA256(), PublicKeyDetails.PKIX_ECDSA_P256_SHA_256),
    "secp384r1": (hashes.SHA384(), PublicKeyDetails.PKIX_ECDSA_P384_SHA_384),
    "secp521r1": (hashes.SHA512(), PublicKeyDetails.PKIX_ECDSA_P521_SHA_512),
}
_RSA = {
    2048: PublicKeyDetails.PKIX_RSA_PKCS1V15_2048_SHA256,
    3072: PublicKeyDetails.PKIX_RSA_PKCS1V15_3072_SHA256,
    4096: PublicKeyDetails.PKIX_RSA_PKCS1V15_4096_SHA256,
}
NAMES: dict[str, HashAlgorithm] = {
    "sha256": HashAlgorithm.SHA2_256,
    "sha384": HashAlgorithm.SHA2_384,
    "sha512": HashAlgorithm.SHA2_512,
}


@dataclass(frozen=True)
class Material:
    """A public key that somebody signs with.

    Args:
        key: the key.
        hash: what is hashed before it is signed; None for Ed25519, which signs what it is given.
        details: the name of both in Sigstore's formats.
    """

    key: PublicKey
    hash: hashes.HashAlgorithm | None
    details: PublicKeyDetails

    @classmethod
    def of(cls, key: object) -> Self:
        """Take a key; raise `VerificationFailed` for one of a kind that Sigstore does not sign with."""
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
            return cls(key, *_CURVES[key.curve.name])
        if isinstance(key, rsa.RSAPublicKey) and key.key_size in _RSA:
            return cls(key, hashes.SHA256(), _RSA[key.key_size])
        if isinstance(key, ed25519.Ed25519PublicKey):
            return cls(key, None, PublicKeyDetails.PKIX_ED25519)
        raise VerificationFailed(
            f"{type(key).__name__} is not a kind of key that Sigstore signs with",
            remedy="use ECDSA on P-256, P-384 or P-521, RSA of 2048, 3072 or 4096 bits, or Ed25519",
        )

    @classmethod
    def of_pem(cls, data: bytes) -> Self:
        """Read a public key; raise `VerificationFailed` when it is none."""
        try:
            return cls.of(load_pem_public_key(data))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise VerificationFailed(
                "the key is not a valid public key in PEM", why=str(error).splitlines()[:1]
            ) from error

    @classmethod
    def of_certificate(cls, certificate: Certificate) -> Self:
        """Take the key of a certificate."""
        return cls.of(certificate.public_key())

    @property
    def der(self) -> bytes:
        """The key alone, as SubjectPublicKeyInfo (RFC 5280, section 4.1)."""
        return self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def pem(self) -> bytes:
        """The same in PEM."""
        return self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def digest(self) -> Digest:
        """What the key is called by: the sha256 of its DER, which Cosign writes into bundles as a hint."""
        return Digest.of(self.der)

    @property
    def hash_name(self) -> str:
        """The hash that goes with the key, as digests name it; raise `VerificationFailed` where there is none."""
        if self.hash is None:
            raise VerificationFailed(
                "an Ed25519 key signs what it is given, and not a digest of it",
                remedy="sign a statement with this key, or the file with an ECDSA key",
            )
        return self.hash.name

    def verify(self, signature: bytes, signed: bytes) -> None:
        """Raise `VerificationFailed` unless the key has signed these bytes."""
        try:
            if isinstance(self.key, ed25519.Ed25519PublicKey):
                self.key.verify(signature, signed)
                return
            digest = hashes.Hash(self._hash)
            digest.update(signed)
            self._prehashed(signature, digest.finalize())
        except InvalidSignature as error:
            raise VerificationFailed("the key has not signed this") from error

    def verify_digest(self, signature: bytes, digest: bytes) -> None:
        """Raise `VerificationFailed` unless the key has signed what has this digest, by the hash of `hash_name`."""
        if self.hash_name and len(digest) != self._hash.digest_size:
            raise VerificationFailed(f"a digest of {len(digest)} bytes is not one of {self.hash_name}")
        try:
            self._prehashed(signature, digest)
        except InvalidSignature as error:
            raise VerificationFailed("the key has not signed what has this digest") from error

    def same(self, pem: bytes) -> bool:
        """Say whether a PEM, of a key or of a certificate, is of this key; of a certificate, only its key is read."""
        try:
            if b"-----BEGIN CERTIFICATE-----" in pem:
                return self.der == Material.of_certificate(load_pem_x509_certificate(pem)).der
            return self.der == Material.of_pem(pem).der
        except (ValueError, UnsupportedAlgorithm, VerificationFailed):
            return False

    def same_der(self, der: bytes) -> bool:
        """Say whether a SubjectPublicKeyInfo is of this key."""
        try:
            return self.der == Material.of(load_der_public_key(der)).der
        except (ValueError, UnsupportedAlgorithm, VerificationFailed):
            return False

    @property
    def _hash(self) -> hashes.HashAlgorithm:
        assert self.hash is not None  # callers have asked
        return self.hash

    def _prehashed(self, signature: bytes, digest: bytes) -> None:
        if isinstance(self.key, rsa.RSAPublicKey):
            self.key.verify(signature, digest, padding.PKCS1v15(), utils.Prehashed(self._hash))
        else:
            assert isinstance(self.key, ec.EllipticCurvePublicKey)  # an Ed25519 key has no hash
            self.key.verify(signature, digest, ec.ECDSA(utils.Prehashed(self._hash)))
