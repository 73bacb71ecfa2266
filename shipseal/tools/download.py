"""Ask a server for a file: by HTTP and nothing else, with the proxy and certificates that this machine is set to."""

import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from types import MappingProxyType
from typing import Any, cast
from urllib.error import HTTPError

from shipseal.address import Address, without_secrets

FAILURES = (OSError, ValueError, HTTPException)
"""What asking raises; `failure_text` says it in words."""

_SECONDS = 60
_LOGIN = "Authorization"


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow what leads to places that nobody between can answer for."""

    def redirect_request(self, req: Any, fp: Any, *more: Any) -> Any:
        try:
            Address.parse(more[-1]).require_private()
        except ValueError:
            fp.close()
            raise
        return super().redirect_request(req, fp, *more)


@contextmanager
def answer(
    address: Address, *, private: bool = False, headers: Mapping[str, str] = MappingProxyType({})
) -> Iterator[HTTPResponse]:
    """Give the answer to a GET; raise one of `FAILURES`.

    Args:
        address: its login goes to its own server, and not along a redirect.
        private: refuse what others could read or answer: anything but https, loopback excepted; redirects, too.
        headers: sent along; a login among them to its own server alone.
    """
    if private:
        address.require_private()
    opener = urllib.request.OpenerDirector()  # the usual one would follow a redirect to ftp as well
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        _Redirects() if private else urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    request = urllib.request.Request(address.url)  # noqa: S310 - an `Address` is of http or https
    for name, value in headers.items():
        if name != _LOGIN:
            request.add_header(name, value)
    for name, value in {**address.headers, **headers}.items():
        if name == _LOGIN:
            request.add_unredirected_header(name, value)
    with opener.open(request, timeout=_SECONDS) as found:
        yield cast(HTTPResponse, found)


def failure_text(failure: Exception) -> str:
    """Return a failure in at most 200 characters, without secrets."""
    if isinstance(failure, HTTPError):
        failure.close()  # it holds the connection
    return (without_secrets(str(failure)).strip() or type(failure).__name__)[:200]
