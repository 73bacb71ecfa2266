"""Send requests to one API server and get answers: within bounds of size and time, again where it is away for a while.

Every request here may be sent twice: it changes nothing, or ends in the same state, or is answered `AlreadyExists` or
`Conflict` when the first has arrived.
"""

import re
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import anyio
import httpx

from shipseal.address import without_secrets
from shipseal.cluster import tls
from shipseal.cluster.access import Access
from shipseal.cluster.client import ANSWER
from shipseal.cluster.refusal import Refused
from shipseal.errors import ConfigError, RemoteFailed
from shipseal.terminal_text import line

LARGEST = 32 << 20
"""Bytes of an answer: a page of objects, or one object."""

_PAUSES = (0.25, 5.0)  # seconds between two tries: the first, and the longest
_AWAY = {429, 500, 502, 503, 504}
_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Request:
    """One question: `asked` is what people call it, `apply deployments/sample`."""

    asked: str
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    most: int = LARGEST
    cut: bool = False
    """Whether an answer that is longer than `most` is cut there; otherwise it is refused."""
    any_status: bool = False
    """Whether every answer is one, whatever its status."""


@dataclass(frozen=True)
class Answered:
    """An answer of HTTP."""

    status: int
    headers: httpx.Headers
    body: bytes


class _AwayError(Exception):
    """The server is away, or says that it is busy: `after` is how many seconds it asks for."""

    def __init__(self, why: str, refused: Refused | None = None, after: float = 0) -> None:
        super().__init__(why)
        self.why, self.refused, self.after = why, refused, after


class Transport:
    """A connection to one API server; `skew` is how many seconds the server's clock is ahead of this one."""

    def __init__(self, access: Access, client: httpx.AsyncClient, say: Callable[[str], None], patience: float) -> None:
        """Take a client that `client.client` has made."""
        self.access = access
        self.skew: float | None = None
        self._client, self._say, self._patience = client, say, patience
        self._troubled = 0  # how many requests are being tried again: it is said of the first and of the last

    async def ask(self, request: Request) -> Answered:
        """Return the answer; while the server is away the request is sent again, until the patience is over.

        Raises:
            Refused: it has answered, and does not do it.
            RemoteFailed: it does not answer, or what answers is not the server that was named.
        """
        since: float | None = None
        pause, longest = _PAUSES
        try:
            while True:
                try:
                    answered = await self._once(request)
                except _AwayError as away:
                    if since is None:
                        since = anyio.current_time()
                        self._begins(away.why)
                    left = since + self._patience - anyio.current_time()
                    if left <= 0:
                        raise away.refused or self._gone(away.why) from away
                    await anyio.sleep(min(max(pause, away.after), left))
                    pause = min(2 * pause, longest)
                else:
                    if since is not None and self._troubled == 1:
                        self._say(f"the API server answers again, after {anyio.current_time() - since:.0f} s")
                    return answered
        finally:
            self._troubled -= since is not None

    def _begins(self, why: str) -> None:
        self._troubled += 1
        if self._troubled == 1:
            self._say(f"the API server does not answer ({why}): it is asked again for {self._patience:g} s")

    def _gone(self, why: str) -> RemoteFailed:
        return RemoteFailed(
            f"the API server of {self.access.context} did not answer for {self._patience:g} s",
            why=[f"{without_secrets(self.access.server)}: {why}"],
            remedy="see whether the cluster is up and reached from here, then run this again: it goes on here",
        )

    async def _once(self, request: Request) -> Answered:
        """Send a request, with a newer token where the first is refused; raise what a status says."""
        token = await self._token()
        answered = await self._send(request, token)
        if answered.status == 401 and token and (newer := await self._token()) != token:
            answered = await self._send(request, newer)
        status = answered.status
        if request.any_status or 200 <= status < 300:
            return answered
        refused = Refused(request.asked, status, answered.body, skew=self.skew)
        if status in _AWAY and refused.kind != "BadRequest":
            raise _AwayError(f"{status} {refused.said}"[:200], refused, _after(answered.headers))
        raise refused

    async def _token(self) -> str:
        token = await self.access.token() if self.access.token else ""
        if token and not _TOKEN.fullmatch(token):
            raise ConfigError(f"the token of {self.access.context} is none: it holds what no header can")
        return token

    async def _send(self, request: Request, token: str) -> Answered:
        # Uncompressed, or a few bytes could become more than any memory holds.
        headers = {"Accept-Encoding": "identity", "User-Agent": "shipseal", **request.headers}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        name = self.access.server_name
        try:
            with anyio.fail_after(min(ANSWER, max(1.0, self._patience))):
                async with self._client.stream(
                    request.method,
                    self.access.server.rstrip("/") + request.path,
                    params=dict(request.query) or None,
                    content=request.body,
                    headers=headers,
                    extensions={"sni_hostname": name} if name else {},
                ) as response:
                    self._note(response.headers)
                    return Answered(response.status_code, response.headers, await self._read(request, response))
        except (httpx.TransportError, OSError) as error:
            raise self._failure(error) from error

    async def _read(self, request: Request, response: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > request.most:
                if not request.cut:
                    raise RemoteFailed(
                        f"the API server's answer has more than {request.most >> 20} MiB: {request.asked}",
                        remedy="look at what is there with kubectl; nothing that a deploy makes is so large",
                    )
                break
        return bytes(body[: request.most])

    def _note(self, headers: httpx.Headers) -> None:
        """Keep how far the server's clock is from this one (RFC 9110, 6.6.1)."""
        try:
            self.skew = parsedate_to_datetime(headers.get("date", "")).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return

    def _failure(self, error: Exception) -> Exception:
        """Return what a failed connection is: one that may come back, or one that never will."""
        place = without_secrets(self.access.server)
        if why := tls.failure(error):
            return RemoteFailed(
                f"what answers at {place} is not trusted, or does not trust this login",
                why=line(why),
                remedy=f"see that {self.access.context} is the cluster that you meant, and its kubeconfig a new one",
            )
        if isinstance(found := _behind(error, socket.gaierror), socket.gaierror) and found.errno == socket.EAI_NONAME:
            return RemoteFailed(
                f"there is no host of that name: {place}",
                why=str(found.strerror),
                remedy=f"see that {self.access.context} is the cluster that you meant, and that it exists still",
            )
        if isinstance(error, TimeoutError | httpx.TimeoutException):
            return _AwayError("no answer in time")
        return _AwayError(line(str(error) or type(error).__name__)[:200])


def _after(headers: httpx.Headers) -> float:
    """Return how many seconds the server asks to wait (RFC 9110, 10.2.3); API servers do not name a date."""
    value = headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdecimal() and len(value) < 6 else 0


def _behind(error: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    """Return the error of a kind that an error comes from."""
    for _ in range(16):
        if error is None or isinstance(error, kind):
            return error
        error = error.__cause__ or error.__context__
    return None
