"""Run the service: `python -m service`, with settings from the environment."""

from __future__ import annotations

import sys
from signal import SIGINT, SIGTERM, signal

SIGNALS: list[int] = []  # that have arrived
if __name__ == "__main__":  # before the imports, which take time: as PID 1, a signal without a handler is lost
    for _number in (SIGTERM, SIGINT):
        signal(_number, lambda got, _: SIGNALS.append(got))

from service import __version__  # noqa: E402
from service.listen import ListenError  # noqa: E402
from service.settings import SettingError, Settings, help_text  # noqa: E402
from service.supervisor import StartError, Supervisor  # noqa: E402


def main(arguments: list[str]) -> int:
    """Serve until a signal, and return the exit status: 2 for a setting or port that cannot be used."""
    if arguments in (["--help"], ["-h"]):
        sys.stdout.write(help_text() + "\n")
        return 0
    if arguments == ["--version"]:
        sys.stdout.write(__version__ + "\n")
        return 0
    if arguments:
        sys.stderr.write("error: no arguments are known but --help and --version; settings come from the environment\n")
        return 2
    try:
        return Supervisor(Settings.from_environment(), SIGNALS).run()
    except (SettingError, ListenError, StartError) as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
