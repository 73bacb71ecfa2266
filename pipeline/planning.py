"""Bring everything for one platform's image together in a tree, and decide what of it the image holds."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from pipeline import oci, selection, wheels
from pipeline.catalogue import modules
from pipeline.closure import Closure, close
from pipeline.config import Config
from pipeline.debian import Lock
from pipeline.errors import SubjectFailed
from pipeline.start import start
from pipeline.tree import Component, File, Tree, unpack_deb, unpack_wheel


@dataclass(frozen=True)
class Interior:
    """What the interpreter brings without files: modules that are built into it, and those frozen into it."""

    builtin: frozenset[str]
    frozen: frozenset[str]


@dataclass(frozen=True)
class Plan:
    """What one platform's image will hold, and how it starts.

    Args:
        kept: paths of the tree's files that are in the image.
    """

    tree: Tree
    service: Component
    entrypoint: tuple[str, ...]
    closure: Closure
    kept: set[str]


def unpack(tree: Tree, parts: Iterable[tuple[Component, Path]], service: Path, platform: str) -> None:
    """Unpack packages, locked wheels and the service's wheel.

    Raises:
        SubjectFailed: one is damaged, brings what no image may hold, or does not fit the platform or the others.
    """
    for component, path in parts:
        (unpack_deb if component.type == "deb" else unpack_wheel)(tree, path, component)
    tree.service = _service(service, platform)
    unpack_wheel(tree, service, tree.service)


def _service(wheel: Path, platform: str) -> Component:
    try:
        name, version, _, tags = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise SubjectFailed(f"{wheel.name} is not the name of a wheel", why=str(error)) from error
    if tags.isdisjoint(wheels.image(platform).tags):
        raise SubjectFailed(
            f"{wheel.name} does not fit {platform}",
            why=f"Debian 12's Python 3.11 there takes none of {', '.join(sorted(map(str, tags)))}",
            do="build a wheel without compiled code, or leave the platform out of image.platforms",
        )
    return Component("pypi", str(name), str(version))


def plan(config: Config, lock: Lock, platform: str, tree: Tree, interior: Interior) -> Plan:
    """Decide what of an unpacked tree the image holds.

    Raises:
        ConfigError: the service cannot be started in the way that is configured.
        SubjectFailed: a module or a shared library that it needs is nowhere.
    """
    service, architecture = tree.service, oci.architecture(platform)
    assert service is not None, "unpack comes first"
    found = modules(tree, architecture)
    begin = start(config.service, found)
    for path, source in begin.generated.items():
        shutil.copyfile(source, tree.add(File(path, service)))
    if begin.generated:
        found = modules(tree, architecture)
    closure = close(found, interior.builtin | interior.frozen, [*selection.ALWAYS, *begin.seeds, *config.image.modules])
    asked = selection.Asked(config.image.runtime == "full", config.image.extra_packages, config.image.package_data)
    kept = selection.select(
        tree,
        [found[name] for name in closure.needed],
        interior.frozen,
        architecture,
        asked,
        partial(lock.provider, platform=platform),
    )
    return Plan(tree, service, begin.entrypoint, closure, kept)
