"""Write file trees as tar streams that depend on nothing but the tree.

Format: POSIX.1-2017, pax, "ustar Interchange Format"; opencontainers/image-spec layer.md. Directories are entries too
(layer.md asks for it), owners are numbers and zero, times are zero, names are sorted as bytes.
"""

import io
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from shipseal.errors import SubjectFailed
from shipseal.formats.paths import REMEDY, check_path

_CHUNK = 1 << 20


class Content(Protocol):
    """Bytes that are neither in memory nor in a file of their own."""

    @property
    def size(self) -> int:
        """How many there are."""

    def open(self) -> BinaryIO:
        """Open them for reading, from the first to the last."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or link of a layer.

    Args:
        path: where it is in the image, without a leading slash.
        content: its bytes, or what has them and is read when the layer is written.
        executable: whether it may be run; modes are 0755 and 0644, and nothing else.
        link: for a symbolic link its target, which must be relative; content is then empty.
    """

    path: str
    content: bytes | Path | Content = b""
    executable: bool = False
    link: str = ""

    @property
    def size(self) -> int:
        """Bytes of content."""
        if isinstance(self.content, bytes):
            return len(self.content)
        return self.content.stat().st_size if isinstance(self.content, Path) else self.content.size

    def open(self) -> BinaryIO:
        """Open the content for reading."""
        if isinstance(self.content, bytes):
            return io.BytesIO(self.content)
        return self.content.open("rb") if isinstance(self.content, Path) else self.content.open()


def tar(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield a layer as an uncompressed tar stream, in pieces of at most 1 MiB."""
    files = {entry.path: entry for entry in entries}
    directories = directories_of(files)
    for path in sorted([*files, *directories], key=_in_order(directories)):
        entry = files.get(path)
        yield _header(path, entry)
        if entry is not None and not entry.link:
            yield from _content(entry)
    yield bytes(2 * tarfile.BLOCKSIZE)


def check(layers: Sequence[Iterable[Entry]]) -> None:
    """Refuse layers that not every machine would unpack to the same tree, below one root.

    Raises:
        SubjectFailed: a path leaves the root, is there twice (in one layer or in two), differs from another in case
            only (a directory's name counts too), lies below a file, or a link is absolute or leaves the root.
    """
    files: dict[str, str] = {}
    for layer in layers:
        for entry in layer:
            check_path(entry.path)
            if entry.link:
                _check_link(entry)
            key = entry.path.casefold()
            if key in files:
                _refuse_pair(files[key], entry.path)
            files[key] = entry.path
    directories: dict[str, str] = {}
    for directory in sorted(directories_of(files.values())):
        key = directory.casefold()
        if key in files:
            below = min(path for path in files.values() if path.startswith(f"{directory}/"))
            raise SubjectFailed(f"{below} lies below {files[key]}, which is a file", remedy=REMEDY)
        if directories.setdefault(key, directory) != directory:
            _refuse_pair(directories[key], directory)


def directories_of(paths: Iterable[str]) -> set[str]:
    """Return every directory above some paths, but for the root."""
    found: set[str] = set()
    for path in paths:
        while (path := path.rpartition("/")[0]) and path not in found:
            found.add(path)
    return found


def _refuse_pair(one: str, other: str) -> None:
    if one == other:
        raise SubjectFailed(f"two packages bring {one}", remedy=REMEDY)
    raise SubjectFailed(f"{one} and {other} differ in case only", remedy=REMEDY)


def _check_link(entry: Entry) -> None:
    depth = len(entry.path.split("/")) - 1
    for part in entry.link.split("/"):
        depth += -1 if part == ".." else 0 if part in {"", "."} else 1
        if depth < 0:
            break
    if entry.link.startswith("/") or depth < 0:
        raise SubjectFailed(f"{entry.path} links to {entry.link}, which leaves the image", remedy=REMEDY)


def _in_order(directories: set[str]) -> Callable[[str], bytes]:
    # A directory sorts as `name/`, so that it comes directly before what is in it.
    return lambda path: (path + "/" if path in directories else path).encode()


def _header(path: str, entry: Entry | None) -> bytes:
    """Return the header block of a file, a link, or (no entry) a directory."""
    header = tarfile.TarInfo(path)
    header.uid = header.gid = header.mtime = 0
    if entry is None:
        header.type, header.mode, header.name = tarfile.DIRTYPE, 0o755, path + "/"
    elif entry.link:
        header.type, header.mode, header.linkname = tarfile.SYMTYPE, 0o777, entry.link
    else:
        header.mode, header.size = 0o755 if entry.executable else 0o644, entry.size
    # Ustar unless a name is too long for it; only then does a pax header come before.
    return header.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _content(entry: Entry) -> Iterator[bytes]:
    size = 0
    with entry.open() as stream:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            yield chunk
    yield bytes(-size % tarfile.BLOCKSIZE)
