"""Open files below a directory by names that others chose, without following a link on the way.

The kernel resolves one name at a time, each in the directory that was opened for the one before (openat(2),
O_NOFOLLOW): whatever lies there, nothing outside is read or written.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def make_room(root: Path, path: str) -> None:
    """Make the directories above a path, the root too; raise `OSError` when one of them is something else."""
    root.mkdir(parents=True, exist_ok=True)
    with _above(root, path, make=True):
        pass


def create(root: Path, path: str, mode: int) -> BinaryIO:
    """Make a file, whatever the umask is; raise `OSError` when there is something already."""
    with _above(root, path) as (directory, name):
        descriptor = os.open(name, _NEW, mode, dir_fd=directory)
    os.fchmod(descriptor, mode)
    return os.fdopen(descriptor, "wb")


def read(root: Path, path: str) -> BinaryIO:
    """Open a file for reading; raise `OSError` when it is none, or a link."""
    with _above(root, path) as (directory, name):
        return os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory), "rb")


def link(root: Path, path: str, target: str) -> None:
    """Make a symbolic link, which nothing here follows."""
    with _above(root, path) as (directory, name):
        os.symlink(target, name, dir_fd=directory)


def same(root: Path, path: str, other: str) -> None:
    """Make a hard link to another file below the root; to that itself, should it be a symbolic link."""
    with _above(root, path) as (directory, name), _above(root, other) as (its, its_name):
        os.link(its_name, name, src_dir_fd=its, dst_dir_fd=directory, follow_symlinks=False)


@contextmanager
def _above(root: Path, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """Give the directory that a path is in, open, and its last name."""
    *above, name = path.split("/")
    current = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in above:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=current)
            deeper = os.open(part, _DIRECTORY, dir_fd=current)
            os.close(current)
            current = deeper
        yield current, name
    finally:
        os.close(current)
