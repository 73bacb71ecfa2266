"""Look at this machine: Python and its packages, the store and what it lacks, room on the disk.

Nothing is written, fetched or kept.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from importlib import metadata
from pathlib import Path

from shipseal.locked import locks
from shipseal.locked.inputs import Inputs
from shipseal.locked.store import Store
from shipseal.project.config import HOME, Config
from shipseal.tools.environment import find

_ROOM = {"run": 1, "store": 6}  # GB: a run directory; the tools with Go's caches while they are built
_GIGABYTE = 1_000_000_000


class CheckState(Enum):
    """What was found."""

    THERE = "ok"
    OPTIONAL = "without"  # a dry run does well without it
    MISSING = "MISSING"


@dataclass(frozen=True)
class CheckResult:
    """One thing that was looked for: what was found, and what to do when it is not there."""

    name: str
    state: CheckState
    what: str
    remedy: str = ""


def python() -> Iterator[CheckResult]:
    """Compare this interpreter, and the packages that it runs with, to the lock."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield CheckResult("python", CheckState.THERE, f"{version}, {sys.executable}")
    locked = locks.requirements((HOME / "requirements.lock").read_text(encoding="utf-8"), "requirements.lock")
    differing = [f"{each} (here {_installed(each.name)})" for each in locked if _installed(each.name) != each.version]
    if differing:
        what = f"{len(differing)} differ from requirements.lock: {', '.join(differing[:3])}"
        yield CheckResult(
            "packages", CheckState.MISSING, what, "run this from the environment that `make test` sets up, .venv"
        )
    else:
        yield CheckResult("packages", CheckState.THERE, f"{len(locked)} as locked")


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"


def store(shelf: Store, config: Config | None) -> Iterator[CheckResult]:
    """Look for the locked tools, wheels and packages in the store; each that is there is hashed."""
    if not shelf.root.is_dir():
        yield CheckResult("store", CheckState.MISSING, f"{shelf.root} is not there yet", _FILL)
        return
    access = "writable" if os.access(shelf.root, os.W_OK) else "read-only, which is enough"
    entries = list(shelf.entries())
    size = sum(entry.size for entry in entries) / _GIGABYTE
    yield CheckResult("store", CheckState.THERE, f"{shelf.root}: {len(entries)} files, {size:.1f} GB, {access}")
    inputs = Inputs.of(config) if config else Inputs.of_tools()
    missing = inputs.missing(shelf, shelf.intact).names()
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        yield CheckResult("inputs", CheckState.MISSING, f"missing or altered: {', '.join(missing[:5])}{more}", _FILL)
        yield from _sources()
    else:
        yield CheckResult(
            "inputs", CheckState.THERE, "every tool, wheel and package that the locks name, each as locked"
        )


_FILL = "run `make tools` or `shipseal store fetch` with a network, or `store import FILE` without one"


def _sources() -> Iterator[CheckResult]:
    """Say how the missing inputs could be fetched here: only asked when some are missing."""
    go = find("go")
    yield CheckResult(
        "go", CheckState.THERE if go else CheckState.OPTIONAL, go or "none: a pinned one is fetched to build the tools"
    )
    release = _os_release()
    debian = release.get("ID") == "debian" and release.get("VERSION_ID") == "12" and find("apt-get")
    if debian or os.environ.get("DEBIAN_MIRROR"):
        yield CheckResult("debian", CheckState.THERE, "apt of Debian 12" if debian else "the mirror of DEBIAN_MIRROR")
    else:
        what = f"this is {release.get('PRETTY_NAME', sys.platform)}, whose apt has other packages than the image needs"
        yield CheckResult("debian", CheckState.OPTIONAL, what, "set DEBIAN_MIRROR, or fill the store on a Debian 12")


def _os_release() -> dict[str, str]:
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return {}
    pairs = (line.partition("=") for line in text.splitlines())
    return {key: value.strip('"') for key, _, value in pairs}


def disk(run_dir: Path, shelf: Store) -> Iterator[CheckResult]:
    """Compare the free space where runs and the store are with what they take."""
    for name, path in (("run", run_dir), ("store", shelf.root)):
        place = next(parent for parent in (path, *path.parents) if parent.exists())
        free = shutil.disk_usage(place).free / _GIGABYTE
        state = CheckState.THERE if free >= _ROOM["run"] else CheckState.MISSING
        remedy = f"make room: a run takes 1 GB, and building the tools {_ROOM['store']} GB"
        yield CheckResult(
            f"disk ({name})", state, f"{free:.0f} GB free at {place}", "" if state is CheckState.THERE else remedy
        )
