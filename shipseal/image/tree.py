"""Bring Debian packages and wheels together in one tree, and remember which component brought each file.

What is in Debian packages is unpacked; what is in a wheel stays there until somebody wants it as a file.
"""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NoReturn

from shipseal.errors import SubjectFailed
from shipseal.formats import deb
from shipseal.formats.paths import check_path
from shipseal.image import below, links
from shipseal.oci.layer import Content
from shipseal.purl import Purl
from shipseal.runtime import BOOKWORM, Runtime

_CHUNK = 1 << 20
# What only people read who can install a manual page; copyright files are kept apart from it.
_NEVER = tuple(f"usr/share/{name}/" for name in ("bug", "doc-base", "info", "lintian", "locale", "man", "menu"))


@dataclass(frozen=True, order=True)
class Component:
    """A package as scanners know it; `type` is `deb` or `pypi`, `architecture` is a Debian one or nothing.

    `release` is that of Debian, for its packages.
    """

    type: str
    name: str
    version: str
    architecture: str = ""
    release: str = BOOKWORM.release

    @property
    def purl(self) -> str:
        """Return the package URL (purl-spec, types deb and pypi)."""
        if self.type == "deb":
            name = Purl("deb", "debian", self.name, self.version)
            return f"{name}?arch={self.architecture}&distro=debian-{self.release}"
        return str(Purl("pypi", "", self.name, self.version))


@dataclass(frozen=True, slots=True)
class File:
    """A file that a component brings.

    Args:
        link: the target of a symbolic link.
        content: its bytes where they are not unpacked.
    """

    path: str
    owner: Component
    executable: bool = False
    link: str = ""
    content: Content | None = None


@dataclass
class Tree:
    """What packages and wheels bring, unpacked below a directory where it has to be.

    Args:
        files: each file by its path below the root.
        control: the control paragraph of each Debian package.
        symbols: what each says that its libraries export (deb-symbols(5)); nothing where it has none.
        shipped: how many files each Debian package brings, those included that are never unpacked.
        service: the component that the image is made for, once it is there.
        runtime: the interpreter that is in it.
    """

    root: Path
    files: dict[str, File] = field(default_factory=dict)
    control: dict[Component, bytes] = field(default_factory=dict)
    symbols: dict[Component, bytes] = field(default_factory=dict)
    shipped: dict[Component, int] = field(default_factory=dict)
    service: Component | None = None
    runtime: Runtime = BOOKWORM
    _directories: set[str] = field(default_factory=set)

    def add(self, file: File) -> Path:
        """Take a file in and return where its content goes; raise `SubjectFailed` when there can be no such file."""
        check_path(file.path)
        above, directory = [], file.path.rpartition("/")[0]
        while directory and directory not in self._directories:
            above.append(directory)
            directory = directory.rpartition("/")[0]
        for other in (file.path, *above):
            if other in self.files:
                self._refuse(file, other)
        if file.path in self._directories:
            self._refuse(file, next(path for path in self.files if path.startswith(f"{file.path}/")))
        if above or not self.files:
            below.make_room(self.root, file.path)
        self.files[file.path] = file
        self._directories.update(above)
        return self.root / file.path

    def _refuse(self, file: File, other: str) -> NoReturn:
        raise SubjectFailed(
            f"{file.owner.name} brings {file.path}",
            why=f"{self.files[other].owner.name} brings {'it' if other == file.path else other} too",
            remedy="leave one of the two out",
        )

    def content(self, path: str) -> Path:
        """Return a file with a file's content, unpacked now if it has not been yet."""
        unpacked, content = self.root / path, self.files[path].content
        if content and not os.path.lexists(unpacked):
            with content.open() as source:
                self.write(path, source)
        return unpacked

    def write(self, path: str, source: BinaryIO) -> None:
        """Unpack a file's content."""
        with below.create(self.root, path, 0o755 if self.files[path].executable else 0o644) as target:
            shutil.copyfileobj(source, target, _CHUNK)

    def unpack(self) -> None:
        """Unpack everything that has not been yet."""
        for path in self.files:
            self.content(path)

    def open(self, path: str) -> BinaryIO:
        """Open a file's content where it is, to be read from its first byte on."""
        content = self.files[path].content
        return content.open() if content else below.read(self.root, path)

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        with self.open(path) as stream:
            return stream.read()

    def follow(self, path: str) -> list[str]:
        """Return a path and what it links to, in order; the last one is no link. Empty when one of them is missing."""
        chain: list[str] = []
        while (file := self.files.get(path) or self._above(path)) and file.path not in chain:
            chain.append(file.path)
            if not file.link:
                return chain
            if file.path != path:  # Debian 13's /lib is one: what lies below it lies below usr/lib
                path = os.path.normpath(str(PurePosixPath(file.path).parent / file.link / path[len(file.path) + 1 :]))
                continue
            path = os.path.normpath(str(PurePosixPath(path).parent / file.link))
        return []

    def _above(self, path: str) -> File | None:
        """Return the directory above a path that is a link, the first that is one."""
        parts = path.split("/")
        above = (self.files.get("/".join(parts[:end])) for end in range(1, len(parts)))
        return next((file for file in above if file and file.link), None)


def unpack_deb(tree: Tree, path: Path, component: Component) -> None:
    """Unpack a Debian package, manuals and translations left out; raise `SubjectFailed` for what no image may have."""
    with path.open("rb") as stream:
        control = deb.control(stream, path.name)
    tree.control[component] = control["control"]
    tree.symbols[component] = control.get("symbols", b"")
    tree.shipped[component] = 0
    with path.open("rb") as stream:
        for member in deb.members(stream, path.name):
            tree.shipped[component] += 1
            if not (member.path.startswith(_NEVER) or _is_documentation(member)):
                _unpack(tree, member, component)
    links.check({path: file.link for path, file in tree.files.items() if file.link}, component.name)


def _unpack(tree: Tree, member: deb.DebMember, component: Component) -> None:
    if member.same_as:
        _check_same(tree, member, component)
    tree.add(File(member.path, component, member.executable, member.link))
    if member.link:
        below.link(tree.root, member.path, member.link)
    elif member.same_as:
        below.same(tree.root, member.path, member.same_as)
    elif member.stream is not None:
        tree.write(member.path, member.stream)


def _check_same(tree: Tree, member: deb.DebMember, component: Component) -> None:
    other = tree.files.get(member.same_as)
    if other is None or other.owner != component:
        raise SubjectFailed(
            f"{component.name} brings {member.path}",
            why=f"that is a hard link to {member.same_as}, which it does not bring",
            remedy="leave the package out of the image",
        )


def _is_documentation(member: deb.DebMember) -> bool:
    # A package may link to the documentation directory of another one instead of having a copyright file.
    return member.path.startswith("usr/share/doc/") and not (member.path.endswith("/copyright") or member.link)
