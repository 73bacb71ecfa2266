"""Issue the short-lived certificates of a dry run, as Fulcio does (its API version 2), for tokens of our own issuer.

Profile of the certificates: Fulcio, docs/certificate-specification.md. Object identifiers: Fulcio, docs/oid-info.md.
"""

import base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shipseal.local.sigstore.keys import LocalKey
from shipseal.local.sigstore.transparency import LocalCertificateLog, der
from shipseal.signing.identity import CERTIFICATE_CLAIMS

COMMON_NAME = "local sigstore stand-in, trusted by nobody"
ORGANIZATION = "dry-run.invalid"
ROOT_LIFETIME = timedelta(days=1)
LEAF_LIFETIME = timedelta(minutes=10)
_ALLOWED_SKEW = timedelta(seconds=5)

_FULCIO = "1.3.6.1.4.1.57264.1"
_UTF8_STRING = 0x0C


class LocalCertificateAuthority:
    """A root that signs leaves directly, each with a timestamp of a local certificate log inside."""

    def __init__(self, certificate_log: LocalCertificateLog, start: datetime) -> None:
        self._key = LocalKey()
        self._log = certificate_log
        self._ski = x509.SubjectKeyIdentifier.from_public_key(self._key.public)
        self.root = self._make_root(start)

    def _make_root(self, start: datetime) -> x509.Certificate:
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
                x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME),
            ]
        )
        return self._key.certify(
            x509.CertificateBuilder(name, name, self._key.public, x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + ROOT_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(self._ski, critical=False)
        )

    def answer(self, request: Mapping[str, Any], claims: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """Answer `POST /api/v2/signingCert`.

        Args:
            request: its body, in the shape that sigstore-python sends or in the one that Cosign sends.
            claims: of the caller's token, which has been checked.
            now: when the certificate begins.

        Raises:
            ValueError, KeyError: the request is malformed.
            InvalidSignature: the caller does not have the private key.
        """
        public_key = _proven_key(request, str(claims["sub"]))
        leaf = self._issue(public_key, claims, now)
        chain = [certificate.public_bytes(Encoding.PEM).decode() for certificate in (leaf, self.root)]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}

    def _issue(self, key: ec.EllipticCurvePublicKey, claims: Mapping[str, Any], now: datetime) -> x509.Certificate:
        builder = _with_claims(self._leaf(key, str(claims["sub"]), now), claims)
        # The log signs the very certificate that follows, less the extension that carries its signature.
        tbs = self._key.certify(builder).tbs_certificate_bytes
        return self._key.certify(builder.add_extension(self._log.extension(tbs, self._key.key_id, now), critical=False))

    def _leaf(self, key: ec.EllipticCurvePublicKey, subject: str, now: datetime) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder(self.root.subject, x509.Name([]), key, x509.random_serial_number())
            .not_valid_before(now - _ALLOWED_SKEW)
            .not_valid_after(now + LEAF_LIFETIME)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._ski), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(subject)]), critical=True)
        )


def _with_claims(builder: x509.CertificateBuilder, claims: Mapping[str, Any]) -> x509.CertificateBuilder:
    issuer = str(claims["iss"]).encode()
    values = {1: issuer, 8: der(_UTF8_STRING, issuer)}  # .1 is the old, raw form; both are expected
    values |= {
        number: der(_UTF8_STRING, str(claims[claim]).encode())
        for claim, number in CERTIFICATE_CLAIMS.items()
        if claim in claims
    }
    for number, value in values.items():
        oid = x509.ObjectIdentifier(f"{_FULCIO}.{number}")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
    return builder


def _proven_key(request: Mapping[str, Any], subject: str) -> ec.EllipticCurvePublicKey:
    """Return the caller's public key, once it is shown that the caller has the private one."""
    if "certificateSigningRequest" in request:  # sigstore-python
        csr = x509.load_pem_x509_csr(base64.b64decode(request["certificateSigningRequest"]))
        if not csr.is_signature_valid:
            raise ValueError("the certificate signing request is not signed by its own key")
        return _elliptic(csr.public_key())
    proof = request["publicKeyRequest"]  # Cosign
    key = _elliptic(load_pem_public_key(proof["publicKey"]["content"].encode()))
    key.verify(base64.b64decode(proof["proofOfPossession"]), subject.encode(), ec.ECDSA(hashes.SHA256()))
    return key


def _elliptic(key: object) -> ec.EllipticCurvePublicKey:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("only elliptic curve keys are certified here")
    return key


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
