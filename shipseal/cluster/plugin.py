"""Get a bearer token from the program that a user's kubeconfig names (kubernetes.io, "client-go credential plugins").

What it says is a secret: nothing of it is logged or recorded, and nothing is kept but the token.
"""

import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import anyio

from shipseal.errors import ConfigError, ToolFailed
from shipseal.terminal_text import line
from shipseal.tools.environment import search_path
from shipseal.tools.outputs import Held
from shipseal.tools.processes import drain, process

Start = Callable[[Sequence[str], Mapping[str, str]], Awaitable[bytes]]
"""Runs a command, given what is added to its environment, and returns what it has said."""

VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")

_SECONDS = 60  # it may ask a service for the token
_MOST = 1 << 20  # bytes
_BEFORE = 30.0  # seconds before its end in which a token is no longer used
_UNTOLD = 60.0  # seconds for which one is used that does not say when it ends


async def start(argv: Sequence[str], environment: Mapping[str, str]) -> bytes:
    """Run a command of the user's own, with the environment that the user has, as kubectl does.

    Raises:
        ToolFailed: it cannot be started, runs too long, or ends with another code than 0.
    """
    said, errors = Held(_MOST), Held(_MOST)
    env = {**os.environ, "PATH": search_path(), **environment}
    async with process(argv, cwd=None, env=env) as child:
        with anyio.move_on_after(_SECONDS) as scope:
            await drain(child, said, errors)
        code = child.returncode
    if scope.cancelled_caught or code != 0 or said.cut:
        last = errors.ends()[-2000:].decode("utf-8", "replace").splitlines()[-5:]
        how = f"ran for more than {_SECONDS} s" if scope.cancelled_caught else f"ended with exit code {code}"
        raise ToolFailed(
            f"{argv[0]} gives no token: it {'said too much' if code == 0 else how}",
            why=[line(each)[:300] for each in last],
            remedy="run it by hand, and log in where it says so; the kubeconfig names it under `exec`",
        )
    return bytes(said)


@dataclass
class Plugin:
    """A program that gives tokens, asked again when the last one is about to end.

    Args:
        argv: the program and its arguments.
        environment: what is added to its environment.
        version: the API version that it speaks.
        cluster: what it is told of the cluster, where the kubeconfig wants that (`provideClusterInfo`).
        start: runs it.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    version: str
    cluster: Mapping[str, str] | None
    start: Start
    _token: str = field(default="", repr=False)
    _until: float = 0
    _asking: anyio.Lock = field(default_factory=anyio.Lock)

    async def __call__(self) -> str:
        """Return a token that is good now."""
        async with self._asking:  # one program at a time: it may open a browser
            if time.time() >= self._until:
                self._token, self._until = self._read(await self.start(self.argv, {**self.environment, **self._told()}))
            return self._token

    def _told(self) -> Mapping[str, str]:
        spec = {"interactive": False, **({"cluster": self.cluster} if self.cluster else {})}
        told = {"apiVersion": self.version, "kind": "ExecCredential", "spec": spec}
        return {"KUBERNETES_EXEC_INFO": json.dumps(told)}

    def _read(self, said: bytes) -> tuple[str, float]:
        """Return a token, and until when it is used (seconds since 1970); no message quotes what holds it."""
        status = _status(said, self.version)
        token, ends = status.get("token"), status.get("expirationTimestamp")
        if not isinstance(token, str) or not token:
            gives = "a client certificate" if status.get("clientCertificateData") else "none"
            raise ConfigError(
                f"{self.argv[0]} gives no token",
                why=f"it was asked for an ExecCredential of {self.version} with a token, and gives {gives}",
                remedy="run it by hand; the kubeconfig names it under `exec`",
            )
        now = time.time()
        try:
            until = datetime.fromisoformat(str(ends)).timestamp() - _BEFORE if ends else now + _UNTOLD
        except (ValueError, OverflowError):
            until = now + _UNTOLD
        return token, until


def _status(said: bytes, version: str) -> Mapping[str, object]:
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return {}
    right = isinstance(found, dict) and (found.get("apiVersion"), found.get("kind")) == (version, "ExecCredential")
    status = found.get("status") if right else None
    return status if isinstance(status, dict) else {}
