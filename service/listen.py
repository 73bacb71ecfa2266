"""Open the listening sockets, before there is a worker to use them."""

from __future__ import annotations

import socket

BACKLOG = 1024


class ListenError(Exception):
    """A port cannot be listened on; the message is one line for the operator."""


def listen(host: str, port: int, name: str, count: int = 1) -> list[socket.socket]:
    """Open `count` sockets on one port, among which the kernel spreads the connections (SO_REUSEPORT).

    Raises:
        ListenError: the port is in use or not allowed, or the host is no address of this machine.
    """
    sockets: list[socket.socket] = []
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.encode("ascii"),  # text would need the idna codec
            port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )[0]
        with socket.socket(family, kind, protocol) as probe:  # without SO_REUSEPORT: a second service would share
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
        for _ in range(count):
            listener = socket.socket(family, kind, protocol)
            sockets.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.bind(sockets[0].getsockname() if sockets[1:] else address)
            listener.listen(BACKLOG)
    except OSError as problem:
        raise ListenError(f"{name}: cannot listen on {host} port {port}: {problem.strerror}") from None
    return sockets
