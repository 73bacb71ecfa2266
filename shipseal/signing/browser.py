"""Let a person log in by a browser, once, and sign with the token that comes of it.

The flow is sigstore-python's (OAuth 2.0 with PKCE, RFC 7636, to a port of loopback), with a bound on the time that it
may take: somebody may close the window. Whether the person wants that is asked by the caller, before.
"""

import threading
import time
import webbrowser
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio.to_thread

from shipseal.errors import ConfigError, RemoteFailed, UsageError
from shipseal.signing.identity import body
from shipseal.signing.services import SigningConfig

PUBLIC_ISSUER = "https://oauth2.sigstore.dev/auth"
"""Who vouches for people to the public Sigstore."""

_CLIENT = "sigstore"
_PATIENCE = 300  # seconds for a person to log in
_LEFT = 15  # seconds that a token must still be good for
_TICK = 0.05


@dataclass
class Browser:
    """A person who has agreed to log in by a browser.

    Args:
        issuer: where they log in.
        patience: how long is waited for them, in seconds.
    """

    issuer: str
    patience: float = _PATIENCE
    _token: str = ""
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def token(self) -> str:
        """Return a token, of the one login as long as that is good.

        Raises:
            UsageError: there is no browser, or nobody has logged in.
            RemoteFailed: the issuer refused, or did not answer as it should.
        """
        async with self._lock:
            if not _good(self._token):
                stop = threading.Event()
                try:
                    self._token = await anyio.to_thread.run_sync(self._log_in, stop, abandon_on_cancel=True)
                finally:
                    stop.set()  # a window that nobody waits for any more must not keep this process
            return self._token

    def _log_in(self, stop: threading.Event) -> str:
        from sigstore.oidc import Issuer  # noqa: PLC0415 - slow, and few releases log anybody in

        try:
            there = Issuer(self.issuer)
            with closing(there.session):
                return _redeem(there, *_answer(there, time.monotonic() + self.patience, stop))
        except (UsageError, RemoteFailed):
            raise
        except Exception as error:  # the library raises plain exceptions for whatever an issuer answers
            raise RemoteFailed(
                f"{self.issuer} has let nobody log in",
                why=f"{type(error).__name__}: {str(error) or error.__cause__}".splitlines()[:1],
                remedy="see whether it is up, and run this again",
            ) from error


def _answer(issuer: Any, end: float, stop: threading.Event) -> tuple[Any, dict[str, str]]:
    """Open the window, and wait for the answer that it brings to loopback; return who has asked, and the answer."""
    from sigstore._internal.oidc.oauth import _OAuthFlow  # noqa: PLC0415 - as above

    flow = _OAuthFlow(_CLIENT, "", issuer)
    with closing(_Listening(flow)), flow as server:
        if not webbrowser.open(server.base_uri):
            raise UsageError(
                "no browser could be opened to log in by",
                remedy="name one in BROWSER, or put an OpenID Connect token into SIGSTORE_ID_TOKEN",
            )
        while server.auth_response is None:
            if stop.is_set() or time.monotonic() > end:
                raise UsageError(
                    "nobody has logged in", remedy="run this again, and log in by the window that it opens"
                )
            time.sleep(_TICK)
        return server, {name: values[0] for name, values in server.auth_response.items()}


def _redeem(issuer: Any, server: Any, answer: dict[str, str]) -> str:
    """Give the code in an answer back for a token."""
    from sigstore.oidc import IdentityToken  # noqa: PLC0415 - as above

    if answer.get("state") != server.oauth_session.state or "code" not in answer:
        raise RemoteFailed("the answer to the login is not one to this login", why=answer.get("error", "")[:100])
    verifier = server.oauth_session.code_verifier
    data = {"grant_type": "authorization_code", "redirect_uri": server.redirect_uri, "code_verifier": verifier}
    given = issuer.session.post(
        issuer.oidc_config.token_endpoint, data={**data, "code": answer["code"]}, auth=(_CLIENT, ""), timeout=30
    )
    given.raise_for_status()
    # As sigstore-python does: the issuers of Sigstore give the identity as the access token too.
    return str(IdentityToken(given.json()["access_token"], _CLIENT))


class _Listening:
    """The port that the library listens at, and leaves open."""

    def __init__(self, flow: Any) -> None:
        self._flow = flow

    def close(self) -> None:
        """Close it, once nobody answers there any more."""
        self._flow._server.server_close()


def _good(token: str) -> bool:
    """Say whether a token can still be used; who it is of is not judged here."""
    with suppress(UsageError, KeyError, TypeError):
        return bool(body(token)["exp"] > time.time() + _LEFT)
    return False


def issuer_of(signing_config: Path | None) -> str:
    """Return where people log in: what a signing configuration names first, or the public Sigstore's."""
    if signing_config is None:
        return PUBLIC_ISSUER
    try:
        return SigningConfig.load(signing_config).oidc_urls[0].url
    except (OSError, ValueError, IndexError) as error:
        raise ConfigError(
            f"{signing_config} names nobody by whom people log in",
            why=f"{type(error).__name__}: {error}",
            remedy="put an OpenID Connect token into SIGSTORE_ID_TOKEN, or correct sign.signing-config",
        ) from error
