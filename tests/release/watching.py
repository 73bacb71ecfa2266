"""Look at what runs on this machine while something runs: command lines, which everybody sees, and environments."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_EVERY = 0.01  # seconds; the shortest-lived of the tools runs for about 0.05


@dataclass(frozen=True)
class Seen:
    """The processes that were seen: the command line of each, with the environments that it had."""

    processes: dict[str, set[str]] = field(default_factory=dict)

    def look(self) -> None:
        """Look once, at everything but this process."""
        for entry in Path("/proc").glob("[0-9]*"):
            if int(entry.name) == os.getpid():
                continue
            try:
                line, environment, again = ((entry / name).read_bytes() for name in ("cmdline", "environ", "cmdline"))
            except OSError:
                continue
            if line != again:  # it became another program in between: the environment may belong to either
                continue
            self.processes.setdefault(_text(line), set()).add(_text(environment))

    def holding(self, secret: str) -> set[str]:
        """Return the command lines of those that had a secret in their environment."""
        return {line for line, environments in self.processes.items() if any(secret in each for each in environments)}


@contextmanager
def watching() -> Iterator[Seen]:
    """Watch for as long as the block runs."""
    seen, stop = Seen(), threading.Event()

    def watch() -> None:
        while not stop.wait(_EVERY):
            seen.look()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def files_with(secret: str, *directories: Path) -> list[Path]:
    """Return the files below some directories that hold a secret."""
    files = (path for directory in directories for path in directory.rglob("*") if path.is_file())
    return [path for path in files if secret.encode() in path.read_bytes()]


def _text(data: bytes) -> str:
    return data.replace(b"\0", b" ").decode("utf-8", "replace")
