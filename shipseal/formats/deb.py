"""Read a Debian package without holding it in memory: its files in its own order, and what its links mean in an image.

What no image may hold is refused while it is read, before anything is written for it.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, cast

from shipseal.errors import SubjectFailed
from shipseal.formats import streams
from shipseal.formats.paths import check_target

# Where a package's absolute links may lead. Anything else, as /dev or /run, belongs to the machine that it runs on.
_PLACES = ("bin", "etc", "lib", "lib64", "opt", "sbin", "srv", "usr", "var")
_DEVICES = {tarfile.CHRTYPE: "a device", tarfile.BLKTYPE: "a device", tarfile.FIFOTYPE: "a pipe"}
_LARGEST, _MOST = 4 << 30, 50_000  # bytes and files that one package may bring; the whole Python has 50 MB and 1,500
_LARGEST_CONTROL, _MOST_CONTROL = 16 << 20, 100  # the same for what it says of itself, which is held in memory


@dataclass(frozen=True)
class DebMember:
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
    """Return the files of a package's control member: `control`, and `md5sums` where it has one.

    Raises:
        SubjectFailed: they are not there, cannot be read, or are larger than any package's.
    """
    with streams.archive(deb, "control.tar", name) as archive:
        files = {
            _path(info.name): archive.extractfile(info).read()  # type: ignore[union-attr]
            for info in _within(archive, name, _LARGEST_CONTROL, _MOST_CONTROL)
            if info.isfile()
        }
    if "control" not in files:
        raise SubjectFailed(f"{name} is damaged: it has no control file", remedy="fetch it again")
    return files


def members(deb: BinaryIO, name: str) -> Iterator[DebMember]:
    """Yield a package's files, in its own order, without holding them; raise `SubjectFailed` for what no image has."""
    links: dict[str, str] = {}
    with streams.archive(deb, "data.tar", name) as archive:
        for info in _within(archive, name, _LARGEST, _MOST):
            if info.type in _DEVICES:
                raise SubjectFailed(
                    f"{name} brings {_DEVICES[info.type]}, {info.name}", remedy="leave the package out of the image"
                )
            if not info.isdir():
                yield _member(archive, info, name, links)


def _within(archive: tarfile.TarFile, name: str, largest: int, most: int) -> Iterator[tarfile.TarInfo]:
    """Yield what is in an archive until it is more than any package has, by what it says before it is read."""
    size = 0
    for number, info in enumerate(archive, 1):
        size += info.size
        if size > largest or number > most:
            raise SubjectFailed(
                f"{name} brings more than a package may",
                why=f"{number} files of {size} bytes so far; no more than {most} files and {largest} bytes are read",
                remedy="leave the package out of the image",
            )
        yield info


def _member(archive: tarfile.TarFile, info: tarfile.TarInfo, package: str, links: dict[str, str]) -> DebMember:
    """Return a member; `links` are the targets of the symbolic links before it, as the package writes them.

    A hard link to a symbolic link is that link once more, in another place.
    """
    path = _path(info.name)
    if info.issym() or info.islnk():
        check_target(path, info.linkname)
    target = info.linkname if info.issym() else links.get(_path(info.linkname)) if info.islnk() else None
    if target is not None:
        links[path] = target
        return DebMember(path, link=_relative(path, target, package))
    executable = bool(info.mode & 0o100)
    if info.islnk():
        return DebMember(path, executable, same_as=_path(info.linkname))
    return DebMember(path, executable, stream=cast(BinaryIO, archive.extractfile(info)))


def _path(name: str) -> str:
    """Return a name of an archive as a path below the root; whether it stays there is seen when it is taken in."""
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
            remedy="leave the package out of the image",
        )
    return "../" * (len(PurePosixPath(path).parts) - 1) + target.lstrip("/")
