"""Answer each route. Handlers are pure: a request in, an answer out; they never block."""

from __future__ import annotations

from functools import lru_cache

from service import __version__
from service.accept import prefers_text
from service.answer import TEXT, Answer, problem, to_json
from service.client_ip import Choice, canonical, choose
from service.clock import Clock
from service.openapi import DOCUMENT
from service.zones import UnknownZoneError, local_time, zone_asked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from service.settings import Settings

ALLOW = b"Allow: GET, HEAD, OPTIONS\r\n"
NO_CONTENT = Answer(204, b"", b"", ALLOW)
NOT_FOUND = problem(404, "There is nothing here.")
NOT_ALLOWED = problem(405, "Use GET, HEAD or OPTIONS.", ALLOW)
OK = Answer(200, b'{"status":"ok"}')
DRAINING = Answer(503, b'{"status":"draining"}')
NO_HEADERS: Mapping[str, str] = {}
LOCAL = "127.0.0.1"  # for a peer without an address, which is at the other end of a Unix socket: on this machine
LONGEST = 256  # of what a client wrote and is remembered


class Request:
    """What handlers see of a request; header names are written as in WSGI, without HTTP_."""

    __slots__ = ("client", "headers", "method", "path", "peer", "query")

    def __init__(self, method: str, path: str, query: str, peer: str, headers: Mapping[str, str] = NO_HEADERS) -> None:
        self.method, self.path, self.query, self.headers = method, path, query, headers
        self.peer = self.client = peer


class Handlers:
    """The routes, with what they need to know of the settings and of the process's state."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.ready = True
        self._settings = settings
        self._clock = clock
        self._choose = lru_cache(maxsize=512)(self._choose_anew)
        version = {"version": __version__, "revision": settings.revision, "image": settings.image_digest}
        self._version = Answer(200, to_json(version))
        self._openapi = Answer(200, DOCUMENT)
        self.routes: dict[str, Callable[[Request], Answer]] = {
            "/": self._root,
            "/health": self._alive,
            "/livez": self._alive,
            "/readyz": self._ready,
            "/startupz": self._alive,
            "/version": lambda _: self._version,
            "/openapi.json": lambda _: self._openapi,
        }
        if settings.debug_ip:
            self.routes["/debug/ip"] = self._debug_ip

    def answer(self, request: Request) -> Answer:
        """Return the answer to any request; an unknown path is 404 whatever the method."""
        handler = self.routes.get(request.path)
        if handler is None:
            return NO_CONTENT if request.path == "*" and request.method == "OPTIONS" else NOT_FOUND
        if request.method in {"GET", "HEAD"}:
            return handler(request)
        return NO_CONTENT if request.method == "OPTIONS" else NOT_ALLOWED

    def client(self, peer: str, headers: Mapping[str, str]) -> Choice:
        """Choose the address that a request came from; the last choices are remembered, unless they are long."""
        forwarded, real = headers.get("X_FORWARDED_FOR", ""), headers.get("X_REAL_IP", "")
        if len(forwarded) + len(real) > LONGEST:
            return self._choose_anew(peer, forwarded, real)
        return self._choose(peer, forwarded, real)

    def _choose_anew(self, peer: str, forwarded: str, real: str) -> Choice:
        settings = self._settings
        return choose(
            canonical(peer) or LOCAL,
            forwarded,
            real,
            trusted=settings.trusted_proxies,
            strategy=settings.client_ip_strategy,
            hops=settings.trusted_hops,
        )

    def _root(self, request: Request) -> Answer:
        timestamp = self._clock.now
        if request.query:
            try:
                zone = zone_asked(request.query)
                timestamp = timestamp if zone is None else local_time(zone)
            except UnknownZoneError as error:
                return problem(400, str(error))
        if "ACCEPT" in request.headers and prefers_text(request.headers["ACCEPT"]):
            return Answer(200, timestamp + b"\n", TEXT, b"Vary: Accept\r\n")
        body = b'{"timestamp":"%b","ip":"%b"}' % (timestamp, request.client.encode("ascii"))
        return Answer(200, body, headers=b"Vary: Accept\r\n")

    def _ready(self, _request: Request) -> Answer:
        return OK if self.ready else DRAINING

    def _alive(self, _request: Request) -> Answer:
        return OK

    def _debug_ip(self, request: Request) -> Answer:
        choice, settings = self.client(request.peer, request.headers), self._settings
        explanation = {
            "ip": choice.address,
            "source": choice.source,
            "reason": choice.reason,
            "peer": canonical(request.peer) or LOCAL,
            "strategy": settings.client_ip_strategy,
            "trusted_hops": settings.trusted_hops,
            "trusted_proxies": settings.trusted_proxies.text,
            "x_forwarded_for": _usable(request.headers.get("X_FORWARDED_FOR", "")),
            "x_real_ip": _usable(request.headers.get("X_REAL_IP", "")),
        }
        return Answer(200, to_json(explanation))


def _usable(header: str) -> list[str | None]:
    """Return the addresses in a header, null for each entry that is none: a client's bytes are never echoed."""
    return [canonical(token) for token in header.split(",")[-30:]] if header else []
