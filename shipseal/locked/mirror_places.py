"""Read the places that mirrors are at: a repository of an OCI registry, a directory, and the same over HTTP.

Whatever is there is hostile: an address that a server names is of https or loopback, a token goes to the registry that
asked for it, and no redirect takes it along (OCI distribution 1.1, "Pull"; Docker Registry, "Token Authentication").
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from typing import IO, Protocol
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit

from shipseal.address import Address, without_secrets
from shipseal.digest import Digest, split_repository
from shipseal.errors import UsageError
from shipseal.tools import download
from shipseal.tools.loopback import is_loopback

VARIABLE = "PIPELINE_MIRROR"
"""The environment variable that names mirrors, with spaces between them."""

# As `listing` has it, which needs what is not installed where Dagger asks its module for its functions.
_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_LISTING_LIMIT = 4 << 20  # bytes
_TOKEN_LIMIT = 1 << 16
_DOCKER_HUB, _DOCKER_HUB_API = "docker.io", "registry-1.docker.io"
_PARTLY, _NOT_LET_IN = 206, 401  # RFC 9110
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,16384}")  # RFC 6750, section 2.1
_PARAMETER = re.compile(r'([a-zA-Z_]+)="([^"]*)"')


class MirrorLocation(Protocol):
    """Where a mirror is; both methods raise one of `download.FAILURES`."""

    @property
    def name(self) -> str:
        """What it is called in messages; no secret is in it."""

    def listing(self, name: str) -> bytes:
        """Return the listing of a name, a few megabytes at most."""

    def blob(self, digest: Digest, start: int) -> AbstractContextManager[tuple[IO[bytes], int]]:
        """Open the bytes of an input from a byte on; what is given says where they begin, which may be at 0."""


@dataclass(frozen=True)
class Directory:
    """A directory that `store push` wrote, on a disk."""

    path: Path

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.path)

    def listing(self, name: str) -> bytes:
        """Return `NAME.json`."""
        with (self.path / f"{name}.json").open("rb") as file:
            return file.read(_LISTING_LIMIT)

    @contextmanager
    def blob(self, digest: Digest, start: int) -> Iterator[tuple[IO[bytes], int]]:
        """Open `sha256/HEX`."""
        with (self.path / digest.algorithm / digest.hex).open("rb") as file:
            file.seek(start)
            yield file, start


@dataclass(frozen=True)
class Static:
    """The same directory behind a server of files."""

    address: Address

    @property
    def name(self) -> str:
        """Its address without a login."""
        return self.address.url

    def listing(self, name: str) -> bytes:
        """Return `NAME.json`."""
        with download.answer(self._at(f"{name}.json"), private=True) as found:
            return found.read(_LISTING_LIMIT)

    @contextmanager
    def blob(self, digest: Digest, start: int) -> Iterator[tuple[IO[bytes], int]]:
        """Open `sha256/HEX`."""
        address = self._at(f"{digest.algorithm}/{digest.hex}")
        with download.answer(address, private=True, headers=_from(start)) as found:
            yield found, start if found.status == _PARTLY else 0

    def _at(self, path: str) -> Address:
        return Address(f"{self.address.url.rstrip('/')}/{path}", self.address.login)


@dataclass(frozen=True)
class Repository:
    """A repository of an OCI registry that anybody may read: `oci://HOST/NAME`."""

    host: str
    repository: str
    _tokens: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str:
        """Its address."""
        return f"oci://{self.host}/{self.repository}"

    def listing(self, name: str) -> bytes:
        """Return the manifest of a tag."""
        with self._get(f"manifests/{name}", {"Accept": _MANIFEST_TYPE}) as found:
            return found.read(_LISTING_LIMIT)

    @contextmanager
    def blob(self, digest: Digest, start: int) -> Iterator[tuple[IO[bytes], int]]:
        """Open a blob."""
        with self._get(f"blobs/{digest}", _from(start)) as found:
            yield found, start if found.status == _PARTLY else 0

    @contextmanager
    def _get(self, path: str, headers: Mapping[str, str]) -> Iterator[HTTPResponse]:
        host = _DOCKER_HUB_API if self.host == _DOCKER_HUB else self.host
        scheme = "http" if is_loopback(host) else "https"
        address = Address.parse(f"{scheme}://{host}/v2/{self.repository}/{path}")
        with ExitStack() as opened:
            try:
                found = opened.enter_context(download.answer(address, private=True, headers={**headers, **self._token}))
            except HTTPError as refused:
                if refused.code != _NOT_LET_IN:
                    raise
                refused.close()
                self._tokens["bearer"] = _anonymous(refused.headers.get("WWW-Authenticate", ""))
                found = opened.enter_context(download.answer(address, private=True, headers={**headers, **self._token}))
            yield found

    @property
    def _token(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"} if (token := self._tokens.get("bearer")) else {}


def place(text: str) -> MirrorLocation:
    """Return where a mirror is; raise `UsageError` where the text names no place that could be one."""
    scheme, _, rest = text.partition("://")
    try:
        if scheme == "oci":
            return Repository(*split_repository(rest))
        if "://" in text:
            address = Address.parse(text)
            address.require_private()
            return Static(address)
    except ValueError as error:
        raise UsageError(
            f"{without_secrets(text)} is not a valid mirror"[:300],
            why=str(error),
            remedy="write oci://HOST/NAME, https://… or a directory",
        ) from error
    return Directory(Path(text))


def for_another_machine(text: str) -> str:
    """Return mirrors as they were named; raise `UsageError` for one that a container could not or should not know."""
    for each in text.split():
        found = place(each)
        if isinstance(found, Directory):
            remedy = "give the directory as --store, filled by `store fetch`; or serve it"
            raise UsageError(f"{each} is a directory of this machine, and the engine does not see it", remedy=remedy)
        if isinstance(found, Static) and found.address.login:
            raise UsageError(
                f"{found.name} is named with a login, which caches and traces would keep", remedy="leave it out"
            )
    return text


def _from(start: int) -> dict[str, str]:
    return {"Range": f"bytes={start}-"} if start else {}


def _anonymous(challenge: str) -> str:
    """Return the token that a registry gives to anybody who asks where it says."""
    said = dict(_PARAMETER.findall(challenge)) if challenge.lower().startswith("bearer ") else {}
    if "realm" not in said:
        raise ValueError("it asks for a login, and mirrors are read without one")
    query = urlencode({key: said[key] for key in ("service", "scope") if key in said})
    realm = Address.parse(said["realm"])
    joined = f"{realm.url}{'&' if urlsplit(realm.url).query else '?'}{query}"
    with download.answer(Address(joined), private=True) as found:
        document = json.loads(found.read(_TOKEN_LIMIT))
    token = (document.get("token") or document.get("access_token")) if isinstance(document, dict) else None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise ValueError("where it sends for a token there is none")
    return token
