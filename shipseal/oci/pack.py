"""Write an image and its evidence as one file, the same bytes for the same content, and read one that anybody has made.

The file is a tar archive (POSIX.1-2017, pax, "ustar Interchange Format") that any `tar` takes apart. Its first member,
`pack.json`, announces every other by name, size and digest, in order. A reader takes only what a writer would have
written: each header is compared byte by byte with the one that belongs there, so there is no link, no device, no path
but those below, nothing twice and nothing larger than the file.
"""

import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from shipseal.canonical import canonical
from shipseal.digest import Digest, opened
from shipseal.errors import UsageError, VerificationFailed

FORMAT = "https://supply-chain-pipeline.example/pack/v1"
LAYOUT = "layout"
INDEX = "pack.json"
_NAME = re.compile(
    r"layout/(oci-layout|index\.json|blobs/sha256/[0-9a-f]{64})"
    r"|(policy|verdict|trust)(/[A-Za-z0-9_][A-Za-z0-9._-]{0,60}){1,3}"
)
_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)
_LARGEST = 8**11 - 1  # bytes; the header has no room for more
_LARGEST_INDEX = 8 << 20  # bytes; a member takes about 200 of them
_MOST = 20_000
_CHUNK = 1 << 20

Content = bytes | Path


@dataclass(frozen=True)
class PackMember:
    """A file in a pack; `size` is in bytes."""

    name: str
    digest: Digest
    size: int

    @property
    def stored(self) -> int:
        """How many bytes it takes in the archive, with its header."""
        return _BLOCK + self.size + -self.size % _BLOCK


@dataclass(frozen=True)
class Pack:
    """What a pack says of itself. Nothing of it is signed.

    Args:
        about: what is in `pack.json` besides the members.
        members: what follows, in order.
    """

    about: Mapping[str, Any]
    members: tuple[PackMember, ...]


def write(file: Path, about: Mapping[str, Any], content: Mapping[str, Content]) -> PackMember:
    """Write a pack; what had the name before is replaced when it is whole. Return its name, digest and size.

    Args:
        file: the file to write.
        about: what `pack.json` says besides the members.
        content: bytes or files, by their names in it.

    Raises:
        UsageError: the file cannot be written, or a name is none that a pack can hold.
    """
    if odd := [name for name in content if not _NAME.fullmatch(name)]:
        raise UsageError(
            f"a pack cannot hold {odd[0][:200]!a}", remedy="give the file a name of letters, digits, . _ -"
        )
    members = tuple(_member(name, content[name]) for name in sorted(content))
    if large := [each.name for each in members if each.size > _LARGEST]:
        raise UsageError(f"a pack cannot hold {large[0]}", why=f"it has more than {_LARGEST} bytes")
    listed = [{"name": each.name, "digest": str(each.digest), "size": each.size} for each in members]
    index = canonical({**about, "format": FORMAT, "members": listed})
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("wb") as archive:
            _append(archive, INDEX, io.BytesIO(index), len(index))
            for each in members:
                with _stream(content[each.name]) as stream:
                    _append(archive, each.name, stream, each.size)
            archive.write(_END)
        written = _member(file.name, part)
        part.replace(file)
    except OSError as failure:
        raise UsageError(f"{file} cannot be written", why=str(failure), remedy="name another file") from failure
    finally:
        part.unlink(missing_ok=True)
    return written


def unpack(file: Path, target: Path) -> Pack:
    """Take a pack apart below a new directory. Its size and all names are known to be good before anything is written.

    Raises:
        UsageError: it cannot be read, is no pack, or is cut short or longer than it says.
        VerificationFailed: it holds something else than it announces, or announces what no pack holds.
    """
    try:
        with opened(file) as archive:
            pack = _read_index(archive, file)
            target.mkdir()
            for member in pack.members:
                _take(archive, member, target / member.name, file)
            if archive.read(len(_END) + 1) != _END:
                raise _altered(file, "what follows the last member is not the end")
    except OSError as failure:
        raise UsageError(
            f"{file} cannot be read", why=str(failure), remedy="name a file that `pack` has written"
        ) from failure
    return pack


