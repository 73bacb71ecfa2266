"""Issue the identity tokens of a dry run, and recognise them again.

Tokens are handed out inside this process only. Another process that finds the authority's port has no token that the
authority accepts, so it gets no certificate.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import jwt

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
        times = {"iat": now, "nbf": now, "exp": now + LIFETIME}
        return self._key.token({**claims, "iss": issuer or ISSUER, "sub": subject, "aud": AUDIENCE, **times})

    def check(self, token: str) -> dict[str, Any]:
        """Return the claims of a token; raise `TokenRefused` unless this issuer signed it and it is valid now."""
        try:
            return jwt.decode(
                token, self._key.public, ["ES256"], {"require": ["exp", "nbf", "sub", "iss"]}, audience=AUDIENCE
            )
        except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError) as failure:
            raise TokenRefused("the token is not valid at this time") from failure
        except (jwt.InvalidTokenError, ValueError) as failure:  # plain for what is no text in UTF-8
            raise TokenRefused("the token was not signed by this local issuer") from failure
