"""Start an image's interpreter in namespaces of its own, by bubblewrap."""

from collections.abc import Mapping
from pathlib import Path

from shipseal.errors import ConfigError
from shipseal.image.rootfs import USER
from shipseal.project.smoke import MOUNT
from shipseal.smoke.inside import Command, writable

APART = "/var/apart"
"""Where a copy of the image's files is seen, by which whoever asks or tests the service is started, and not the
service: so what is opened of the image's own files, the service has opened, or what a test starts."""

EMULATOR = "/emulator"
"""Where a program of another architecture finds what runs it."""

_SETTINGS = Path("/proc/sys")
# What keeps users from making namespaces (user_namespaces(7)), its value that does, and what to do about it.
_FORBIDDING = (
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "let bwrap make them by a profile in /etc/apparmor.d that says `userns,`, or type `sudo sysctl -w "
        "kernel.apparmor_restrict_unprivileged_userns=0`",
    ),
    ("kernel/unprivileged_userns_clone", "0", "type `sudo sysctl -w kernel.unprivileged_userns_clone=1`"),
    ("user/max_user_namespaces", "0", "type `sudo sysctl -w user.max_user_namespaces=10000`"),
)


def command(
    program: str | Path,
    root: Path,
    python: str,
    named: tuple[str, ...],
    emulator: Path | None = None,
    apart: Path | None = None,
) -> Command:
    """Return how the interpreter below a root is started.

    Args:
        program: starts bubblewrap.
        root: where the image's files lie; what is mounted gets its place there.
        python: the interpreter, in the image.
        named: the directories that the program may write, in memory.
        emulator: runs programs of another architecture, where they are. It never is the first process: it could not
            end by a signal that it sends to itself, as a server does that raises again the one that it has caught
            (the kernel gives the first process no default action, pid_namespaces(7), and qemu waits for it for ever).
        apart: a copy of the image's files, whose interpreter is the one that is started.

    Raises:
        ConfigError: a directory of `named` is something else in the image.
    """
    for mount in ("/proc", "/dev", *named):  # a container's runtime makes these; in the image they are not
        _make_place(root, mount)
    through: list[str | Path] = ["--ro-bind", emulator, EMULATOR] if emulator else []
    if emulator:
        (root / EMULATOR[1:]).touch()
    if apart:
        through += ["--ro-bind", apart, APART]
        _make_place(root, APART)
    started = f"{APART if apart else ''}{python}"

    def start(environment: Mapping[str, str], beside: Path | None) -> list[str | Path]:
        settings = [part for key, value in environment.items() for part in ("--setenv", key, value)]
        lent: list[str | Path] = []
        if beside:
            lent += ["--ro-bind", beside, MOUNT]
            _make_place(root, MOUNT)
        for path in writable(named, beside):
            lent += ["--tmpfs", path]
            _make_place(root, path)
        # Else the first process is bubblewrap's own, which reaps orphans.
        first = [] if beside or emulator else ["--as-pid-1"]
        return [
            program, "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net",
            "--unshare-cgroup-try", "--uid", str(USER), "--gid", str(USER), "--cap-drop", "ALL", "--new-session",
            "--die-with-parent", "--ro-bind", root, "/", *through, *lent, *first,
            # What root has started may write the kernel's settings without a capability: it is they that root owns.
            "--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev",
            "--chdir", "/", "--clearenv", *settings, *([EMULATOR] if emulator else []), started,
        ]  # fmt: skip

    return start


def _make_place(root: Path, mount: str) -> None:
    """Make a directory of the image to mount something on, and follow no link of the image's on the way."""
    place = root
    for part in mount.strip("/").split("/"):
        place /= part
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise ConfigError(
                f"smoke.writable cannot name {mount}",
                why=f"/{place.relative_to(root)} is a {'link' if place.is_symlink() else 'file'} in the image",
                remedy="name a directory",
            )
        place.mkdir(exist_ok=True)


def forbidden(settings: Path = _SETTINGS) -> str:
    """Return which setting of this machine keeps its users from making namespaces, and the remedy; or nothing."""
    for name, value, remedy in _FORBIDDING:
        try:
            if (settings / name).read_text(encoding="ascii").strip() == value:
                return f"{name.replace('/', '.')} is {value} here, which forbids namespaces: {remedy}"
        except OSError:
            continue
    return ""
