"""Say what the locks ask for, and what of it a store has."""

import platform as machine
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from shipseal.digest import Digest
from shipseal.disk import text_of
from shipseal.documents.inputs import InputPackage, InputsDocument, InputTool, InputWheel
from shipseal.documents.tools import StoredTool, ToolsDocument
from shipseal.errors import ConfigError, ToolFailed, VerificationFailed
from shipseal.locked import debian, locks, wheels
from shipseal.locked.debian import DebianPackage
from shipseal.locked.fetch_debian import filename
from shipseal.locked.locks import LockedTool, Requirement
from shipseal.locked.store import Store
from shipseal.locked.wheels import Wheel, WheelTarget
from shipseal.project.config import HOME, Config

TOOLS = HOME / "tools"
"""The module graphs of the tools, and their lock."""

CLUSTER = TOOLS / "cluster.lock.toml"
"""The lock of the programs of a local cluster."""

SIGSTORE = TOOLS / "sigstore.lock.toml"
"""The lock of Sigstore's own services, which tests start."""

OWN_PACKAGES = HOME / "image" / "debian.lock.toml"
"""The pipeline's own lock of Debian packages: what `smoke` takes from it does not depend on the project."""


@dataclass(frozen=True)
class Group:
    """Python packages for one purpose: `build`, `runtime` and `test` on this machine, or an image's platform."""

    name: str
    target: WheelTarget
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True)
class Missing:
    """What a store does not have; false when that is nothing."""

    wheels: tuple[Group, ...]
    packages: tuple[DebianPackage, ...]
    tools: tuple[LockedTool, ...]

    def __bool__(self) -> bool:
        """Say whether anything is missing."""
        return bool(self.wheels or self.packages or self.tools)

    def names(self) -> list[str]:
        """Return a line for each thing that is missing."""
        return [
            *(f"{wheel} for {group.name}" for group in self.wheels for wheel in group.requirements),
            *(f"{package.name} {package.version} ({package.architecture})" for package in self.packages),
            *(f"{tool.name} {tool.version}" for tool in self.tools),
        ]


@dataclass(frozen=True)
class Inputs:
    """Everything locked that comes from outside: wheels by purpose, Debian packages by platform, tools."""

    wheels: tuple[Group, ...]
    packages: Mapping[str, tuple[DebianPackage, ...]]
    tools: tuple[LockedTool, ...]
    platform: str

    @classmethod
    def of(cls, config: Config) -> Self:
        """Read the locks that a configuration names; raise `ConfigError` with the file and line at fault."""
        tools, here = _tools()
        lock = packages_of(config)
        runtime = lock.runtime
        tested = [here] if config.smoke.suite and here in config.image.platforms else []
        purposes = [
            ("build", wheels.running(), config.service.build_lock),
            ("runtime", wheels.running(), config.service.lock),
            ("test", wheels.running(), config.test.lock),
            *((platform, wheels.image(platform, runtime), config.service.lock) for platform in config.image.platforms),
            *((f"suite/{platform}", wheels.image(platform, runtime), config.test.lock) for platform in tested),
        ]
        packages = dict.fromkeys(config.image.platforms, config.image.extra_packages)
        packages |= {f"suite/{platform}": config.smoke.packages for platform in tested}
        selected = {name: tuple(lock.select(name.removeprefix("suite/"), extra)) for name, extra in packages.items()}
        return cls(
            tuple(_group(name, target, named, config.root) for name, target, named in purposes),
            {**selected, "sandbox": sandbox()},
            tools,
            here,
        )

    def with_containers(self) -> Self:
        """Add what the container of a stage runs with, which on this machine is installed already."""
        lock = HOME / "requirements.lock"
        return replace(self, wheels=(*self.wheels, _group("shipseal", wheels.image(self.platform), lock, HOME)))

    @classmethod
    def of_tools(cls) -> Self:
        """Read the lock of the tools alone, which needs no configuration."""
        return cls((), {}, *_tools())

    @classmethod
    def of_cluster(cls) -> Self:
        """Read the lock of what a local cluster is started from: a lock of its own, for no stage needs any of it."""
        return cls((), {}, *_tools(CLUSTER))

    @classmethod
    def of_sigstore(cls) -> Self:
        """Read the lock of Sigstore's own services, which no stage needs either."""
        return cls((), {}, *_tools(SIGSTORE))

    def locked(self) -> dict[str, Digest]:
        """Return the sha256 of each locked tool for this machine; raise `ToolFailed` where none is locked for it."""
        return {tool.name: tool.digest(self.platform) for tool in self.tools}

    def missing(self, store: Store, has: Callable[[Digest], bool]) -> Missing:
        """Return what a store lacks by a test of your choice: `store.has`, or `store.intact`, which hashes all."""
        groups = [
            Group(
                group.name,
                group.target,
                tuple(item for item in group.requirements if not _chosen(item, group.target, store, has)),
            )
            for group in self.wheels
        ]
        return Missing(
            tuple(group for group in groups if group.requirements),
            tuple(
                {
                    item.digest: item for items in self.packages.values() for item in items if not has(item.digest)
                }.values()
            ),
            tuple(tool for tool in self.tools if not has(tool.digest(self.platform))),
        )

    def named(self) -> set[Digest]:
        """Return every digest that the locks name, for any platform: what a shared store should keep."""
        return {
            *(digest for group in self.wheels for item in group.requirements for digest in item.hashes),
            *(item.digest for items in self.packages.values() for item in items),
            *(digest for tool in self.tools for digest in tool.digests.values()),
        }

    def listing(self, store: Store) -> InputsDocument:
        """Describe everything by name, version, file name and digest; this is `inputs.json`.

        Wheels and packages are verified now; of the tools it is what the lock says, see `verified_tools`.

        Raises:
            ToolFailed: something is missing.
            VerificationFailed: something was altered.
        """
        return InputsDocument(
            wheels={
                group.name: tuple(_wheel(item, group.target, store) for item in group.requirements)
                for group in self.wheels
            },
            debian={
                platform: tuple(_package(item, store) for item in items) for platform, items in self.packages.items()
            },
            tools={
                tool.name: InputTool(version=tool.version, digest=tool.digest(self.platform)) for tool in self.tools
            },
        )

    def verified_tools(self, store: Store) -> ToolsDocument:
        """Describe the tools, each verified now, and say where each came from; this is `tools.json`.

        Raises:
            ToolFailed: one is missing, or was altered.
        """
        return ToolsDocument({tool.name: _tool(tool, self.platform, store) for tool in self.tools})


