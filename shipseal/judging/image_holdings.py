"""What is known of one image: what its layers hold, what its service imports, and what it has opened. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Self

from shipseal.digest import Digest
from shipseal.documents.image import ClosureDocument, ImageDocument, OfferedDocument
from shipseal.documents.smoke import NotWatched, TraceDocument
from shipseal.errors import VerificationFailed
from shipseal.purl import Purl

Imports = Mapping[str, frozenset[str] | None]
"""The symbols that each ELF file of an image imports, by path; None where that cannot be read."""

_FOREIGN = ("*_ctypes*", "*_cffi_backend*")


@dataclass(frozen=True)
class ImportClosure:
    """What the service imports, by reading (`image/closure.json`), on one platform.

    Args:
        needed: the modules that it needs.
        left_out: those that something imports in a function or in vain, each with the place that does.
    """

    needed: frozenset[str]
    left_out: Mapping[str, str]


@dataclass(frozen=True)
class Offered:
    """What one platform's image was chosen from (`image/offered.json`).

    Args:
        files: the path of every file of its packages and wheels.
        inside: the modules that are in the interpreter itself, and have no file.
        symbols: what Debian says that a library exports, by the name that others load it by.
    """

    files: frozenset[str]
    inside: frozenset[str]
    symbols: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Trace:
    """What was opened while the image was at work (`smoke/trace.json`).

    Args:
        digest: the platform manifest that it was.
        loaded: what the service's own processes opened.
        during_tests: what somebody opened while the tests ran, and the service had not: pytest, or what a test started.
        never_opened: what nobody opened.
        workload: what the service was asked to do, in words, with its digest.
    """

    digest: Digest
    loaded: frozenset[str]
    during_tests: frozenset[str]
    never_opened: frozenset[str]
    workload: str


@dataclass(frozen=True)
class Holdings:
    """What is in an image, all layers and platforms taken together, whatever a later layer hides.

    Args:
        image: the digest of its index.
        packages: every package, on any platform.
        owners: the packages that a path belongs to.
        paths: every path that is no directory.
        directories: every directory that a layer names.
        imports: the symbols that each ELF file takes from others.
        exports: the symbols that each ELF file offers; None where that cannot be read.
        archives: files in which others may be hidden.
        words: which of the texts that were looked for each file has.
        closures: what is imported, by platform.
        offered: what it was chosen from, by platform.
        trace: what was opened; None where nobody watched.
    """

    image: Digest
    packages: tuple[Purl, ...]
    paths: frozenset[str]
    imports: Imports
    exports: Imports
    owners: Mapping[str, tuple[Purl, ...]] = field(default_factory=dict)
    directories: frozenset[str] = frozenset()
    archives: tuple[str, ...] = ()
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    closures: Mapping[str, ImportClosure] = field(default_factory=dict)
    offered: Mapping[str, Offered] = field(default_factory=dict)
    trace: Trace | None = None

    def with_what_was_seen(self, closure: ClosureDocument, chosen_from: OfferedDocument, seen: Trace | None) -> Self:
        """Return it with what the documents of earlier stages say of the same image."""
        return replace(self, closures=closures(closure), offered=offered(chosen_from), trace=seen)

    def fitting(self, patterns: Iterable[str]) -> list[str]:
        """Return the paths that fit one of some patterns."""
        wanted = tuple(patterns)
        return sorted(path for path in self.paths if any(fnmatchcase(path, pattern) for pattern in wanted))

    def foreign(self) -> list[str]:
        """Return the modules by which Python code calls any function of any library."""
        return self.fitting(_FOREIGN)

    def files_of(self, module: str) -> list[str]:
        """Return the paths that may be a module, or something in it, wherever they lie."""
        wanted = module_pattern(module)
        return sorted(path for path in self.paths if wanted.search(path))

    def libraries(self, name: str) -> list[str]:
        """Return the paths of a shared library, by the name that others load it by."""
        return sorted(path for path in self.paths if is_library(path, name))

    def is_offered(self, fits: "re.Pattern[str]") -> bool:
        """Say whether a path is among those that the image was chosen from."""
        return any(fits.search(path) for each in self.offered.values() for path in each.files)


def module_pattern(module: str) -> re.Pattern[str]:
    """Return what finds the files of a module: its source, its byte code, an extension, or what is below it."""
    *above, last = (re.escape(part) for part in module.split("."))
    parents = "".join(f"{part}/" for part in above)
    return re.compile(rf"(?:^|/){parents}(?:__pycache__/)?{last}(?:\.[^/]*|/.*)?$")


def is_library(path: str, name: str) -> bool:
    """Say whether a path is that of a library, or of its file with a longer version."""
    last = path.rpartition("/")[2]
    return last == name or last.startswith(f"{name}.")


def closures(document: ClosureDocument) -> dict[str, ImportClosure]:
    """Return what `image/closure.json` says of each platform."""
    return {name: ImportClosure(frozenset(each.needed), dict(each.left_out)) for name, each in document.root.items()}


def offered(document: OfferedDocument) -> dict[str, Offered]:
    """Return what `image/offered.json` says of each platform."""
    return {
        platform: Offered(
            frozenset(each.files),
            frozenset(each.inside),
            {name: frozenset(symbols) for name, symbols in each.symbols.items()},
        )
        for platform, each in document.root.items()
    }


def trace(document: TraceDocument, image: ImageDocument) -> Trace | None:
    """Return what `smoke/trace.json` says; None where nobody watched.

    Raises:
        VerificationFailed: another image was watched.
    """
    seen = document.root
    if isinstance(seen, NotWatched):
        return None
    if seen.digest not in {each.digest for each in image.platforms.values()}:
        raise VerificationFailed(
            f"smoke/trace.json is about another image, {seen.digest}",
            why=f"what was seen of one image says nothing of {image.digest}",
            remedy="run the stages from `smoke` on again",
        )
    work = seen.workload
    told = (
        f"{work.requests} requests and {work.tests} tests ({work.digest}), "
        f"with {work.loaded} of {work.modules} files of the service loaded"
    )
    return Trace(
        seen.digest,
        frozenset(seen.loaded),
        frozenset(seen.opened_during_tests_only),
        frozenset(seen.never_opened),
        told,
    )
