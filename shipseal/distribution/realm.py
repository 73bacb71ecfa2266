"""Know where a registry sends its clients for a token, before any of them has a login to take there.

A registry names the place in its first answer (OCI distribution 1.1 leaves it to Docker's "Token Authentication
Specification"), and a client takes the password there. ORAS does so unless that would be by HTTP, or to an address in a
private network. Most registries name themselves; which names another host has to be known for it, or allowed to.
"""

import re
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import urlsplit

from shipseal.distribution.credentials import DIRECTORY, Login
from shipseal.distribution.registry import Registry
from shipseal.errors import RemoteFailed

_KNOWN = {"docker.io": "auth.docker.io", "registry.gitlab.com": "gitlab.com"}
_CHALLENGE = re.compile(r'^ {3}"Www-Authenticate": "(.{0,2000})"$', re.IGNORECASE)
_REALM = re.compile(r'\bbearer\b.*?\brealm=\\?"([^"\\]*)', re.IGNORECASE)


async def require_own_realm(registry: Registry, login: Login, allowed: str = "") -> None:
    """Raise `RemoteFailed` where a login for a registry would be taken to another host that nobody has named.

    The registry is asked as nobody, and what it answers by the login is another answer: whoever runs it can send that
    elsewhere, as he can ask for the password itself. This is for what has come between, and for what was set up wrong.

    Args:
        registry: the registry, and how it is reached.
        login: what there is for it; without one nothing is asked.
        allowed: the host, with a port where it has one, that may be asked for tokens besides the registry's own.
    """
    if not login.may_know(registry.host):
        return
    own = {registry.host.lower(), _KNOWN.get(registry.host.lower(), ""), allowed.lower()} - {""}
    for realm in await _realms(registry):
        if _host(realm) not in own:
            raise RemoteFailed(
                f"{registry.host} would have its login taken to another host",
                why=f"it asks for a token of {realm}"[:300],
                remedy="if that is where it gives its tokens, name the host as realm of [registry], or with --realm",
            )


async def _realms(registry: Registry) -> set[str]:
    """Return where a registry sends those who have no login."""
    with tempfile.TemporaryDirectory(prefix="nobody-") as directory:
        nobody = replace(registry, environment={DIRECTORY: directory})
        trace = await nobody.trace("repo", "tags", f"{registry.host}/{registry.repository}")
    return set(realms(trace.splitlines()))


def realms(trace: Iterable[str]) -> Iterable[str]:
    """Yield where the answers in ORAS's `--debug` send a client for a token."""
    for line in trace:
        if challenge := _CHALLENGE.match(line):
            yield from _REALM.findall(challenge[1])


def _host(url: str) -> str:
    """Return the host of a URL, with the port where it has one that is not the scheme's own; nothing of no URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    return (parts.hostname or "") + (f":{port}" if port and port != usual else "")
