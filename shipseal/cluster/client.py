"""Make a client of HTTP for one API server: it trusts whom an access names, and sees no setting but the proxy's."""

import urllib.request
from urllib.parse import urlsplit

import httpx

from shipseal.address import without_secrets
from shipseal.cluster import tls
from shipseal.cluster.access import Access
from shipseal.errors import ConfigError
from shipseal.terminal_text import line
from shipseal.tools.loopback import is_loopback

ANSWER = 30
"""Seconds for one answer: an admission webhook has 30, an API server 60."""

_CONNECT = 10  # seconds for a connection


def client(access: Access) -> httpx.AsyncClient:
    """Return a client that trusts and says what an access says, and follows no redirect.

    Raises:
        ConfigError: what the access holds is no certificate, no key or no address.
    """
    verify = tls.context(access)
    try:
        httpx.URL(access.server).host  # noqa: B018 - it says here whether it is one
        return httpx.AsyncClient(
            verify=verify,
            trust_env=False,
            follow_redirects=False,
            proxy=access.proxy or _proxy(access.server),
            timeout=httpx.Timeout(ANSWER, connect=_CONNECT, pool=None),
        )
    except (httpx.InvalidURL, ValueError) as error:
        raise ConfigError(
            f"the address of {access.context} is none, or that of the proxy on the way",
            why=without_secrets(line(str(error)))[:300],
            remedy="correct it in the kubeconfig, or in HTTPS_PROXY",
        ) from error


def _proxy(server: str) -> str | None:
    """Return the proxy that the environment names for an address, by the rules that other programs go by."""
    parts = urlsplit(server)
    host = parts.hostname or ""
    if is_loopback(f"[{host}]" if ":" in host else host) or urllib.request.proxy_bypass(parts.netloc):
        return None
    return urllib.request.getproxies().get(parts.scheme)
