"""Ask an API server for objects, and have it change them (kubernetes.io, "API concepts", "Server-Side Apply").

Everything that it answers is somebody else's text: bounded, and shown as lines. Paths come from `resources`.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from shipseal.cluster.access import Access
from shipseal.cluster.client import client
from shipseal.cluster.refusal import Refused
from shipseal.cluster.transport import LARGEST, Answered, Request, Transport
from shipseal.deploying.manifests import Object, dig
from shipseal.errors import RemoteFailed
from shipseal.terminal_text import line

__all__ = ["Api", "ApplyResult", "Refused", "connect"]

_PAGE = 250
_MOST_PAGES = 100
_MOST_BYTES = 4 * LARGEST  # of all pages
_RESTARTS = 3
_SAFE = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~:@%-]*)+")
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')  # RFC 7234, 5.5: the one code that API servers use
_MOST_WARNINGS, _LONGEST_WARNING = 50, 1000
_JSON = {"Accept": "application/json"}
_GONE = 410


@dataclass(frozen=True)
class ApplyResult:
    """What an apply has made of an object, and what the server says about it that is no refusal."""

    body: Object
    warnings: tuple[str, ...]


class Api:
    """An API server, as one user; every method raises `Refused`, or `RemoteFailed` where there is no answer."""

    def __init__(self, transport: Transport) -> None:
        """Take a connection."""
        self.access = transport.access
        self._transport = transport

    @property
    def skew(self) -> float | None:
        """How many seconds the server's clock is ahead of this one, as of its last answer; None before the first."""
        return self._transport.skew

    async def get(self, path: str, **query: str) -> Object | None:
        """Return an object, or None where there is none."""
        try:
            return await self._object("read", "GET", path, query)
        except Refused as refused:
            if refused.code == 404:
                return None
            raise

    async def entries(self, path: str, *, labels: str = "", fields: str = "") -> tuple[Object, ...]:
        """Return the objects of a collection, each with the kind that lists leave out of their entries.

        Args:
            path: the collection.
            labels: a label selector.
            fields: a field selector.
        """
        query = {"labelSelector": labels, "fieldSelector": fields, "limit": str(_PAGE)}
        query = {name: value for name, value in query.items() if value}
        for _ in range(_RESTARTS):
            try:
                return await self._pages(path, query)
            except Refused as refused:  # a page that comes too late is of a state that nobody keeps any longer
                if refused.code != _GONE:
                    raise
        return await self._pages(path, query)

    async def _pages(self, path: str, query: Mapping[str, str]) -> tuple[Object, ...]:
        found: list[Object] = []
        size = 0
        more: dict[str, str] = {}
        for _ in range(_MOST_PAGES):
            answered = await self._ask("list", "GET", path, {**query, **more})
            page, size = self._read(f"list {_name(path)}", answered), size + len(answered.body)
            found += _entries(page)
            token = dig(page, "metadata").get("continue")
            if not token or size > _MOST_BYTES:
                break
            more = {"continue": str(token)}
        else:
            token = "more"  # noqa: S105 - no secret: it says where the next page begins
        if token:
            raise RemoteFailed(
                f"there are more objects than anybody deploys: {line(path)[:200]}",
                why=f"{len(found)} were read, and the API server has more",
                remedy="remove what is not needed there",
            )
        return tuple(found)

    async def text(self, path: str, *, most: int, **query: str) -> str:
        """Return a text, such as a log: at most so many bytes of it, in lines that can be shown."""
        request = Request(f"read {_name(path)}", "GET", _checked(path), query, {"Accept": "*/*"}, most=most, cut=True)
        answered = await self._transport.ask(request)
        return "\n".join(line(each) for each in answered.body.decode("utf-8", "replace").splitlines())

    async def apply(self, path: str, body: Object, manager: str, *, dry_run: bool = False) -> ApplyResult:
        """Have an object as it is written; never take a field from another manager, and take no unknown one.

        Raises:
            Refused: of kind Conflict, with the field and its manager in `causes`; or Invalid, or Forbidden.
        """
        query = {"fieldManager": manager, "fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        answered = await self._ask("apply", "PATCH", path, query, body, "application/apply-patch+yaml")
        return ApplyResult(self._read(f"apply {_name(path)}", answered), _warnings(answered.headers))

    async def create(self, path: str, body: Object) -> Object:
        """Create an object in a collection; one whose name is taken is refused as AlreadyExists."""
        return await self._object("create", "POST", path, {"fieldValidation": "Strict"}, body, "application/json")

    async def merge(self, path: str, body: Object) -> Object:
        """Change the fields that are given (RFC 7396); with `metadata.resourceVersion` only what is still of that one.

        The first of two requests may have arrived although its answer was lost: then the second is refused as Conflict.
        """
        return await self._object("change", "PATCH", path, {}, body, "application/merge-patch+json")

    async def delete(self, path: str, uid: str) -> None:
        """Delete the object of that uid, and have the server delete in its own time what that owns.

        Raises:
            Refused: of kind Conflict, where the object of that name is another.
        """
        body = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        try:
            await self._ask("delete", "DELETE", path, {}, body, "application/json")
        except Refused as refused:
            if refused.code != 404:
                raise

    async def proxied(self, path: str) -> tuple[int, bytes]:
        """Return status and body of a GET that the API server passes on; what it says itself looks the same.

        Args:
            path: `…/services/NAME:PORT/proxy/` and a path, with a query where there is one.
        """
        place, _, query = path.partition("?")
        parameters = dict(httpx.QueryParams(query))
        request = Request(f"ask {_name(place)}", "GET", _checked(place), parameters, {"Accept": "*/*"}, any_status=True)
        answered = await self._transport.ask(request)
        return answered.status, answered.body

    async def _object(self, verb: str, method: str, path: str, *more: Any) -> Object:
        return self._read(f"{verb} {_name(path)}", await self._ask(verb, method, path, *more))

    async def _ask(
        self, verb: str, method: str, path: str, query: Mapping[str, str], body: Object | None = None, kind: str = ""
    ) -> Answered:
        asked, headers = f"{verb} {_name(path)}", {**_JSON, **({"Content-Type": kind} if kind else {})}
        content = None if body is None else json.dumps(body, allow_nan=False).encode()
        return await self._transport.ask(Request(asked, method, _checked(path), query, headers, content))

    def _read(self, asked: str, answered: Answered) -> Object:
        try:
            found = json.loads(answered.body)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return found
        raise RemoteFailed(
            f"what answers for the API server of {self.access.context} is none: {asked}",
            why=f"no object of JSON: {line(answered.body[:200].decode('utf-8', 'replace'))}",
            remedy="see that the address in the kubeconfig is that of an API server, and what "
            "stands between it and you",
        )


@asynccontextmanager
async def connect(access: Access, *, say: Callable[[str], None], patience: float = 60) -> AsyncIterator[Api]:
    """Reach an API server for as long as the block runs; nothing is asked before the first method is called.

    Args:
        access: how, and as whom.
        say: is told when the server is away, and when it is back.
        patience: seconds for which a request is sent again while the server is away or busy.

    Raises:
        ConfigError: what the access holds is no certificate, no key or no address.
    """
    async with client(access) as http:
        yield Api(Transport(access, http, say, patience))


def _checked(path: str) -> str:
    """Return a path; names in it may be the cluster's own words, and must not lead elsewhere."""
    if not _SAFE.fullmatch(path):
        raise RemoteFailed(f"no object is called so: {line(path)[:200]}")
    return path


def _name(path: str) -> str:
    """Return what people call a path: `deployments/sample in production`."""
    parts = path.strip("/").split("/")
    parts = parts[3:] if parts[0] == "apis" else parts[2:] if parts[0] == "api" else parts
    within = parts[:1] == ["namespaces"] and len(parts) > 2
    return line("/".join(parts[2:]) + f" in {parts[1]}" if within else "/".join(parts))[:200]


def _entries(page: Object) -> list[Object]:
    """Return the entries of a list, each with the version and kind that the list has in their place."""
    items = page.get("items")
    known = {"apiVersion": page.get("apiVersion"), "kind": str(page.get("kind")).removesuffix("List")}
    return [{**known, **each} for each in items if isinstance(each, dict)] if isinstance(items, list) else []


def _warnings(headers: httpx.Headers) -> tuple[str, ...]:
    said = [each for value in headers.get_list("warning") for each in _WARNING.findall(value)]
    return tuple(line(re.sub(r"\\(.)", r"\1", each))[:_LONGEST_WARNING] for each in said[:_MOST_WARNINGS])
