"""`python -m pipeline.offline COMMAND`: in an empty network namespace, run a command with loopback and no privilege.

Dagger cannot start a container without a network. So a stage that needs none is started with the right to make a
network namespace, makes an empty one (`unshare --net`), and comes here, which gives every right away before the command
starts: neither it nor what it runs can get the network back.
"""

import os
import sys

from pipeline import loopback

_GIVE_UP = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--")


def main(command: list[str]) -> None:
    """Replace this process by the command."""
    loopback.bring_up()
    os.execvp(_GIVE_UP[0], [*_GIVE_UP, *command])  # noqa: S606 - it replaces this process, it starts none


if __name__ == "__main__":
    main(sys.argv[1:])
