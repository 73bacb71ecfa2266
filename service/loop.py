"""The map of open sockets that Waitress keeps, with a poller that is told of every change.

Waitress builds its list of descriptors anew for each poll, which costs as much as the work itself with a thousand
connections open. This map is a `dict` to Waitress; what enters or leaves it enters or leaves epoll.
"""

from __future__ import annotations

import os
import select

from waitress import wasyncore

IN, OUT = 1, 4  # the same in poll(2) and epoll(7)


class PollMap(dict[int, wasyncore.dispatcher]):
    """Descriptors and their Waitress objects, registered for what each wants to do."""

    def __init__(self) -> None:
        super().__init__()
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        self._poller = self._epoll or select.poll()
        self._interest: dict[int, int] = {}

    def __setitem__(self, descriptor: int, thing: wasyncore.dispatcher) -> None:
        self._poller.register(descriptor, IN)
        self._interest[descriptor] = IN
        super().__setitem__(descriptor, thing)

    def __delitem__(self, descriptor: int) -> None:
        super().__delitem__(descriptor)
        if self._interest.pop(descriptor, None) is not None:
            self._poller.unregister(descriptor)

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        """Return (descriptor, flags) of what is ready, after at most `seconds`."""
        return self._poller.poll(seconds if self._epoll else seconds * 1000)

    def refresh(self, descriptor: int, thing: wasyncore.dispatcher) -> None:
        """Ask `thing` what it wants to do now, and tell the poller when that has changed."""
        wanted = IN if thing.readable() else 0
        if not thing.accepting and thing.writable():
            wanted |= OUT
        if wanted != self._interest.get(descriptor, wanted):
            self._poller.modify(descriptor, wanted)
            self._interest[descriptor] = wanted

    def abandon(self) -> None:
        """In a forked child: close its copies. The epoll itself is shared with the parent and keeps what is in it."""
        if self._epoll:
            self._epoll.close()
        self._interest.clear()
        for thing in self.values():
            if thing.socket is not None:
                thing.socket.close()
        self.clear()

    def close(self) -> None:
        """Close everything that is in the map, and the poller."""
        wasyncore.close_all(self, ignore_all=True)  # type: ignore[arg-type] # typeshed takes the values for sockets
        if self._epoll:
            self._epoll.close()


def turn(sockets: PollMap, seconds: float) -> None:
    """Wait for at most `seconds`, then do what is ready."""
    for descriptor, flags in sockets.wait(seconds):
        thing = sockets.get(descriptor)
        if thing is not None:
            wasyncore.readwrite(thing, flags)
            if descriptor in sockets:
                sockets.refresh(descriptor, thing)


class PipeEnd(wasyncore.file_dispatcher):
    """The reading end of a pipe, in a map of sockets."""

    _fileno: int | None

    def __init__(self, descriptor: int, sockets: PollMap) -> None:
        super().__init__(descriptor, sockets)  # type: ignore[arg-type] # typeshed takes descriptors for files

    def writable(self) -> bool:
        """Never write."""
        return False

    def handle_read(self) -> None:
        """Take what was written, or its end."""
        got = os.read(self._fileno, 64) if self._fileno is not None else b""
        self.taken(got)
        if not got:
            self.close()

    def handle_close(self) -> None:
        """The writing end is closed, and all that it wrote has been read."""
        self.taken(b"")
        self.close()

    def taken(self, data: bytes) -> None:
        """Do something with `data`; nothing means that there will be no more."""
