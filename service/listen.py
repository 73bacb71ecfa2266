"""Open the listening sockets, before there is a worker to use them."""

from __future__ import annotations

import socket
import struct
import sys
from array import array
from contextlib import suppress

BACKLOG = 1024
SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python does not name it
# Classic BPF over a TCP segment (linux/filter.h): load the flags, keep SYN and ACK, drop SYN alone, take any other.
NO_SYN = ((0x30, 0, 0, 13), (0x54, 0, 0, 0x12), (0x15, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))


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


def refuse_new(listener: socket.socket) -> None:
    """Let no new connection begin, while those that have begun can still be accepted.

    Closing a listener resets what is in its queue, and between the last accept and the close there is always time for
    one more. The kernel drops what this filter drops; its sender tries again a second later and is refused, or finds
    another listener. Where there is no such filter, nothing happens.
    """
    if sys.platform == "linux":
        program = array("B", b"".join(struct.pack("HBBI", *line) for line in NO_SYN))
        with suppress(OSError):
            listener.setsockopt(
                socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(NO_SYN), program.buffer_info()[0])
            )
