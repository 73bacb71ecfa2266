"""Read a Debian package without holding it in memory.

Format: deb(5): an `ar` archive with a control and a data member, each a compressed tar archive.
"""

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

from pipeline.errors import SubjectFailed

_MAGIC = b"!<arch>\n"
_HEADER = 60
_COMPRESSIONS = {"": "", ".gz": "gz", ".xz": "xz", ".zst": "zst"}
# Where a package's absolute links may lead. Anything else, as /dev or /run, belongs to the machine that it runs on.
_PLACES = ("bin", "etc", "lib", "lib64", "opt", "sbin", "srv", "usr", "var")
_DEVICES = {tarfile.CHRTYPE: "a device", tarfile.BLKTYPE: "a device", tarfile.FIFOTYPE: "a pipe"}


@dataclass(frozen=True)
class Member:
    """One file of a package.

    Args:
        path: where it is, without a leading slash.
        link: target of a symbolic link, relative whatever the package says.
        same_as: path of an earlier member with the same content (a hard link).
        stream: the content, to be read before the next member; None for links of both kinds.
    """

    path: str
    executable: bool = False
    link: str = ""
    same_as: str = ""
    stream: BinaryIO | None = None


def control(deb: BinaryIO, name: str) -> dict[str, bytes]:
    """Return the files of a package's control member: `control`, and `md5sums` where it has one."""
    with _open(deb, "control.tar", name) as archive:
        return {_path(info.name): archive.extractfile(info).read() for info in archive if info.isfile()}  # type: ignore[union-attr]


def members(deb: BinaryIO, name: str) -> Iterator[Member]:
    """Yield a package's files, in its own order, without holding them; raise `SubjectFailed` for what no image has."""
    with _open(deb, "data.tar", name) as archive:
        for info in archive:
            if info.type in _DEVICES:
                raise SubjectFailed(
                    f"{name} brings {_DEVICES[info.type]}, {info.name}", do="leave the package out of the image"
                )
            if not info.isdir():
                yield _member(archive, info, name)


def _member(archive: tarfile.TarFile, info: tarfile.TarInfo, package: str) -> Member:
    path = _path(info.name)
    if info.issym():
        return Member(path, link=_relative(path, info.linkname, package))
    executable = bool(info.mode & 0o100)
    if info.islnk():
        return Member(path, executable, same_as=_path(info.linkname))
    return Member(path, executable, stream=cast(BinaryIO, archive.extractfile(info)))


def _path(name: str) -> str:
    return name.removeprefix("./").removeprefix("/")


def _relative(path: str, target: str, package: str) -> str:
    """Turn an absolute link, which means another file on a host than in the image, into the same one made relative.

    Debian's own packages have them (Debian Policy, section 10.5, asks for it between top-level directories): libc6 for
    the loader, tzdata for the local time.
    """
    if not target.startswith("/"):
        return target
    place, *below = PurePosixPath(target).parts[1:] or ("",)
    if place not in _PLACES or ".." in below:
        raise SubjectFailed(
            f"{package} brings an absolute link, {path} to {target}",
            why=f"it leads to none of the places that packages bring: {', '.join(_PLACES)}",
            do="leave the package out of the image",
        )
    return "../" * (len(PurePosixPath(path).parts) - 1) + target.lstrip("/")


@contextmanager
def _open(deb: BinaryIO, wanted: str, name: str) -> Iterator[tarfile.TarFile]:
    """Open a member of the `ar` archive as a tar stream."""
    member, size = _find(deb, wanted, name)
    compression = _COMPRESSIONS.get(member.removeprefix(wanted))
    if compression is None:
        raise SubjectFailed(f"{name} is compressed in a way that is not known: {member}", do="lock another package")
    try:
        window = cast(Any, _Window(deb, size))
        with tarfile.open(fileobj=window, mode=cast(Any, f"r|{compression}")) as archive:
            yield archive
    except tarfile.CompressionError as error:
        do = "run this with Python 3.14, which reads zstd, or lock another package"
        raise SubjectFailed(f"{name} cannot be decompressed: {member}", why=str(error), do=do) from error
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError) as error:
        raise SubjectFailed(
            f"{name} is damaged: {member} cannot be read", why=str(error), do="fetch it again"
        ) from error


def _find(deb: BinaryIO, wanted: str, name: str) -> tuple[str, int]:
    """Go to the content of an `ar` member; return its name and its size in bytes."""
    if deb.read(len(_MAGIC)) != _MAGIC:
        raise SubjectFailed(f"{name} is not a Debian package", do="lock a .deb")
    while len(header := deb.read(_HEADER)) == _HEADER:
        member, size = header[:16].decode("ascii", "replace").rstrip(" /"), header[48:58].decode("ascii", "replace")
        if not size.strip().isdigit():
            break
        if member.startswith(wanted):
            return member, int(size)
        deb.seek(int(size) + int(size) % 2, 1)
    raise SubjectFailed(f"{name} is damaged: it has no {wanted}", do="fetch it again")


class _Window:
    """The next `size` bytes of a stream, as tarfile wants to read them."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._left = size

    def read(self, most: int) -> bytes:
        most = min(most, self._left)
        data = self._stream.read(most)
        if len(data) < most:
            raise EOFError("it is cut short")
        self._left -= len(data)
        return data
