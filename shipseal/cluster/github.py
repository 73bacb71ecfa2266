"""Get from GitHub the identity token of the job that this runs in, for whom a role of AWS trusts.

Source: docs.github.com, "OpenID Connect reference", "Methods for requesting the OIDC token". AWS asks for the audience
`sts.amazonaws.com` in the role's trust policy.
"""

from collections.abc import Mapping
from urllib.parse import quote

import httpx

from shipseal.address import Address
from shipseal.errors import RemoteFailed

URL, PASSWORD = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
BOTH = frozenset({URL, PASSWORD})
AUDIENCE = "sts.amazonaws.com"
_LARGEST = 64 << 10  # bytes
_REMEDY = "allow the job `id-token: write`"


def token(environment: Mapping[str, str]) -> str:
    """Return a token for AWS, or nothing where this is no job of GitHub that may have one.

    Raises:
        RemoteFailed: GitHub gives none, or says something that is no token.
    """
    url, password = (environment.get(name, "") for name in (URL, PASSWORD))
    if not url or not password:
        return ""
    try:
        Address.parse(url).require_private()
        asked = f"{url}{'&' if '?' in url else '?'}audience={quote(AUDIENCE)}"
        with httpx.stream("GET", asked, headers={"Authorization": f"bearer {password}"}, timeout=20) as answer:
            said = b""
            for part in answer.iter_bytes():
                said += part
                if len(said) > _LARGEST:
                    raise ValueError("its answer is too large")
        if answer.status_code != httpx.codes.OK:
            raise ValueError(f"it answered {answer.status_code}")
        found = httpx.Response(200, content=said).json()["value"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        # Not `from error`: what it says may hold the address, and that the password.
        why = str(error) if type(error) is ValueError else type(error).__name__
        raise RemoteFailed("GitHub gave no identity token for AWS", why=why, remedy=_REMEDY) from None
    if not isinstance(found, str) or not found.isascii() or not found.isprintable():
        raise RemoteFailed("GitHub gave no identity token for AWS", why="what it gave is none", remedy=_REMEDY)
    return found
