"""Reach the tests' cluster by the pipeline's own client, as its administrator or as somebody with given rights."""

import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import anyio

from shipseal.cluster import kubeconfig
from shipseal.cluster.access import Access
from shipseal.deploying.platform import Right
from tests.cluster.running import Kubectl


def administrator(kubectl: Kubectl) -> Access:
    """Return the access of the cluster's administrator."""
    return kubeconfig.read([kubectl.kubeconfig], "", None)


def user(kubectl: Kubectl, name: str) -> Access:
    """Make a user of a namespace that has no rights yet: a service account, whom the cluster knows by its token."""
    kubectl("create", "serviceaccount", name)
    given = kubectl("create", "token", name).stdout.strip()

    async def token() -> str:
        return given

    return replace(administrator(kubectl), certificate="", key="", token=token)


def give(kubectl: Kubectl, name: str, rules: Sequence[Mapping[str, Any]]) -> None:
    """Give a user these rights and no others."""
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name},
        "rules": list(rules),
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": kubectl.namespace}],
    }
    kubectl("apply", "-f", "-", given={"apiVersion": "v1", "kind": "List", "items": [role, binding]})


def rights_of(namespace: str, rules: Sequence[Mapping[str, Any]]) -> list[Right]:
    """Return what rules give."""
    return [
        Right(namespace, group, resource, verb, name)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    ]


async def eventually(expected: Any, ask: Callable[[], Awaitable[Any]], within: float = 10) -> None:
    """Wait until a question has its answer: the API server learns of new rights a moment after it has taken them."""
    end = time.monotonic() + within
    while (got := await ask()) != expected and time.monotonic() < end:
        await anyio.sleep(0.05)
    assert expected == got, json.dumps(got, default=str)


class Line:
    """A line to an API server that can be cut, and mended."""

    def __init__(self, access: Access) -> None:
        """Lead to where an access leads."""
        parts = urlsplit(access.server)
        self._target = (parts.hostname or "", parts.port or 0)
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._is_cut = False
        self.access = replace(access, server=f"https://127.0.0.1:{self._server.getsockname()[1]}")
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections, and any that is made."""
        self._is_cut = True
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let connections be made again."""
        self._is_cut = False

    def close(self) -> None:
        """End everything."""
        self.cut()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):  # it is closed
            while True:
                client = self._server.accept()[0]
                if self._is_cut:
                    client.close()
                    continue
                there = socket.create_connection(self._target)
                self._open += [client, there]
                for pair in ((client, there), (there, client)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    @staticmethod
    def _carry(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError), one:
            while data := one.recv(1 << 16):
                other.sendall(data)
            other.shutdown(socket.SHUT_RDWR)


@contextmanager
def line_to(access: Access) -> Iterator[Line]:
    """Have such a line for as long as a block runs."""
    line = Line(access)
    try:
        yield line
    finally:
        line.close()