def _read_index(archive: IO[bytes], file: Path) -> Pack:
    header = archive.read(_BLOCK)
    size = _size(header)
    if size is None or size > _LARGEST_INDEX or header != _header(INDEX, size):
        raise UsageError(f"{file} is not a valid evidence pack", remedy="make one with `shipseal pack`")
    data = archive.read(size)
    if archive.read(-size % _BLOCK).strip(b"\0"):
        raise _altered(file, f"{INDEX} is not as long as it says")
    pack = _parse(data, file)
    wanted = _BLOCK + size + -size % _BLOCK + sum(each.stored for each in pack.members) + len(_END)
    there = file.stat().st_size
    if there != wanted:
        raise UsageError(
            f"{file} is {'cut short' if there < wanted else 'longer than it says'}",
            why=f"it has {there} bytes, and what it announces takes {wanted}",
            remedy="copy it again, whole",
        )
    return pack


def _parse(data: bytes, file: Path) -> Pack:
    try:
        said = dict(json.loads(data))
        if said["format"] != FORMAT:
            raise UsageError(f"{file} is a pack of another format", why=str(said["format"])[:200])
        listed = said.pop("members")
        members = tuple(
            PackMember(str(each["name"]), Digest.parse(each["digest"]), int(each["size"])) for each in listed
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _altered(file, f"its {INDEX} cannot be read: {type(error).__name__}: {error}"[:300]) from error
    names = [each.name for each in members]
    if odd := [name for name in names if not _NAME.fullmatch(name)]:
        raise _altered(file, f"it announces {odd[0][:200]!a}, which no pack holds")
    if names != sorted(set(names)) or len(names) > _MOST or not all(0 <= each.size <= _LARGEST for each in members):
        raise _altered(file, "it announces a name twice, out of order, too many of them, or a size that cannot be")
    return Pack(said, members)


def _take(archive: IO[bytes], member: PackMember, target: Path, file: Path) -> None:
    if archive.read(_BLOCK) != _header(member.name, member.size):
        raise _altered(file, f"where {member.name} is announced there is something else")
    target.parent.mkdir(parents=True, exist_ok=True)
    left = member.size
    with target.open("xb") as output:
        while chunk := archive.read(min(left, _CHUNK)):
            output.write(chunk)
            left -= len(chunk)
    if archive.read(-member.size % _BLOCK).strip(b"\0") or left:
        raise _altered(file, f"{member.name} is not as long as it says")
    if Digest.of_file(target) != member.digest:
        raise _altered(file, f"{member.name} has other bytes than those of {member.digest}")


def _header(name: str, size: int) -> bytes:
    """Return the header of a file that belongs to nobody, of no time, that all may read."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o444
    return member.tobuf(tarfile.USTAR_FORMAT)


def _size(header: bytes) -> int | None:
    try:
        return tarfile.TarInfo.frombuf(header, "ascii", "strict").size
    except (tarfile.HeaderError, ValueError):
        return None


def _member(name: str, content: Content) -> PackMember:
    if isinstance(content, bytes):
        return PackMember(name, Digest.of(content), len(content))
    return PackMember(name, Digest.of_file(content), content.stat().st_size)


@contextmanager
def _stream(content: Content) -> Iterator[IO[bytes]]:
    with io.BytesIO(content) if isinstance(content, bytes) else opened(content) as stream:
        yield stream


def _append(archive: IO[bytes], name: str, stream: IO[bytes], size: int) -> None:
    archive.write(_header(name, size))
    left = size
    while chunk := stream.read(min(left, _CHUNK)):
        archive.write(chunk)
        left -= len(chunk)
    if left:
        raise OSError(f"{name} became shorter while it was read")
    archive.write(bytes(-size % _BLOCK))


def _altered(file: Path, why: str) -> VerificationFailed:
    return VerificationFailed(
        f"{file} is not as `pack` writes it",
        why=why,
        remedy="do not use it; have it packed again from the image's registry",
    )
