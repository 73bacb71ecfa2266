"""The same handlers as a WSGI application, for any other server."""

from __future__ import annotations

from service.answer import REASONS
from service.clock import Clock
from service.handlers import Handlers, Request
from service.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HEADERS = ("X_FORWARDED_FOR", "X_REAL_IP", "ACCEPT")


def make_app(settings: Settings) -> Callable[[dict[str, object], Callable[..., object]], Iterable[bytes]]:
    """Return a WSGI application (PEP 3333) that answers as the service does."""
    clock = Clock()
    handlers = Handlers(settings, clock)

    def app(environ: dict[str, object], start_response: Callable[..., object]) -> Iterable[bytes]:
        headers = {name: str(environ.get("HTTP_" + name, "")) for name in HEADERS}
        method, path, query, peer = (
            str(environ.get(key, "")) for key in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR")
        )
        path = path or "/"  # the root of an application may be empty (PEP 3333)
        clock.timestamp()
        request = Request(method, path, query, peer, headers)
        request.client = handlers.client(peer, headers).address
        answer = handlers.answer(request)
        lines = [
            (name, value)
            for name, _, value in (line.partition(": ") for line in answer.headers.decode().split("\r\n"))
            if name
        ]
        lines += [("Cache-Control", "no-store")]
        if answer.status != 204:
            lines += [("Content-Type", answer.content_type.decode()), ("Content-Length", str(len(answer.body)))]
        start_response(f"{answer.status} {REASONS[answer.status].decode()}", lines)
        return [] if method == "HEAD" else [answer.body]

    return app


app = make_app(Settings.from_environment())
