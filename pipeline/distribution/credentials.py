"""Hand a registry's login to the tools that ask for it: a file in Docker's form, for as long as they need it.

`DOCKER_AUTH_CONFIG` holds the content of such a file, as CI systems keep secrets; otherwise the file is in the
directory that `DOCKER_CONFIG` names, else at home. Nothing of it is ever on a command line.
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
from typing import Any

from pipeline.errors import UsageError

CONTENT = "DOCKER_AUTH_CONFIG"
DIRECTORY = "DOCKER_CONFIG"
_FILE = "config.json"


@dataclass(frozen=True)
class Login:
    """How tools find a login, and which values nobody may see.

    Args:
        environment: what a tool needs in its environment.
        secrets: the passwords and tokens, in every form in which they stand in the file.
    """

    environment: Mapping[str, str]
    secrets: tuple[str, ...] = ()


@contextmanager
def login(environment: Mapping[str, str]) -> Iterator[Login]:
    """Give the login that an environment names, which may be none.

    Raises:
        UsageError: `DOCKER_AUTH_CONFIG` is not what Docker keeps in its config.json.
    """
    content = environment.get(CONTENT)
    if content:
        secrets = tuple(_secrets(_read(content)))
        with tempfile.TemporaryDirectory(prefix="login-") as directory, _kept(content, Path(directory) / _FILE):
            yield Login({DIRECTORY: directory}, (content, *secrets))
        return
    named = environment.get(DIRECTORY)
    home = Path(named) if named else Path(environment.get("HOME", "/")) / ".docker"
    yield Login({DIRECTORY: named} if named else {}, tuple(_secrets(_found(home / _FILE))))


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


def _read(content: str) -> Any:
    try:
        document = json.loads(content)
        if isinstance(document["auths"], dict):
            return document
    except (ValueError, KeyError, TypeError):
        pass  # whatever the failure says would quote the secret
    raise UsageError(
        f"{CONTENT} is not what Docker keeps in its config.json",
        do=f'set it to {{"auths": {{"REGISTRY": {{"auth": "base64 of user:password"}}}}}}, or set {DIRECTORY}',
    )


def _found(path: Path) -> Any:
    """Read a file that tools will read themselves, and complain about if they must."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}


def _secrets(document: Any) -> Iterator[str]:
    """Yield what must not be seen, longest first: what contains another is cut out before it."""
    auths = document.get("auths") if isinstance(document, dict) else None
    entries = auths.values() if isinstance(auths, dict) else ()
    found = {value for entry in entries if isinstance(entry, dict) for value in _values(entry)}
    yield from sorted(found, key=len, reverse=True)


def _values(entry: Mapping[str, Any]) -> Iterator[str]:
    for name in ("auth", "password", "identitytoken", "registrytoken"):
        if isinstance(value := entry.get(name), str) and value:
            yield value
    try:
        yield base64.b64decode(str(entry.get("auth", ""))).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return
