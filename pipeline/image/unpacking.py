"""Bring everything for one platform's image together in a tree."""

from collections.abc import Iterable
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from pipeline.errors import SubjectFailed
from pipeline.image.tree import Component, Tree, unpack_deb
from pipeline.image.wheel import add_wheel
from pipeline.locked import wheels


def unpack(root: Path, parts: Iterable[tuple[Component, Path]], service: Path, platform: str) -> Tree:
    """Unpack packages, locked wheels and the service's wheel below a directory.

    Raises:
        SubjectFailed: one is damaged, brings what no image may hold, or does not fit the platform or the others.
    """
    tree = Tree(root)
    for component, path in parts:
        (unpack_deb if component.type == "deb" else add_wheel)(tree, path, component)
    tree.service = _service(service, platform)
    add_wheel(tree, service, tree.service)
    return tree


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
