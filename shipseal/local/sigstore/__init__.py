"""Stand in for Sigstore in a dry run: certificate authority, certificate log, transparency log and token issuer.

Cosign and sigstore-python speak to it as they speak to the public services, and both verify what it signed, given its
own `trusted_root.json`. It is worth nothing to anybody else: it listens on loopback only and for as long as one stage
signs, its keys are in memory and die with it, and the names that it certifies are under `.invalid`.
"""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from shipseal.local.sigstore.authority import COMMON_NAME, ORGANIZATION, LocalCertificateAuthority
from shipseal.local.sigstore.keys import LocalKey
from shipseal.local.sigstore.log import LocalTransparencyLog
from shipseal.local.sigstore.server import Response, serve
from shipseal.local.sigstore.tokens import ISSUER, LocalTokenIssuer, TokenRefused
from shipseal.local.sigstore.transparency import LocalCertificateLog

__all__ = ["ISSUER", "LocalSigstore", "local_sigstore"]

_TRUSTED_ROOT = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
_SIGNING_CONFIG = "application/vnd.dev.sigstore.signingconfig.v0.2+json"


class LocalSigstore:
    """The four services, before or while they are reachable at `url`."""

    def __init__(self) -> None:
        # A minute back, so that a verifier whose clock is rounded differently does not find a root from the future.
        self._start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
        self._tokens = LocalTokenIssuer()
        self._certificates = LocalCertificateLog()
        self._authority = LocalCertificateAuthority(self._certificates, self._start)
        self._entries = LocalTransparencyLog()
        self.url = ""

    @property
    def routes(self) -> Mapping[str, Any]:
        """Return what is answered, by path."""
        return {"/api/v2/signingCert": self._signing_certificate, "/api/v1/log/entries": self._log_entry}

    def token(self, subject: str, claims: Mapping[str, str], issuer: str = "") -> str:
        """Return an identity token for a signing client; see `tokens.LocalTokenIssuer.issue`."""
        return self._tokens.issue(subject, claims, datetime.now(UTC), issuer)

    def _signing_certificate(self, request: dict[str, Any], token: str) -> Response:
        try:
            claims = self._tokens.check(token)
        except TokenRefused as refusal:
            return Response(401, {"code": 401, "message": str(refusal)})
        return Response(200, self._authority.answer(request, claims, datetime.now(UTC).replace(microsecond=0)))

    def _log_entry(self, request: dict[str, Any], _: str) -> Response:
        identifier, entry = self._entries.append(request, datetime.now(UTC))
        return Response(201, {identifier: entry}, {"ETag": identifier, "Location": f"/api/v1/log/entries/{identifier}"})

    def trusted_root(self) -> dict[str, Any]:
        """Return what a verifier has to trust (sigstore protobuf-specs, `TrustedRoot`)."""
        certificate = base64.b64encode(self._authority.root.public_bytes(Encoding.DER)).decode()
        return {
            "mediaType": _TRUSTED_ROOT,
            "tlogs": [self._log_key(self._entries.key)],
            "ctlogs": [self._log_key(self._certificates.key)],
            "timestampAuthorities": [],  # the log's signed time serves
            "certificateAuthorities": [
                {
                    "subject": {"organization": ORGANIZATION, "commonName": COMMON_NAME},
                    "uri": ISSUER,
                    "validFor": self._valid_for(),
                    "certChain": {"certificates": [{"rawBytes": certificate}]},
                }
            ],
        }

    def signing_config(self) -> dict[str, Any]:
        """Return where a signer finds the services (sigstore protobuf-specs, `SigningConfig`)."""
        service = [{"url": self.url, "majorApiVersion": 1, "validFor": self._valid_for(), "operator": ORGANIZATION}]
        return {
            "mediaType": _SIGNING_CONFIG,
            "caUrls": service,
            "oidcUrls": service,
            "rekorTlogUrls": service,
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaUrls": [],
            "tsaConfig": {"selector": "ANY"},
        }

    def _valid_for(self) -> dict[str, str]:
        return {"start": self._start.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def _log_key(self, key: LocalKey) -> dict[str, Any]:
        return {
            "baseUrl": ISSUER,
            "hashAlgorithm": "SHA2_256",
            "logId": {"keyId": base64.b64encode(key.key_id).decode()},
            "publicKey": {
                "rawBytes": base64.b64encode(key.spki).decode(),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": self._valid_for(),
            },
        }


@contextmanager
def local_sigstore() -> Iterator[LocalSigstore]:
    """Run a local Sigstore, with keys of its own, on a free loopback port for as long as the block runs."""
    services = LocalSigstore()
    with serve(services.routes) as services.url:
        yield services
