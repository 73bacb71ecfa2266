"""Find the shared libraries that programs and extension modules need, as the loader will.

Search order: ld.so(8), without LD_LIBRARY_PATH and ld.so.cache, which the image has not.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath

from shipseal.errors import SubjectFailed
from shipseal.formats import elf
from shipseal.formats.elf import Elf
from shipseal.image.missing_packages import MissingPackages
from shipseal.image.tree import Tree

TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
"""Debian's names for architectures in paths (Multiarch)."""


def search_path(architecture: str) -> tuple[str, ...]:
    """Return the directories that Debian's loader searches."""
    triplet = TRIPLETS[architecture]
    return (f"lib/{triplet}", f"usr/lib/{triplet}", "lib", "usr/lib")


def is_elf(tree: Tree, path: str) -> bool:
    """Say whether a file is a program or a shared library."""
    with tree.open(path) as stream:
        return stream.read(len(elf.MAGIC)) == elf.MAGIC


def needed(tree: Tree, paths: Iterable[str], architecture: str, provider: Callable[[str], str]) -> set[str]:
    """Return all files, links included, that the loader reads for these programs and modules.

    Args:
        paths: what will be started or loaded.
        provider: names the Debian package that has a library, or nothing; for the message.

    Raises:
        SubjectFailed: a library is missing, or a file is for another architecture.
    """
    found: set[str] = set()
    missing: dict[str, str] = {}
    waiting = sorted(paths)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        wanted = _read(tree, path, architecture)
        for library in wanted.needed:
            chain = _find(tree, library, path, wanted, architecture)
            if chain:
                waiting.append(chain[-1])
                found.update(chain[:-1])
            else:
                missing.setdefault(library, path)
        if wanted.interpreter:
            chain = tree.follow(wanted.interpreter.lstrip("/"))
            if not chain:
                raise _missing({wanted.interpreter: path}, lambda _: "libc6")
            found.update(chain)
    if missing:
        raise _missing(missing, provider)
    return found


def _read(tree: Tree, path: str, architecture: str) -> Elf:
    """Read the ELF header and dynamic section of a file; one of another architecture is refused."""
    with tree.content(path).open("rb") as stream:
        found = elf.read(stream, path)
    if found.architecture != architecture:
        raise SubjectFailed(
            f"{path} is for {found.architecture} and the image is for {architecture}",
            remedy="lock a wheel for this platform, or leave the platform out of image.platforms",
        )
    return found


def _find(tree: Tree, library: str, path: str, wanted: Elf, architecture: str) -> list[str]:
    """Look where the loader does: in the RUNPATH of the file, then in the default directories; the first one counts."""
    here = str(PurePosixPath(path).parent)
    own = [
        os.path.normpath(directory.replace("${ORIGIN}", here).replace("$ORIGIN", here)).lstrip("/")
        for directory in wanted.runpath
    ]
    chains = (tree.follow(f"{directory}/{library}") for directory in (*own, *search_path(architecture)))
    return next((chain for chain in chains if chain), [])


def _missing(libraries: Mapping[str, str], provider: Callable[[str], str]) -> SubjectFailed:
    """Name each library that is missing, with what needs it and the package that has it."""
    why: list[str] = []
    packages = {library: provider(library) for library in libraries}
    for library, path in libraries.items():
        subject = "it" if len(libraries) == 1 else library
        have = (
            f"the Debian package {packages[library]} has" if packages[library] else "no package of the package lock has"
        )
        why += [f"{path} needs {subject}", f"{have} {subject}"]
    named = sorted({f'"{package}"' for package in packages.values() if package})
    remedy = [f"add {', '.join(named)} to image.extra-packages in pipeline.toml"] if named else []
    if not all(packages.values()):
        remedy.append(
            "lock the Debian package that has it in the file that image.packages names, and add it to"
            " image.extra-packages; or lock a wheel that brings the library itself"
        )
    what = f"{next(iter(libraries))} is" if len(libraries) == 1 else f"{len(libraries)} shared libraries are"
    failure = MissingPackages(f"{what} missing from the image", why=why, remedy="; ".join(remedy))
    failure.packages = {
        package: f"{PurePosixPath(libraries[library]).name.partition('.')[0]} needs {library}"
        for library, package in packages.items()
        if package
    }
    return failure
