"""`python -m shipseal.engine.offline HOW COMMAND`: in an empty network namespace, run a command, unprivileged.

Dagger cannot start a container without a network. So a stage that needs none is started with the right to make a
network namespace, makes an empty one (`unshare --net`), and comes here, which gives every right away before the command
starts: neither it nor what it runs can get the network back. HOW is `without-privilege`; or `within-namespaces` for
what `unshare --user` has started: its rights end at namespaces that are its own, so it keeps those.
"""

import os
import sys
from pathlib import Path

from shipseal.tools import loopback

_DEVICES = {"full", "null", "random", "tty", "urandom", "zero"}  # what containers have, and holds nothing (OCI runtime)

# A process of root may write kernel settings whose files root owns, without any capability: /proc becomes read-only.
_SEALED = ("sh", "-euc", 'mount -o remount,bind,ro /proc; exec "$@"', "sh")
_GIVE_UP = {
    "without-privilege": (*_SEALED, "setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"),
    # Whoever mounts a /proc in a namespace needs one here that is whole (mount_namespaces(7)).
    "within-namespaces": ("setpriv", "--no-new-privs", "--"),
}


def main(how: str, command: list[str]) -> None:
    """Replace this process by the command."""
    loopback.bring_up()
    for path in Path("/dev").iterdir():
        device = not path.is_symlink() and (path.is_block_device() or path.is_char_device())
        if device and path.name not in _DEVICES:
            path.unlink()  # the engine's host is behind it, and nobody in here may make it again
    argv = [*_GIVE_UP[how], *command]
    os.execvp(argv[0], argv)  # noqa: S606 - it replaces this process, it starts none


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
