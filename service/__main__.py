"""Run the service: `python -m service`, with settings from the environment."""

from __future__ import annotations

import sys

from service import __version__
from service.listen import ListenError
from service.settings import SettingError, Settings, help_text
from service.supervisor import Supervisor


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
        supervisor = Supervisor(Settings.from_environment())
    except (SettingError, ListenError) as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 2
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
