"""Follow a kustomization to everything that it reaches, and refuse what is not of this project."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from shipseal.deploying.growth import grows
from shipseal.deploying.kustomization import NAMES, Kustomization, read
from shipseal.digest import opened
from shipseal.errors import SubjectFailed

_LONGEST = 8 << 20
_OPAQUE = ("configMapGenerator", "secretGenerator")  # what these name is text to kustomize


def require_own(directory: Path, within: Path) -> None:
    """Refuse a kustomization that reaches, by whatever way, anything that does not lie below `within`.

    Args:
        directory: the directory of the kustomization that is to be rendered.
        within: what this project gives to whoever renders it; symbolic links may not lead out of it.

    Raises:
        SubjectFailed: something is fetched, started, or lies elsewhere, or is neither a file nor a directory.
    """
    within, start, seen = within.resolve(), directory.resolve(), set[Path]()
    astray = _astray(start, within)
    refused, waiting = ([f"{directory.name} {astray}"], []) if astray else ([], [start])
    while waiting:
        if (here := waiting.pop()) not in seen:
            seen.add(here)
            refused += _follow(here, within, waiting)
    if refused:
        raise SubjectFailed(
            f"{directory.name} does not render from the files of this project alone",
            why=refused,
            remedy=f"copy what it needs into {within.name}/, and name it by a relative path in its kustomization.yaml",
        )


def read_own(path: Path, within: Path) -> bytes | None:
    """Return the bytes of a file of the project that need not be there.

    Raises:
        SubjectFailed: it is no file, lies elsewhere, or is too large to be meant for people.
    """
    if not os.path.lexists(path):
        return None
    try:
        why = _astray(path, within.resolve())
        if not why:
            return _bytes(path)
    except OSError as problem:
        why = f"cannot be read: {problem.strerror}"
    raise SubjectFailed(
        f"{path.name} is not read", why=f"it {why}", remedy=f"put a file of this name into {within.name}/"
    )


def _follow(here: Path, within: Path, waiting: list[Path]) -> Iterator[str]:
    for path in (here / name for name in NAMES if os.path.lexists(here / name)):
        title = path.relative_to(within.parent)
        if why := _astray(path, within):
            yield f"{title}: it {why}"
            continue
        found = _read(path)
        yield from (f"{title}: {why}" for why in found.refused)
        for each in found.named:
            # kustomize makes `..` of a path away before it follows a link.
            target = Path(os.path.normpath(here / each.path))
            if why := _astray(target, within):
                yield f"{title}: line {each.line}: {each.key}: {each.path!r} {why}"
            elif target.is_dir():
                waiting.append(target.resolve())
            elif not each.key.startswith(_OPAQUE) and (why := _grows(target)):
                yield f"{target.relative_to(within.parent)}: {why}"


def _grows(path: Path) -> str:
    """Return what is wrong with the aliases of a file, nothing where it is not there: kustomize says so."""
    try:
        return grows(_bytes(path)) if path.exists() else ""
    except OSError as problem:
        return f"it cannot be read: {problem.strerror}"


def _read(path: Path) -> Kustomization:
    try:
        return read(_bytes(path))
    except OSError as problem:
        return Kustomization((), (f"it cannot be read: {problem.strerror}",))


def _bytes(path: Path) -> bytes:
    with opened(path) as file:
        if os.fstat(file.fileno()).st_size > _LONGEST:
            raise OSError(errno.EFBIG, f"it is larger than {_LONGEST >> 20} MiB")
        return file.read(_LONGEST)


def _astray(path: Path, within: Path) -> str:
    """Return what is wrong with a place, nothing where it is right or not there: kustomize says so in its own words."""
    try:
        real = path.resolve()
        if not real.is_relative_to(within):
            return f"leads out of {within.name}/, which is all that may be read"
        if real.exists() and not real.is_file() and not real.is_dir():
            return "is neither a file nor a directory"
    except (OSError, RuntimeError, ValueError) as problem:
        return f"cannot be followed: {problem}"
    return ""
