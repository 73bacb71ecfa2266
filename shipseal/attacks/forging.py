"""Sign statements as others could: the run's own signer, a stranger at the same authority, an authority of nobody.

The keys of the authority that signed the run are gone, so another one is started. It is put beside the first into the
trust root of the copies: whoever signs there may sign for somebody, as everybody may at the public Sigstore.
"""

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from sigstore.dsse import Statement
from sigstore.models import ClientTrustConfig
from sigstore.oidc import IdentityToken
from sigstore.sign import SigningContext

from shipseal.attacks.pointers import at, put
from shipseal.canonical import canonical
from shipseal.engine.world import loopback_sigstore
from shipseal.statements.builders import SignerIdentity

STRANGER = "https://dry-run.invalid/somebody-else"
OTHER_ISSUER = "https://another-issuer.invalid"
_CONFIG = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
_PARTS = ("tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities")


class SigningAuthority(Protocol):
    """An authority with its log, on loopback."""

    def token(self, subject: str, claims: Mapping[str, str], issuer: str = "") -> str:
        """Return an identity token for an identity, of an issuer."""

    def trusted_root(self) -> dict[str, Any]:
        """Return what a verifier has to trust."""

    def signing_config(self) -> dict[str, Any]:
        """Return where a signer finds it."""


@dataclass(frozen=True)
class Forge:
    """What can sign.

    Args:
        trusted: an authority that the copies trust.
        other: one that nobody trusts.
        owner: the run's own signer.
        claims: what the certificates of that one say.
    """

    trusted: SigningAuthority
    other: SigningAuthority
    owner: SignerIdentity
    claims: Mapping[str, str]
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def root(self, own: bytes) -> bytes:
        """Return the trust root of a run with the trusted authority beside the run's own."""
        document, more = json.loads(own), self.trusted.trusted_root()
        return json.dumps({**document, **{part: [*document.get(part, ()), *more[part]] for part in _PARTS}}).encode()

    def sign(
        self, statement: Mapping[str, Any], *, identity: str = "", issuer: str = "", by: SigningAuthority | None = None
    ) -> bytes:
        """Sign a statement, and return the bundle.

        Args:
            statement: what is signed, whatever it is.
            identity: who signs; the run's own signer if it is not said.
            issuer: who vouches for the identity, likewise.
            by: the authority that certifies; the trusted one if it is not said.
        """
        services = by or self.trusted
        claims = {name: value for name, value in self.claims.items() if value}
        token = services.token(identity or self.owner.identity, claims, issuer or self.owner.issuer)
        config = {
            "mediaType": _CONFIG,
            "trustedRoot": services.trusted_root(),
            "signingConfig": services.signing_config(),
        }
        context = SigningContext.from_trust_config(ClientTrustConfig.from_json(json.dumps(config)))
        with self._lock, context.signer(IdentityToken(token)) as signer:
            return signer.sign_dsse(Statement(canonical(dict(statement)))).to_json().encode()


@contextmanager
def forge(owner: SignerIdentity, claims: Mapping[str, str]) -> Iterator[Forge]:
    """Start both authorities on loopback, for as long as the block runs."""
    with loopback_sigstore() as trusted, loopback_sigstore() as other:
        yield Forge(trusted, other, owner, claims)


def said(bundle: bytes) -> dict[str, Any]:
    """Return the statement in a bundle, whoever has signed it."""
    return dict(json.loads(base64.b64decode(at(json.loads(bundle), "/dsseEnvelope/payload"))))


def with_payload(bundle: bytes, statement: Mapping[str, Any]) -> bytes:
    """Return a bundle with another statement in it, and the signature of the first."""
    document = json.loads(bundle)
    put(document, "/dsseEnvelope/payload", base64.b64encode(canonical(dict(statement))).decode())
    return json.dumps(document).encode()
