"""Notice which files are opened, without slowing down whoever opens them: inotify(7), one event a file.

The kernel tells of a file and not of who opened it, in whatever namespace that was; nothing is started and nothing is
traced, so tests that measure time measure the same as before.
"""

import ctypes
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from shipseal.digest import Digest
from shipseal.documents.smoke import NotWatched, TraceDocument, Watched, Workload

_OPEN, _ONCE = 0x20, 0x80000000
_EVENT = struct.Struct("iIII")
# Read by scanners and people, and by no program.
_RECORDS = ("var/lib/dpkg/", "usr/share/", "etc/", "usr/lib/os-release")
HOW = "inotify on the image's unpacked files"
CANNOT_SEE = (
    "who opened a file while the tests ran: the service, or something else that a test has started on the image's "
    "files; so a file is told as the service's only if it was opened before, when nothing else ran on them. Who asks, "
    "and pytest, run on a copy, but for the interpreter's loader and libraries, which the service opens as well",
    "whether an opened file was needed",
    "modules that are frozen into the interpreter, which have no file",
)


@dataclass
class FileWatch:
    """Files that nobody has opened yet.

    Args:
        root: where the files lie.
        files: their paths below it; links and what is not there are passed over.
    """

    root: Path
    files: Iterable[str]
    _queue: int = -1
    _names: dict[int, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Begin; raise `OSError` where the kernel has no inotify or no room."""
        libc = ctypes.CDLL(None, use_errno=True)
        self._queue = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._queue < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        for name in self.files:
            path = self.root / name
            if path.is_file() and not path.is_symlink():
                watch = libc.inotify_add_watch(self._queue, os.fsencode(path), ctypes.c_uint32(_OPEN | _ONCE))
                if watch < 0:
                    os.close(self._queue)
                    raise OSError(ctypes.get_errno(), "inotify_add_watch")
                self._names[watch] = name
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        os.close(self._queue)

    @property
    def watched(self) -> set[str]:
        """The files that are watched."""
        return set(self._names.values())

    def opened(self) -> set[str]:
        """Return what was opened since the last call; each file is told once."""
        found = set()
        while data := self._read():
            at = 0
            while at < len(data):
                watch, mask, _, length = _EVENT.unpack_from(data, at)
                at += _EVENT.size + length
                if mask & _OPEN:
                    found.add(self._names[watch])
        return found

    def _read(self) -> bytes:
        try:
            return os.read(self._queue, 65536)
        except BlockingIOError:
            return b""


def report(
    files: Iterable[str], by_service: set[str], by_tests: set[str], *, platform: str, digest: Digest, workload: Workload
) -> TraceDocument:
    """Say of an image's files who opened them; the names are those whose need the service's start does not show.

    Args:
        files: all that were watched.
        by_service: what was opened while nothing but the service ran on them.
        by_tests: what was opened afterwards, while the tests ran.
        platform: what was started.
        digest: its manifest.
        workload: what it was asked to do.
    """
    every = set(files)
    records = {path for path in every if path.startswith(_RECORDS) or ".dist-info/" in path}
    rest = every - records - by_service
    seen = Watched(
        platform=platform,
        digest=digest,
        workload=workload,
        how=HOW,
        cannot_see=CANNOT_SEE,
        files=len(every),
        records=len(records),
        opened_by_the_service=len(by_service - records),
        loaded=tuple(sorted(by_service - records)),
        opened_during_tests_only=tuple(sorted(rest & by_tests)),
        never_opened=tuple(sorted(rest - by_tests)),
    )
    return TraceDocument(seen)


def modules(paths: Iterable[str]) -> frozenset[str]:
    """Return the files with code in them: what a trace says is worth what it has seen of the service's own."""
    return frozenset(path for path in paths if path.endswith((".py", ".pyc", ".so")))


def unknown(isolation: str) -> TraceDocument:
    """Say that nobody knows, and why."""
    why = f"with {isolation} the image's files do not lie where they can be watched"
    return TraceDocument(NotWatched(why=why))
