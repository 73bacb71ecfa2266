"""Read the addresses that people give, and tell addresses without what nobody else may know. Pure."""

import base64
import ipaddress
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

_PRINTABLE = re.compile(r"[!-~]+")
# A password may hold what should have been escaped: all before the last @ is taken for one.
_ADDRESS = re.compile(r"\b([a-z][a-z0-9+.-]*://)([^\s'\"<>]*@)?([^\s'\"<>?#]*)([?#][^\s'\"<>]*)?", re.IGNORECASE)


def without_secrets(text: str) -> str:
    """Return a text in which no address has a user, a password, a query or a fragment."""
    return _ADDRESS.sub(lambda found: f"{found[1]}{found[3]}{'?…' if found[4] else ''}", text)


@dataclass(frozen=True)
class Address:
    """A place that is reached by HTTP (RFC 3986): `url` has no login in it, `login` is its user and password."""

    url: str
    login: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address; raise `ValueError`, which tells no secret, for one that HTTP does not reach."""
        try:
            parts = urlsplit(text)
            right = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            right = False
        if not right or not _PRINTABLE.fullmatch(text):
            raise ValueError(f"not an address of http or https: {without_secrets(text)!r}")
        login, _, host = parts.netloc.rpartition("@")
        return cls(parts._replace(netloc=host).geturl(), unquote(login))

    def require_private(self) -> None:
        """Raise `ValueError` for a place that is reached without TLS; loopback needs none."""
        parts = urlsplit(self.url)
        if parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
            raise ValueError(f"not an address of https: {without_secrets(self.url)}")

    @property
    def headers(self) -> dict[str, str]:
        """The header that logs in (RFC 7617), where the address has a login."""
        if not self.login:
            return {}
        login = self.login if ":" in self.login else f"{self.login}:"
        return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
