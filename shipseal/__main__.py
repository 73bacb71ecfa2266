"""`shipseal`, or `python -m shipseal`."""

import sys

# -m has put the directory that one stands in before everything else. A project's `queue.py` is no module of ours; and
# who cannot trust it says `python -P -m shipseal`, for by now Python itself has looked there.
if __name__ == "__main__" and not (sys.flags.safe_path or __file__.startswith(f"{sys.path[0]}/")):
    del sys.path[0]

import ctypes
import gc
import signal
from contextlib import suppress
from typing import NoReturn

from shipseal.errors import Stopped

_MMAP_THRESHOLD = -3  # mallopt(3), M_MMAP_THRESHOLD


def _stop(*_: object) -> NoReturn:
    """Unwind, so that what has begun is ended and cleaned up, also where no event loop listens for the signal."""
    raise Stopped


def _give_back_memory() -> None:
    """Have glibc give the system back what a large buffer took: from the first that is freed it learns to keep them."""
    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 1 << 20)


def start() -> int:
    """Run what was typed; the console script of an installed pipeline calls this."""
    _give_back_memory()
    signal.signal(signal.SIGTERM, _stop)
    try:
        from shipseal.cli import load, main  # noqa: PLC0415 - a signal meanwhile finds nothing begun

        load(sys.argv[1:])
    except (KeyboardInterrupt, Stopped) as stopped:
        sys.stderr.write("stopped: nothing had begun\n")
        return 128 + (signal.SIGTERM if isinstance(stopped, Stopped) else signal.SIGINT)

    gc.freeze()  # what is imported stays; to look for rubbish in it again and again is time lost
    gc.set_threshold(20_000)  # syntax trees are many small things, and hardly any of them is rubbish
    return main()


if __name__ == "__main__":
    sys.exit(start())