def packages_of(config: Config) -> debian.Lock:
    """Read the lock of an image's Debian packages; raise `ConfigError` where it is none."""
    return _packages(config.image.package_lock)


def sandbox() -> tuple[DebianPackage, ...]:
    """Return what `smoke` starts images in on a machine that has nothing for it: bubblewrap, for this architecture."""
    return _packages(OWN_PACKAGES).find("bubblewrap", _here())


def _group(name: str, target: WheelTarget, lock: Path, root: Path) -> Group:
    source = str(lock.relative_to(root)) if lock.is_relative_to(root) else str(lock)
    return Group(name, target, locks.applying(locks.requirements(_read(lock), source), target.environment))


def _tools(path: Path = TOOLS / "tools.lock.toml") -> tuple[tuple[LockedTool, ...], str]:
    return tuple(locks.tools(_read(path), str(path)).values()), _here()


def _here() -> str:
    return locks.platform_name("linux", machine.machine())


def _packages(path: Path) -> debian.Lock:
    return debian.Lock.parse(_read(path), str(path))


def _read(path: Path) -> str:
    try:
        return text_of(path)
    except (OSError, ValueError) as failure:
        raise ConfigError(
            f"the lock {path} cannot be read",
            why=str(failure),
            remedy="name another in pipeline.toml, or make this one",
        ) from failure


def _chosen(item: Requirement, target: WheelTarget, store: Store, has: Callable[[Digest], bool]) -> Wheel | None:
    names = {digest: name for digest in item.hashes if (name := store.filename(digest)) and has(digest)}
    return wheels.choose(item, names, target)


def _wheel(item: Requirement, target: WheelTarget, store: Store) -> InputWheel:
    wheel = _chosen(item, target, store, store.has)
    if wheel is None:
        raise ToolFailed(f"{item} for {target.name} is not in the store {store.root}")
    store.get(wheel.digest)
    return InputWheel(name=wheel.name, version=wheel.version, filename=wheel.filename, digest=wheel.digest)


def _package(item: DebianPackage, store: Store) -> InputPackage:
    store.get(item.digest)
    return InputPackage(
        name=item.name,
        version=item.version,
        architecture=item.architecture,
        filename=filename(item),
        digest=item.digest,
    )


def _tool(tool: LockedTool, platform: str, store: Store) -> StoredTool:
    digest = tool.digest(platform)
    try:
        store.get(digest)
    except VerificationFailed as failure:  # a tool that is not the one locked is a failed tool, whoever changed it
        raise ToolFailed(failure.what, why=failure.why, remedy=failure.remedy) from failure
    return StoredTool(version=tool.version, digest=digest, source=store.origin(digest))
