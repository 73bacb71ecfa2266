"""Choose, from all that is unpacked, the files that are in the image."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from shipseal.errors import SubjectFailed
from shipseal.image.closure import Module, Origin
from shipseal.image.libraries import is_elf, needed
from shipseal.image.missing_packages import MissingPackages
from shipseal.image.tree import Tree
from shipseal.runtime import Runtime

# What the interpreter needs to start, whatever it runs; and what `socket` looks up by name for any host name: without
# `idna` even 127.0.0.1 is no host.
_ALWAYS = (
    "os", "site", "encodings", "encodings.aliases", "encodings.utf_8", "encodings.ascii", "encodings.latin_1",
    "encodings.idna", "stringprep",
)  # fmt: skip
# Something has to be in the directory of extension modules, by which the interpreter finds where it is.
_DYNAMIC = {"3.11": "_json", "3.13": "_contextvars"}  # in 3.13 `_json` is in the interpreter itself
_LANDMARK = "os"  # frozen, and still looked for as a file (CPython, Modules/getpath.py)
_RELEASE = "etc/os-release"
_LICENCE = re.compile(rb"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9])")
_LICENCES = "usr/share/common-licenses"
# Files of wheels that only compilers, type checkers and tests read.
_FOR_MAKERS = (".pyi", ".c", ".cc", ".cpp", ".h", ".hpp", ".pxd", ".pyx", ".pxi", "/py.typed")
_TESTS = {"test", "tests"}
_ALIKE, _LIKE = 3, 0.3  # how many files are named for a pattern that fits none, and how like it they are at least


def required_modules(runtime: Runtime) -> tuple[str, ...]:
    """Return the modules that are in every image."""
    return (*_ALWAYS, *filter(None, [_DYNAMIC.get(runtime.python)]))


@dataclass(frozen=True)
class SelectionOptions:
    """What pipeline.toml says of the choice.

    Args:
        whole: every file of every package is in the image.
        packages: Debian packages that are kept whole.
        data: patterns (`fnmatch`, below the site directory) of files of wheels that are kept besides.
    """

    whole: bool
    packages: Collection[str]
    data: Collection[str]


def select(
    tree: Tree,
    modules: Iterable[Module],
    frozen: Collection[str],
    architecture: str,
    asked: SelectionOptions,
    provider: Callable[[str], str],
) -> set[str]:
    """Return the paths of the files in the image.

    Args:
        modules: those that the service needs.
        frozen: names of modules that are in the interpreter and need no file.
        provider: names the Debian package that has a shared library, for the message.

    Raises:
        SubjectFailed: a shared library is missing, or a package's licence.
    """
    files = {m.name: m.path for m in modules if m.path and (m.name == _LANDMARK or not _is_frozen(m, frozen))}
    kept = {*files.values(), *tree.follow(_RELEASE)}
    kept |= {
        path for path, file in tree.files.items() if file.owner.name in asked.packages and file.owner.type == "deb"
    }
    kept |= _data(tree, files, asked.data)
    if asked.whole:
        kept |= tree.files.keys()
        loaded = [path for path in files.values() if path.endswith(".so")]
    else:
        loaded = [path for path in kept if not tree.files[path].link and is_elf(tree, path)]
    kept |= needed(tree, [tree.runtime.interpreter, *loaded], architecture, provider)
    return kept | _licences(tree, kept)


def _is_frozen(module: Module, frozen: Collection[str]) -> bool:
    return module.name in frozen and module.origin is Origin.STANDARD


def _data(tree: Tree, files: Mapping[str, str], patterns: Collection[str]) -> set[str]:
    """Return what is no module and belongs to a kept one, or is asked for: templates, metadata, licences."""
    site = tree.runtime.site
    tops = {name.partition(".")[0] for name, path in files.items() if path.startswith(f"{site}/")}
    code = set(files.values())
    owners = {tree.files[path].owner for path in code}
    kept: set[str] = set()
    for path, file in tree.files.items():
        if file.owner.type != "pypi" or path in code:
            continue
        inside = path.removeprefix(f"{site}/")
        if any(fnmatchcase(inside, pattern) for pattern in patterns):
            kept.add(path)
        elif file.owner in owners and not path.endswith((".py", ".so")) and not _for_makers(inside):
            top = inside.partition("/")[0]
            if top in tops or top.endswith(".dist-info") or not path.startswith(f"{site}/"):
                kept.add(path)
    return kept


def unmatched(trees: Iterable[Tree], patterns: Iterable[str]) -> dict[str, list[str]]:
    """Return the patterns for data that fit no file of a wheel on any platform, each with the files most like it."""
    paths = {
        path.removeprefix(f"{tree.runtime.site}/")
        for tree in trees
        for path, file in tree.files.items()
        if file.owner.type == "pypi"
    }
    idle = (pattern for pattern in patterns if not any(fnmatchcase(path, pattern) for path in paths))
    return {pattern: get_close_matches(pattern, sorted(paths), _ALIKE, _LIKE) for pattern in idle}


def _for_makers(path: str) -> bool:
    parts = path.split("/")
    return path.endswith(_FOR_MAKERS) or not _TESTS.isdisjoint(parts[:-1]) or ".so." in parts[-1]


def _licences(tree: Tree, kept: Iterable[str]) -> set[str]:
    """Return the copyright file of each Debian package that is there, and the licences that it refers to."""
    found: set[str] = set()
    for name in sorted({tree.files[path].owner.name for path in kept if tree.files[path].owner.type == "deb"}):
        directory = f"usr/share/doc/{name}"
        chain = tree.follow(directory)  # a link to another package's directory, where there is one
        found.update(chain)
        link = tree.files.get(directory)
        place = str(PurePosixPath(directory).parent / link.link) if link else directory
        text = tree.follow(f"{place}/copyright")
        if not text:
            raise _without_licence(name, place)
        found.update(text)
        for licence in _LICENCE.findall(tree.read(text[-1])):
            found.update(tree.follow(f"{_LICENCES}/{licence.decode()}"))
    return found


def _without_licence(name: str, place: str) -> SubjectFailed:
    other = PurePosixPath(place).name  # the package in whose directory it is
    own = other == name
    failure = MissingPackages(
        f"{name} has no copyright file",
        why=f"an image says under which licence each package is, and there is no {place}/copyright",
        remedy="leave the package out of the image, or lock one that has it"
        if own
        else f'add "{other}" to image.extra-packages in pipeline.toml: it has the file for both',
    )
    failure.packages = {} if own else {other: f"it has the licence of {name}"}
    return failure
