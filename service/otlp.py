"""Write spans as OTLP in its JSON form.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding; the names of attributes are the stable ones of
https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span.
"""

from __future__ import annotations

import json
from urllib.parse import quote

from service import __version__
from service.answer import to_json
from service.board import ROUTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAME = "simpletimeservice"
READ = json.JSONDecoder().decode  # of text: with bytes, the image would hold codecs for what they might be
SERVER, ERROR = 2, 2  # SpanKind and StatusCode
LOCAL_ROOT, REMOTE_PARENT = 0x101, 0x301  # SpanFlags: sampled, and what is known of the parent
KNOWN = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
SAFE = "/!$&'()*+,;=:@~"  # RFC 3986 section 3.3
# In one string: those that begin like a module's name would be taken for one, and the image would hold it.
ATTRIBUTES = (  # noqa: SIM905
    "http.request.method http.request.method_original http.response.status_code http.route url.scheme url.path "
    "url.query client.address network.peer.address error.type server.address server.port"
).split()
PATHS = frozenset(ROUTES) - {"other"}


class Encoder:
    """Writes requests to a receiver; what they say of this instance is prepared."""

    def __init__(self, name: str, attributes: Mapping[str, str]) -> None:
        told = {"service.name": NAME, "service.version": __version__, **attributes}
        resource = {"attributes": _attributes({**told, "service.name": name or told["service.name"]})}
        scope = {"name": "service", "version": __version__}
        self._head = b'{"resourceSpans":[{"resource":%b,"scopeSpans":[{"scope":%b,"spans":[' % (
            to_json(resource),
            to_json(scope),
        )

    def encode(self, lines: Iterable[bytes]) -> bytes:
        """Return an ExportTraceServiceRequest with the spans that workers wrote, a line for each."""
        return b"%b%b]}]}]}" % (self._head, b",".join(to_json(_span(line)) for line in lines))


def _span(line: bytes) -> dict[str, object]:
    trace, span, parent, start, end, status, peer, client, method, path, query, host = READ(line.decode("ascii"))
    known = method in KNOWN
    route = path if path in PATHS and status != 404 else ""
    values: tuple[str | int, ...] = (
        *(method if known else "_OTHER", "" if known else method, status, route),
        *("http", quote(path, SAFE, "latin-1"), query, client, peer, str(status) if status >= 500 else ""),
        *_server(host),
    )
    return {
        "traceId": trace,
        "spanId": span,
        **({"parentSpanId": parent, "flags": REMOTE_PARENT} if parent else {"flags": LOCAL_ROOT}),
        "name": f"{method if known else 'HTTP'} {route}".rstrip(),
        "kind": SERVER,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(end),
        "attributes": _attributes(dict(zip(ATTRIBUTES, values, strict=True))),
        "status": {"code": ERROR} if status >= 500 else {},
    }


def _server(host: str) -> tuple[str, str | int]:
    """Return the address and the port that a client named."""
    name, colon, port = host.rpartition(":")
    return (name, int(port)) if colon and port.isdecimal() and len(port) < 6 else (host, "")


def _attributes(values: Mapping[str, str | int]) -> list[dict[str, object]]:
    """Return those that say something."""
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in values.items()
        if value != ""
    ]
