"""Find the tar archives inside a Debian package, and read them within bounds of memory.

Format: deb(5): an `ar` archive with a control and a data member, each a compressed tar archive. What a package says of
its own sizes is believed only as far as it costs nothing.
"""

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Protocol, Self, cast

from shipseal.errors import SubjectFailed

_MAGIC = b"!<arch>\n"
_HEADER = 60
_COMPRESSIONS = {"": "", ".gz": "gz", ".xz": "", ".zst": "zst"}  # xz is read here, within a bound
_DICTIONARY = 256 << 20  # bytes; the largest that xz itself makes, with -9, takes 65 MiB to read
_PIECE = 1 << 16
_LONGEST_NAME = 1 << 20  # bytes of what comes before a member and describes it
_DESCRIBING = frozenset(
    {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
)


@contextmanager
def archive(deb: BinaryIO, wanted: str, name: str) -> Iterator[tarfile.TarFile]:
    """Open a member of the `ar` archive as a tar stream.

    Args:
        deb: the package, at its first byte.
        wanted: the member's name without its compression.
        name: what messages call the package.

    Raises:
        SubjectFailed: it is not there, is compressed in an unknown way, or cannot be read to its end.
    """
    member, size = _find(deb, wanted, name)
    compression = _COMPRESSIONS.get(member.removeprefix(wanted))
    if compression is None:
        raise SubjectFailed(f"{name} is compressed in a way that is not known: {member}", remedy="lock another package")
    window = _Window(deb, size)
    stream = cast(Any, _Xz(window) if member.endswith(".xz") else window)
    try:
        with tarfile.open(fileobj=stream, mode=cast(Any, f"r|{compression}"), tarinfo=_Info) as found:
            yield found
    except tarfile.CompressionError as error:
        remedy = "run this with Python 3.14, which reads zstd, or lock another package"
        raise SubjectFailed(f"{name} cannot be decompressed: {member}", why=str(error), remedy=remedy) from error
    # A number or a text of a pax header that is none is a ValueError.
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, ValueError) as error:
        raise SubjectFailed(
            f"{name} is damaged: {member} cannot be read", why=str(error), remedy="fetch it again"
        ) from error


def _find(deb: BinaryIO, wanted: str, name: str) -> tuple[str, int]:
    """Go to the content of an `ar` member; return its name and its size in bytes."""
    if deb.read(len(_MAGIC)) != _MAGIC:
        raise SubjectFailed(f"{name} is not a Debian package", remedy="lock a .deb")
    while len(header := deb.read(_HEADER)) == _HEADER:
        member, size = header[:16].decode("ascii", "replace").rstrip(" /"), header[48:58].decode("ascii", "replace")
        if not size.strip().isdigit():
            break
        if member.startswith(wanted):
            return member, int(size)
        deb.seek(int(size) + int(size) % 2, 1)
    raise SubjectFailed(f"{name} is damaged: it has no {wanted}", remedy="fetch it again")


class _Info(tarfile.TarInfo):
    """A header that is refused where tarfile would take it for the end, or for the size of what goes into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        if buf and not any(buf):
            return super().frombuf(buf, encoding, errors)  # the end, as it should be
        try:
            info = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error
        if info.size < 0 or (info.type in _DESCRIBING and info.size > _LONGEST_NAME):
            raise tarfile.ReadError(f"a header says that {info.size} bytes follow")
        if info.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError("it has a file with holes")
        return info


class _Readable(Protocol):
    def read(self, most: int, /) -> bytes:
        """Return at most so many bytes, and none at the end."""


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


class _Xz:
    """What a stream holds, decompressed; tarfile by itself would take any amount of memory that it asks for."""

    def __init__(self, stream: _Readable) -> None:
        self._stream = stream
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, _DICTIONARY)

    def read(self, most: int) -> bytes:
        while not self._decompressor.eof:
            data = self._stream.read(_PIECE) if self._decompressor.needs_input else b""
            if self._decompressor.needs_input and not data:
                raise EOFError("it is cut short")
            if found := self._decompressor.decompress(data, most):
                return found
        return b""
