"""Issue the identity tokens of a dry run, and recognise them again.

Tokens are handed out inside this process only. Another process that finds the authority's port has no token that the
authority accepts, so it gets no certificate.
"""

import base64
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from shipseal.local.sigstore.keys import LocalKey

# RFC 6761, section 6.4: nothing under .invalid can ever be anybody's.
ISSUER = "https://local-sigstore.invalid"
AUDIENCE = "sigstore"  # what Fulcio's clients ask for
LIFETIME = timedelta(minutes=30)


class TokenRefused(ValueError):
    """The token is not one of ours, or not of now."""


class LocalTokenIssuer:
    """Signs and checks JSON web tokens (RFC 7519) with ES256 (RFC 7518, section 3.4)."""

    def __init__(self) -> None:
        self._key = LocalKey()

    def issue(self, subject: str, claims: Mapping[str, str], now: datetime, issuer: str = "") -> str:
        """Return a token for an identity.

        Args:
            subject: the URI that the certificate will name.
            claims: what else the certificate will say, under the names of `identity.CERTIFICATE_CLAIMS`.
            now: the time of issue; the token is good for half an hour.
            issuer: who vouches for the identity, by what the token says; this one if it is not said.
        """
        body = {
            **claims,
            "iss": issuer or ISSUER,
            "sub": subject,
            "aud": AUDIENCE,
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": int((now + LIFETIME).timestamp()),
        }
        signed = f"{_encode_json({'alg': 'ES256', 'typ': 'JWT'})}.{_encode_json(body)}"
        r, s = decode_dss_signature(self._key.sign(signed.encode()))
        return f"{signed}.{_encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def check(self, token: str, now: datetime) -> dict[str, Any]:
        """Return the claims of a token; raise `TokenRefused` unless this issuer signed it and it is valid now."""
        signed, _, signature = token.rpartition(".")
        try:
            raw = _decode(signature)
            der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
            self._key.public.verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))
            claims = json.loads(_decode(signed.partition(".")[2]))
        except (InvalidSignature, ValueError) as failure:
            raise TokenRefused("the token was not signed by this local issuer") from failure
        if not claims["nbf"] <= now.timestamp() < claims["exp"]:
            raise TokenRefused("the token is not valid at this time")
        return dict(claims)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _encode_json(value: object) -> str:
    return _encode(json.dumps(value, separators=(",", ":")).encode())


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
