"""Hold slow and idle connections open on the service, and time the requests of somebody else meanwhile."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from threading import Event, Thread

HEAD = b"GET / HTTP/1.1\r\nHost: bench\r\n"
_RATE = 500  # requests a second


@contextmanager
def held(port: int, connections: int) -> Iterator[None]:
    """Hold connections open: half of them idle, the others sending one byte of a header every half second."""
    with ExitStack() as stack:
        opened = [
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", port), timeout=5)))
            for _ in range(connections)
        ]
        slow = opened[: connections // 2]
        for connection in slow:
            connection.sendall(HEAD + b"X: ")
        stop = Event()
        dripping = Thread(target=_drip, args=(slow, stop))
        dripping.start()
        try:
            yield
        finally:
            stop.set()
            dripping.join()


def times(port: int, seconds: float) -> list[float]:
    """Ask on one connection at a fixed rate; return how long each answer took, in milliseconds, sorted."""
    taken = []
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(int(seconds * _RATE)):
            if number % 10 == 0:
                select.select([], [], [], 10 / _RATE)
            began = time.perf_counter()
            connection.sendall(HEAD + b"\r\n")
            if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
                raise AssertionError("a request beside slow clients was not answered")
            taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)


def _drip(slow: list[socket.socket], stop: Event) -> None:
    while not stop.wait(0.5):
        for connection in slow:
            connection.send(b"x")
