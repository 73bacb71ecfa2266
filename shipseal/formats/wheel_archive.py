"""Read files of a wheel's archive where they are, and hold their bytes against what was recorded of them.

What an archive says of itself is believed only as far as it costs nothing: it may be damaged, or made to harm.
"""

import base64
import hashlib
import stat
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from shipseal.errors import SubjectFailed
from shipseal.formats.paths import check_path

# Those of pip's and everybody's wheels. LZMA would take any amount of memory that the file asks for.
_COMPRESSIONS = frozenset({ZIP_STORED, ZIP_DEFLATED})
_LARGEST = 4 << 30  # bytes of all its files
DAMAGE = (BadZipFile, EOFError, RuntimeError, ValueError, KeyError, OverflowError, zlib.error)
"""What the zip and zlib modules raise for an archive that is damaged, encrypted, or more than they can read."""


@dataclass(frozen=True, slots=True)
class WheelMember:
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
        except (OSError, *DAMAGE) as error:  # it lies before the archive's first byte
            raise invalid(self.archive, error) from error


class _Checked:
    """The bytes of a member, hashed on their way."""

    def __init__(self, member: WheelMember) -> None:
        self._member = member
        if member.archive.getinfo(member.name).compress_type not in _COMPRESSIONS:
            raise ValueError(f"{member.name} has a compression method that no wheel needs")
        self._stream = member.archive.open(member.name)
        algorithm, _, self._said = member.hash.partition("=")
        self._hashing = hashlib.new(algorithm) if algorithm else None

    def read(self, most: int = -1) -> bytes:
        try:
            data = self._stream.read(most)
        except DAMAGE as error:
            raise invalid(self._member.archive, error) from error
        if self._hashing:
            self._hashing.update(data)
            if most < 0 or (most and not data):
                self._compare(self._hashing.digest())
        return data

    def _compare(self, digest: bytes) -> None:
        if self._said != base64.urlsafe_b64encode(digest).decode("ascii").rstrip("="):
            raise invalid(self._member.archive, f"hash of {self._member.name} didn't match RECORD")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stream.close()


def invalid(wheel: Path | ZipFile, why: object) -> SubjectFailed:
    """Return the failure that says that a wheel is none."""
    name = Path(str(wheel.filename if isinstance(wheel, ZipFile) else wheel)).name
    return SubjectFailed(f"{name} is not a valid wheel", why=str(why), remedy="lock another file")


def archive(path: Path) -> ZipFile:
    """Open a wheel's archive, whose members are below one root; raise `SubjectFailed` when it is none."""
    try:
        found = ZipFile(path)
    except (OSError, *DAMAGE) as error:
        raise invalid(path, error) from error
    _check_members(found.infolist(), path.name)
    return found


def _check_members(members: Iterable[ZipInfo], name: str) -> None:
    size = 0
    for member in members:
        size += member.file_size
        if size > _LARGEST:
            raise SubjectFailed(f"{name} brings more than {_LARGEST} bytes", remedy="lock another file")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise SubjectFailed(f"{name} holds a symbolic link, {member.filename}", remedy="lock another file")
        try:
            check_path(member.filename.removesuffix("/"))
        except SubjectFailed as error:
            raise SubjectFailed(
                f"{name} holds a file that leaves its place", why=error.what, remedy=error.remedy
            ) from error
