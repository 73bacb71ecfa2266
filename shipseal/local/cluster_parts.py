"""What a server of a local cluster is: a program, its arguments, a port of loopback, and where it says it is ready."""

import secrets
import socket
import ssl
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

from shipseal.local.cluster_keys import Pair

# Below those that Linux gives to clients (ip-sysctl, ip_local_port_range): none of ours is taken by one in between.
_LOWEST, _PORTS = 20_000, 10_000
_ANSWER = 2  # seconds for an answer over loopback


@dataclass(frozen=True)
class ReadinessProbe:
    """Where on loopback to ask a server whether it is ready, whose certificate it has, and who asks."""

    port: int
    path: str
    authority: Path
    whom: Pair

    def ready(self) -> bool:
        """Say whether it says so."""
        context = ssl.create_default_context(cafile=self.authority)
        context.load_cert_chain(self.whom.certificate, self.whom.key)
        connection = HTTPSConnection("127.0.0.1", self.port, timeout=_ANSWER, context=context)
        try:
            connection.request("GET", self.path)
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


@dataclass(frozen=True)
class Server:
    """One program and its arguments; `asked` is None for one that is known by what it does."""

    name: str
    arguments: tuple[str, ...]
    asked: ReadinessProbe | None = None

    def ready(self) -> bool:
        """Say whether it says that it is ready."""
        return self.asked is None or self.asked.ready()


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody listens on."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            probe, port = held.enter_context(socket.socket()), _LOWEST + secrets.randbelow(_PORTS)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                found.append(port)
    return found
