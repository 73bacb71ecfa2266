"""`python -m pipeline`."""

import gc
import signal
import sys
from typing import NoReturn

from pipeline.errors import Stopped


def _stop(*_: object) -> NoReturn:
    """Unwind, so that what has begun is ended and cleaned up, also where no event loop listens for the signal."""
    raise Stopped


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    try:
        from pipeline.cli import load, main

        load(sys.argv[1:])
    except (KeyboardInterrupt, Stopped) as stopped:
        sys.stderr.write("stopped: nothing had begun\n")
        sys.exit(128 + (signal.SIGTERM if isinstance(stopped, Stopped) else signal.SIGINT))

    gc.freeze()  # what is imported stays; to look for rubbish in it again and again is time lost
    gc.set_threshold(20_000)  # syntax trees are many small things, and hardly any of them is rubbish
    sys.exit(main())
