"""Unpack Debian packages and wheels into one directory, and remember which component brought each file."""

import os
import shutil
import stat
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from zipfile import BadZipFile

import installer
from installer.destinations import WheelDestination
from installer.exceptions import InstallerError
from installer.records import Hash, RecordEntry
from installer.sources import WheelFile
from installer.utils import copyfileobj_with_hashing

from pipeline.errors import SubjectFailed
from pipeline.image import deb
from pipeline.image.layer import check_path
from pipeline.scanning.purl import Purl

PYTHON = "usr/bin/python3.11"
STANDARD = "usr/lib/python3.11"
SITE = "usr/local/lib/python3.11/dist-packages"
"""Where Debian's interpreter looks for what is not Debian's."""

# What only people read who can install a manual page; copyright files are kept apart from it.
_NEVER = tuple(f"usr/share/{name}/" for name in ("bug", "doc-base", "info", "lintian", "locale", "man", "menu"))


@dataclass(frozen=True, order=True)
class Component:
    """A package as scanners know it; `type` is `deb` or `pypi`, `architecture` is a Debian one or nothing."""

    type: str
    name: str
    version: str
    architecture: str = ""

    @property
    def purl(self) -> str:
        """Return the package URL (purl-spec, types deb and pypi)."""
        if self.type == "deb":
            return f"{Purl('deb', 'debian', self.name, self.version)}?arch={self.architecture}&distro=debian-12"
        return str(Purl("pypi", "", self.name, self.version))


@dataclass(frozen=True)
class File:
    """A file that a component brings; `link` is the target of a symbolic link."""

    path: str
    owner: Component
    executable: bool = False
    link: str = ""


@dataclass
class Tree:
    """What is unpacked below a directory.

    Args:
        files: each file by its path below the root.
        control: the control paragraph of each Debian package.
        shipped: how many files each Debian package brings, those included that are never unpacked.
        service: the component that the image is made for, once it is there.
    """

    root: Path
    files: dict[str, File] = field(default_factory=dict)
    control: dict[Component, bytes] = field(default_factory=dict)
    shipped: dict[Component, int] = field(default_factory=dict)
    service: Component | None = None

    def add(self, file: File) -> Path:
        """Take a file in and return where its content goes; raise `SubjectFailed` when there can be no such file."""
        check_path(file.path)
        other = self.files.get(file.path)
        below = next((str(p) for p in PurePosixPath(file.path).parents if str(p) in self.files), None)
        if other or below:
            raise SubjectFailed(
                f"{file.owner.name} brings {file.path}",
                why=f"{(other or self.files[below or '']).owner.name} brings {below or 'it'} too",
                do="leave one of the two out",
            )
        self.files[file.path] = file
        path = self.root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def content(self, path: str) -> Path:
        """Return where a file's content is."""
        return self.root / path

    def follow(self, path: str) -> list[str]:
        """Return a path and what it links to, in order; the last one is no link. Empty when one of them is missing."""
        chain: list[str] = []
        while (file := self.files.get(path)) and path not in chain:
            chain.append(path)
            if not file.link:
                return chain
            path = os.path.normpath(str(PurePosixPath(path).parent / file.link))
        return []


def unpack_deb(tree: Tree, path: Path, component: Component) -> None:
    """Unpack a Debian package, manuals and translations left out; raise `SubjectFailed` for what no image may have."""
    with path.open("rb") as stream:
        tree.control[component] = deb.control(stream, path.name)["control"]
    tree.shipped[component] = 0
    with path.open("rb") as stream:
        for member in deb.members(stream, path.name):
            tree.shipped[component] += 1
            if member.path.startswith(_NEVER) or _is_documentation(member):
                continue
            target = tree.add(File(member.path, component, member.executable, member.link))
            if member.link:
                target.symlink_to(member.link)
            elif member.same_as:
                os.link(tree.content(member.same_as), target)
            elif member.stream is not None:
                _write(member.stream, target, member.executable)


def _is_documentation(member: deb.Member) -> bool:
    # A package may link to the documentation directory of another one instead of having a copyright file.
    return member.path.startswith("usr/share/doc/") and not (member.path.endswith("/copyright") or member.link)


def _write(stream: BinaryIO, target: Path, executable: bool) -> None:
    with target.open("xb") as file:
        shutil.copyfileobj(stream, file)
    target.chmod(0o755 if executable else 0o644)


def unpack_wheel(tree: Tree, path: Path, component: Component) -> None:
    """Unpack a wheel as PyPA's installer does, its start scripts left out: an image starts one program.

    Raises:
        SubjectFailed: it is damaged, does not match its own RECORD, or holds a path or link that leaves the image.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive.infolist(), path.name)
        with WheelFile.open(path) as wheel:
            wheel.validate_record(validate_contents=True)
            installer.install(wheel, _Destination(tree, component), additional_metadata={})
    except (BadZipFile, InstallerError, ValueError, KeyError) as error:
        raise SubjectFailed(f"{path.name} is no valid wheel", why=str(error), do="lock another file") from error


def _check_members(members: Iterable[zipfile.ZipInfo], name: str) -> None:
    for member in members:
        if stat.S_ISLNK(member.external_attr >> 16):
            raise SubjectFailed(f"{name} holds a symbolic link, {member.filename}", do="lock another file")
        try:
            check_path(member.filename.removesuffix("/"))
        except SubjectFailed as error:
            raise SubjectFailed(f"{name} holds a file that leaves its place", why=error.what, do=error.do) from error


@dataclass
class _Destination(WheelDestination):
    """Where the installer puts files: libraries into the site directory, data below usr/local."""

    tree: Tree
    component: Component

    def write_file(
        self, scheme: str, path: str | os.PathLike[str], stream: BinaryIO, is_executable: bool
    ) -> RecordEntry:
        name = os.fspath(path)
        if scheme in {"purelib", "platlib", "data"}:
            place = f"usr/local/{name}" if scheme == "data" else f"{SITE}/{name}"
            target = self.tree.add(File(place, self.component, is_executable))
            with target.open("xb") as file:
                digest, size = copyfileobj_with_hashing(stream, file, "sha256")
            return RecordEntry(name, Hash("sha256", digest), size)
        return RecordEntry(name, None, None)

    def write_script(self, name: str, module: str, attr: str, section: str) -> RecordEntry:  # noqa: ARG002 - theirs
        return RecordEntry(name, None, None)

    def finalize_installation(self, scheme: str, record_file_path: str, records: object) -> None:
        """Write no RECORD: what is in the image is known only when all is chosen."""
