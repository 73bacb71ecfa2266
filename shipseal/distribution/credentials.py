"""Hand a registry's login to the tools that ask for it: a file in Docker's form, for as long as they need it.

Docker keeps logins by registry in `auths`, programs by registry that know one in `credHelpers`, and such a program for
all others in `credsStore`; each may be missing or null. `DOCKER_AUTH_CONFIG` holds the content of such a file, as CI
systems keep secrets; otherwise the file is in the directory that `DOCKER_CONFIG` names, else at home. Nothing of it is
ever on a command line.
"""

import base64
import binascii
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shipseal.errors import UsageError
from shipseal.tools.loopback import is_loopback

CONTENT = "DOCKER_AUTH_CONFIG"
DIRECTORY = "DOCKER_CONFIG"
_FILE = "config.json"
_KINDS = {"auths": dict, "credHelpers": dict, "credsStore": str}


@dataclass(frozen=True)
class Login:
    """How tools find a login, and which values nobody may see.

    Args:
        environment: what a tool needs in its environment.
        secrets: the passwords and tokens, in every form in which they stand in the file.
        hosts: the registries that it has a login for.
        helper: whether a program may know one for any other.
    """

    environment: Mapping[str, str]
    secrets: tuple[str, ...] = ()
    hosts: frozenset[str] = frozenset()
    helper: bool = False

    def may_know(self, host: str) -> bool:
        """Say whether a tool may find a login for a registry in it."""
        return self.helper or host in self.hosts


@contextmanager
def login(environment: Mapping[str, str]) -> Iterator[Login]:
    """Give the login that an environment names, which may be none.

    Raises:
        UsageError: `DOCKER_AUTH_CONFIG` is not what Docker keeps in its config.json.
    """
    content = environment.get(CONTENT)
    if content:
        document = read(content)
        secrets = tuple(_secrets(document))
        with tempfile.TemporaryDirectory(prefix="login-") as directory, _kept(content, Path(directory) / _FILE):
            yield Login({DIRECTORY: directory}, (content, *secrets), hosts(document), has_default_helper(document))
        return
    named = environment.get(DIRECTORY)
    home = Path(named) if named else Path(environment.get("HOME", "/")) / ".docker"
    document = _found(home / _FILE)
    where = {DIRECTORY: named} if named else {}
    yield Login(where, tuple(_secrets(document)), hosts(document), has_default_helper(document))


@contextmanager
def login_for(host: str, environment: Mapping[str, str], *, plain_http: bool) -> Iterator[Login]:
    """Give the login for a registry; over plain HTTP only to one on loopback, since anybody between could read it.

    Raises:
        UsageError: `DOCKER_AUTH_CONFIG` is not what Docker keeps in its config.json; or there is a login for a registry
            that is reached by plain HTTP, and is not this machine.
    """
    with login(environment) as found:
        if not plain_http or is_loopback(host):
            yield found
            return
        if host in found.hosts:
            raise UsageError(
                f"the login for {host} would be sent in clear text",
                why="registry.plain-http is set, and this is not a registry on loopback",
                remedy="give the registry a certificate, or take the login away: without one it is reached as nobody",
            )
        with tempfile.TemporaryDirectory(prefix="login-") as directory, _kept("{}", Path(directory) / _FILE):
            yield Login({DIRECTORY: directory}, found.secrets)


@contextmanager
def _kept(content: str, path: Path) -> Iterator[None]:
    """Have a file that its owner alone can read; on Linux in memory only, so that a killed run leaves none behind."""
    if not hasattr(os, "memfd_create"):
        path.touch(mode=0o600)
        path.write_text(content, encoding="utf-8")
        yield
        return
    memory = os.memfd_create(_FILE)
    try:
        os.fchmod(memory, 0o600)
        os.write(memory, content.encode())
        path.symlink_to(f"/proc/{os.getpid()}/fd/{memory}")
        yield
    finally:
        os.close(memory)


def read(content: str) -> object:
    """Return the document in `DOCKER_AUTH_CONFIG`; raise `UsageError` when it is not what Docker keeps."""
    try:
        document = json.loads(content)
        if _is_dockers(document):
            return document
    except (ValueError, RecursionError):
        pass  # whatever the failure says would quote the secret
    raise UsageError(
        f"{CONTENT} is not what Docker keeps in its config.json",
        remedy=f'set it to {{"auths": {{"REGISTRY": {{"auth": "base64 of user:password"}}}}}}, or set {DIRECTORY}',
    )


def _is_dockers(document: object) -> bool:
    if not isinstance(document, dict) or not (document.keys() & _KINDS.keys() or not document):
        return False
    return all(isinstance(document.get(name), kind | None) for name, kind in _KINDS.items())


def hosts(document: object) -> frozenset[str]:
    """Return the registries that a document has a login for, or a program that knows one, as references name them."""
    named = (_part(document, name) for name in ("auths", "credHelpers"))
    return frozenset(_host(key) for part in named for key in part)


def has_default_helper(document: object) -> bool:
    """Say whether a document names a program that may know a login for any registry."""
    return isinstance(document, dict) and bool(document.get("credsStore"))


def _host(key: str) -> str:
    """Return the host of a key: `https://index.docker.io/v1/` is how Docker writes its own."""
    host = key.rpartition("://")[2].partition("/")[0].lower()
    return "docker.io" if host == "index.docker.io" else host


def _part(document: object, name: str) -> dict[str, object]:
    part = document.get(name) if isinstance(document, dict) else None
    return part if isinstance(part, dict) else {}


def _found(path: Path) -> object:
    """Read a file that tools will read themselves, and complain about if they must."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}


def _secrets(document: object) -> Iterator[str]:
    """Yield what must not be seen, longest first: what contains another is cut out before it."""
    found = {
        value for entry in _part(document, "auths").values() if isinstance(entry, dict) for value in _values(entry)
    }
    yield from sorted(found, key=len, reverse=True)


def _values(entry: Mapping[str, object]) -> Iterator[str]:
    for name in ("auth", "password", "identitytoken", "registrytoken"):
        if isinstance(value := entry.get(name), str) and value:
            yield value
    try:
        yield base64.b64decode(str(entry.get("auth", ""))).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return
