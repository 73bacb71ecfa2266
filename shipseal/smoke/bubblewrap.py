"""Find bubblewrap: this machine's, else the one that is locked with the Debian packages."""

from pathlib import Path

from shipseal.engine.stage import Context
from shipseal.formats import deb
from shipseal.image.tree import Component
from shipseal.locked import inputs
from shipseal.tools.environment import find

NAME = "bwrap"


def program(context: Context, work: Path) -> str | Path:
    """Return what starts bubblewrap: its name where this machine has it, else where the locked one was unpacked.

    This machine's comes first, because some systems let only the one that they installed make namespaces (AppArmor).
    The locked one runs with this machine's libraries: libc, libcap and libselinux, which are in the smallest Debian.
    """
    missing = NAME in context.stage.tools and find(NAME) is None
    for package in inputs.sandbox() if missing else ():
        if context.store.has(package.digest):
            component = Component("deb", package.name, package.version, package.architecture)
            context.material(component.purl, package.digest)
            return _unpacked(context.store.get(package.digest), work / NAME)
    return NAME


def _unpacked(package: Path, program: Path) -> Path:
    """Take the one program out of the locked Debian package, without installing that."""
    with package.open("rb") as stream:
        for member in deb.members(stream, package.name):
            if member.path == f"usr/bin/{NAME}" and member.stream:
                program.write_bytes(member.stream.read())
    program.chmod(0o755)
    return program
