"""Write where a name may be there already, hold a run directory for one run at a time, and say what a disk refuses.

Whatever lies in a directory that a project can reach may be a link to a file of ours: nothing is written through it.
"""

import errno
import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from shipseal.digest import opened
from shipseal.errors import FailureReason, ShipsealError, SubjectFailed, ToolFailed, UsageError, flatten

_LONGEST = 16 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def write(path: Path, text: str) -> None:
    """Put a whole file in the place of whatever has its name: a link there is replaced, and what it names is not.

    Raises:
        OSError: the directory takes no file.
    """
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(draft).rename(path)
    except BaseException:
        Path(draft).unlink()
        raise


def write_new(root: Path, files: Mapping[str, str]) -> None:
    """Write files that are not there yet, all of them or none; directories are made where they are missing.

    Args:
        root: where.
        files: their texts, by name.

    Raises:
        UsageError: one is there, a link leads elsewhere, or the disk refuses it; what was written is gone again.
    """
    made: list[Path] = []
    try:
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.parent.resolve() != root.resolve() / Path(name).parent:
                raise UsageError(f"{name} would be written elsewhere: a link leads to {path.parent.resolve()}")
            with path.open("x", encoding="utf-8") as file:
                made.append(path)
                file.write(text)
    except BaseException as error:
        for path in made:
            path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            why = error.strerror or str(error)
            raise UsageError(
                f"{name} cannot be written", why=why, remedy="nothing was written; see why it is so"
            ) from error
        raise


def clear(path: Path) -> None:
    """Remove whatever has a name: a directory with all that is in it, of a link nothing but the link.

    Raises:
        OSError: it cannot be removed.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def empty(path: Path) -> None:
    """Have an empty directory of this name, whatever had it; raise `OSError` where that cannot be."""
    clear(path)
    path.mkdir(parents=True)


def text_of(path: Path) -> str:
    """Return the text of a file that people write: a whole one, of at most 16 MiB; a pipe or a device is none.

    Raises:
        OSError: it cannot be read, or is no such file.
        ValueError: it is no UTF-8.
    """
    with opened(path) as file:
        if os.fstat(file.fileno()).st_size > _LONGEST:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        return file.read(_LONGEST).decode("utf-8")


@contextmanager
def disk(directory: Path) -> Iterator[None]:
    """Turn what a disk refuses into failures that say so, those that arrive in a group among them.

    Raises:
        ToolFailed: there is no room left, for a file or for SQLite.
        UsageError: something may not be read or written.
    """
    try:
        yield
    except (OSError, sqlite3.Error, ShipsealError, ExceptionGroup) as raised:
        refusals = [_refusal(failure, directory) for failure in flatten(raised)]
        found = next((refusal for refusal in refusals if refusal), None)
        if found is None or not all(refusals):
            raise
        raise found from raised


def _full(failure: BaseException) -> bool:
    if isinstance(failure, OSError):
        return failure.errno in _FULL
    if isinstance(failure, sqlite3.Error):
        return getattr(failure, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    # A tool says it in words; whoever asked the tool may already have blamed another or the project for it.
    while isinstance(failure, ToolFailed | SubjectFailed):
        if failure.reason is FailureReason.NO_SPACE:
            return True
        failure = failure.__cause__ or Exception()
    return False


def _refusal(failure: BaseException, directory: Path) -> ShipsealError | None:
    if _full(failure):
        return ToolFailed(
            f"no space left for {directory}",
            why=failure.why if isinstance(failure, ShipsealError) else str(failure),
            remedy="free some space there or in the directory of temporary files, then run this again: "
            "finished stages are kept",
            reason=FailureReason.NO_SPACE,
        )
    if isinstance(failure, OSError) and failure.errno in _FORBIDDEN:
        reason = os.strerror(failure.errno or 0).lower()
        return UsageError(
            f"{failure.filename or directory} cannot be used: {reason}",
            why=str(failure),
            remedy="give this user the right to it, or name another --run-dir",
        )
    return None


def private(directory: Path) -> None:
    """Have a directory that nobody else looks into, or holds a lock in: what tools say of a project is not for all.

    Raises:
        OSError: it cannot be made.
        UsageError: another user made it, who could put anything into it.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    there = directory.stat()
    if there.st_uid != os.geteuid():
        raise UsageError(f"{directory} belongs to another user", remedy="name a directory of your own with --run-dir")
    if there.st_mode & 0o077:
        directory.chmod(0o700)


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Hold the run directory's lock; raise `UsageError` when another run has it, or it cannot be written."""
    try:
        private(directory)
        handle = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UsageError(
            f"the run directory {directory} cannot be written", why=str(error), remedy="name another with --run-dir"
        ) from error
    try:
        _lock(handle, directory)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, directory: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(
            f"another run is using {directory}", remedy="wait for it, or give this one another --run-dir"
        ) from None
