"""Decide which wheel stands for a locked requirement on a target: an interpreter, its platform tags, its markers. Pure.

Wheel names and tags: PyPA specifications, "Binary distribution format" and "Platform compatibility tags".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from packaging.markers import default_environment
from packaging.tags import Tag, compatible_tags, cpython_tags, sys_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from shipseal.digest import Digest
from shipseal.errors import ConfigError
from shipseal.locked.locks import Requirement
from shipseal.runtime import BOOKWORM, Runtime

_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}  # PEP 600, "Legacy manylinux tags"
_MACHINES = {"linux/amd64": ("x86_64", 5), "linux/arm64": ("aarch64", 17)}  # and the oldest glibc with wheels


@dataclass(frozen=True)
class WheelTarget:
    """Where wheels will be installed.

    Args:
        name: what messages call it.
        environment: the values of PEP 508's marker variables there.
        tags: what its interpreter takes, the best first.
        platforms: its platform tags, the best first; none for the interpreter that runs this.
    """

    name: str
    environment: Mapping[str, str]
    tags: tuple[Tag, ...]
    platforms: tuple[str, ...] = ()

    @property
    def interpreter(self) -> str:
        """The tag of its interpreter, such as `cp311`."""
        return self.tags[0].interpreter


@dataclass(frozen=True)
class Wheel:
    """A wheel that stands for a requirement."""

    name: str
    version: str
    filename: str
    digest: Digest

    @property
    def purl(self) -> str:
        """Return its package URL (purl-spec, type pypi)."""
        return f"pkg:pypi/{self.name}@{self.version}"


def running() -> WheelTarget:
    """Return the interpreter that runs this as a target."""
    environment = {key: str(value) for key, value in default_environment().items()}
    return WheelTarget("this machine", environment, tuple(sys_tags()))


def image(platform: str, runtime: Runtime = BOOKWORM) -> WheelTarget:
    """Return an image's interpreter on a platform; raise `ConfigError` for a platform that images are not made for."""
    if platform not in _MACHINES:
        raise ConfigError(
            f"no image can be made for {platform}", remedy=f"name platforms among {', '.join(sorted(_MACHINES))}"
        )
    machine, oldest = _MACHINES[platform]
    platforms = tuple(_manylinux(machine, oldest, runtime.glibc))
    python = runtime.version
    interpreter = f"cp{python[0]}{python[1]}"
    tags = (*cpython_tags(python, [interpreter], platforms), *compatible_tags(python, interpreter, platforms))
    return WheelTarget(platform, _environment(machine, runtime), tags, platforms)


def choose(requirement: Requirement, names: Mapping[Digest, str], target: WheelTarget) -> Wheel | None:
    """Return the best of the wheels at hand that the lock allows and the target takes; None when there is none.

    Args:
        requirement: what the lock says.
        names: the file name of each file at hand; those that the lock does not name do not count.
        target: where it will be installed.

    Raises:
        ConfigError: a file that the lock names is a wheel of another package or version.
    """
    ranks = {tag: rank for rank, tag in enumerate(target.tags)}
    fitting: list[tuple[int, str, Digest]] = []
    for digest in requirement.hashes & names.keys():
        best = min((ranks[tag] for tag in _tags(names[digest], requirement) if tag in ranks), default=None)
        if best is not None:
            fitting.append((best, names[digest], digest))
    if not fitting:
        return None
    _, filename, digest = min(fitting)
    return Wheel(requirement.name, requirement.version, filename, digest)


def _tags(filename: str, requirement: Requirement) -> frozenset[Tag]:
    """Return what a wheel fits; nothing for a file that is no wheel: nothing is compiled here."""
    try:
        name, version, _, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return frozenset()
    if name != requirement.name or version != Version(requirement.version):
        raise ConfigError(
            f"{requirement.where}: a hash of {requirement} belongs to {filename}",
            remedy="make the lock again with `shipseal update-locks`",
        )
    return tags


def _manylinux(machine: str, oldest: int, newest: int) -> Iterator[str]:
    for minor in range(newest, oldest - 1, -1):
        yield f"manylinux_2_{minor}_{machine}"
        if minor in _LEGACY:
            yield f"{_LEGACY[minor]}_{machine}"
    yield f"linux_{machine}"


def _environment(machine: str, runtime: Runtime) -> dict[str, str]:
    return {
        "implementation_name": "cpython",
        "implementation_version": runtime.full,
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": runtime.full,
        "python_version": runtime.python,
        "sys_platform": "linux",
    }
