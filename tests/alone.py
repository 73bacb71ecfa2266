"""Run the pipeline where there is no network but loopback, with mirrors on it: `python -m tests.alone DIR… -- WORD…`.

It is to be started in a network namespace of its own. Each directory is served on a port, and named as a mirror in this
order.
"""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from shipseal.tools import loopback
from tests.commands import arguments
from tests.origins import served


def main() -> int:
    """Serve the directories for as long as the command runs; return its exit code."""
    at = sys.argv.index("--")
    loopback.bring_up()
    with ExitStack() as servers:
        mirrors = [servers.enter_context(served(Path(directory))) for directory in sys.argv[1:at]]
        environment = {**os.environ, "PIPELINE_MIRROR": " ".join(mirrors)}
        return subprocess.run(arguments(*sys.argv[at + 1 :]), env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
