"""Bring everything for one platform's image together in a tree."""

from collections.abc import Iterable
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from shipseal.errors import SubjectFailed
from shipseal.image.tree import Component, Tree, unpack_deb
from shipseal.image.wheel import add_wheel
from shipseal.locked import wheels
from shipseal.runtime import BOOKWORM, Runtime


def unpack(
    root: Path,
    parts: Iterable[tuple[Component, Path]],
    service: Path,
    platform: str,
    runtime: Runtime = BOOKWORM,
) -> Tree:
    """Unpack packages, locked wheels and the service's wheel below a directory.

    Raises:
        SubjectFailed: one is damaged, brings what no image may hold, or does not fit the platform or the others.
    """
    tree = Tree(root, runtime=runtime)
    for component, path in parts:
        (unpack_deb if component.type == "deb" else add_wheel)(tree, path, component)
    tree.service = _service(service, platform, runtime)
    add_wheel(tree, service, tree.service)
    return tree


def _service(wheel: Path, platform: str, runtime: Runtime) -> Component:
    try:
        name, version, _, tags = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise SubjectFailed(f"{wheel.name} is not the name of a wheel", why=str(error)) from error
    if tags.isdisjoint(wheels.image(platform, runtime).tags):
        raise SubjectFailed(
            f"{wheel.name} does not fit {platform}",
            why=f"Debian {runtime.release}'s Python {runtime.python} there takes none of "
            + ", ".join(sorted(map(str, tags))),
            remedy="build a wheel without compiled code, or leave the platform out of image.platforms",
        )
    return Component("pypi", str(name), str(version))
