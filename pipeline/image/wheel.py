"""Read a wheel in place: what is in it, where that goes in an image, and each file's bytes when somebody wants them.

Format: PyPA, "Binary distribution format". A file's bytes are held against the wheel's RECORD while they are read, so
that whatever is read to its end is what its maker recorded, and nothing is read for the sake of that alone.
"""

import base64
import hashlib
import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast
from zipfile import BadZipFile, ZipFile, ZipInfo

import installer
from installer.destinations import WheelDestination
from installer.exceptions import InstallerError
from installer.records import RecordEntry, parse_record_file
from installer.sources import WheelContentElement, WheelFile

from pipeline.errors import SubjectFailed
from pipeline.image.layer import check_path
from pipeline.image.tree import SITE, Component, File, Tree

# RECORD: "the hash algorithm must be sha256 or better"; a signature of RECORD has no hash in it.
_ALGORITHMS = frozenset({"", "sha256", "sha384", "sha512"})


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a wheel.

    Args:
        archive: the wheel, which stays open for as long as somebody may want to read its files.
        name: its path there.
        size: bytes.
        hash: what RECORD says of its bytes, as `sha256=…`; nothing for a signature of RECORD itself.
    """

    archive: ZipFile
    name: str
    size: int
    hash: str

    def open(self) -> BinaryIO:
        """Open it; that, or reading it to the end, raises `SubjectFailed` when the bytes are not what RECORD says."""
        try:
            return cast(BinaryIO, _Checked(self))
        except (BadZipFile, NotImplementedError, RuntimeError) as error:  # damaged, compressed otherwise, encrypted
            raise _invalid(self.archive, error) from error


class _Checked:
    """The bytes of a member, hashed on their way."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._stream = member.archive.open(member.name)
        algorithm, _, self._said = member.hash.partition("=")
        self._hashing = hashlib.new(algorithm) if algorithm else None

    def read(self, most: int = -1) -> bytes:
        try:
            data = self._stream.read(most)
        except (BadZipFile, EOFError, zlib.error) as error:
            raise _invalid(self._member.archive, error) from error
        if self._hashing:
            self._hashing.update(data)
            if most < 0 or (most and not data):
                self._compare(self._hashing.digest())
        return data

    def _compare(self, digest: bytes) -> None:
        if self._said != base64.urlsafe_b64encode(digest).decode("ascii").rstrip("="):
            raise _invalid(self._member.archive, f"hash of {self._member.name} didn't match RECORD")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stream.close()


def add_wheel(tree: Tree, path: Path, component: Component) -> None:
    """Take in what PyPA's installer would install, but start scripts: an image starts one program.

    Raises:
        SubjectFailed: it is damaged, does not list the files of its own RECORD, or holds a path or link that leaves the
            image.
    """
    try:
        archive = ZipFile(path)
        _check_members(archive.infolist(), path.name)
        wheel = _InPlace(archive)
        wheel.validate_record(validate_contents=False)
        installer.install(wheel, _Destination(tree, component), additional_metadata={})
    except (BadZipFile, InstallerError, ValueError, KeyError) as error:
        raise _invalid(path, error) from error


def _invalid(wheel: Path | ZipFile, why: object) -> SubjectFailed:
    name = Path(str(wheel.filename if isinstance(wheel, ZipFile) else wheel)).name
    return SubjectFailed(f"{name} is no valid wheel", why=str(why), do="lock another file")


def _check_members(members: Iterable[ZipInfo], name: str) -> None:
    for member in members:
        if stat.S_ISLNK(member.external_attr >> 16):
            raise SubjectFailed(f"{name} holds a symbolic link, {member.filename}", do="lock another file")
        try:
            check_path(member.filename.removesuffix("/"))
        except SubjectFailed as error:
            raise SubjectFailed(f"{name} holds a file that leaves its place", why=error.what, do=error.do) from error


class _InPlace(WheelFile):
    """A wheel whose contents are members, which nobody has opened, in place of streams."""

    def __init__(self, archive: ZipFile) -> None:
        super().__init__(archive)
        self._archive = archive

    def get_contents(self) -> Iterator[WheelContentElement]:
        rows = {row[0]: row for row in parse_record_file(self.read_dist_info("RECORD").splitlines())}
        for item in self._archive.infolist():
            if not item.is_dir():
                row = rows.get(item.filename, (item.filename, "", ""))
                if (algorithm := row[1].partition("=")[0]) not in _ALGORITHMS:
                    raise ValueError(f"RECORD has no hash of {row[0]} that counts, but one by {algorithm}")
                mode = item.external_attr >> 16
                executable = stat.S_ISREG(mode) and bool(mode & 0o111)
                member = Member(self._archive, item.filename, item.file_size, row[1])
                yield row, cast(BinaryIO, member), executable


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
            self.tree.add(File(place, self.component, is_executable, content=cast(Member, stream)))
        return RecordEntry(name, None, None)

    def write_script(self, name: str, module: str, attr: str, section: str) -> RecordEntry:  # noqa: ARG002 - theirs
        return RecordEntry(name, None, None)

    def finalize_installation(self, scheme: str, record_file_path: str, records: object) -> None:
        """Write no RECORD: what is in the image is known only when all is chosen."""
