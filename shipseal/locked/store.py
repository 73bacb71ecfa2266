"""Keep what comes from outside, each file in a directory named by its digest, shared by all checkouts of a user.

Layout: `sha256/HEX/FILENAME`, one file a directory, so that a wheel keeps the name that says what it fits. Entries
arrive by one rename and never change: two runs may fill a store at once, and a reader needs neither a lock nor the
right to write. Bytes are hashed on the way in and again on every use.
"""

import errno
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from shipseal import terminal_text
from shipseal.digest import Digest
from shipseal.errors import FailureReason, ToolFailed, UsageError, VerificationFailed

# A name that is one path component everywhere, and no option when it stands on a command line.
_FILENAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~%!-]*")
_MARKED = 3600  # seconds for which a use needs no other mark
_CHUNK = 1 << 20
_FETCH = "run `shipseal store fetch`"


def default_root(environment: Mapping[str, str]) -> Path:
    """Return the store of this user: `supply-chain-pipeline/store` below `$XDG_CACHE_HOME`, else below `~/.cache`."""
    cache = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or Path.home()) / ".cache"
    return Path(cache) / "supply-chain-pipeline" / "store"


@dataclass(frozen=True)
class StoreEntry:
    """One file of a store; `size` is in bytes, `used` when it was last asked for, in seconds since 1970."""

    digest: Digest
    path: Path
    size: int
    used: float


BUILT, UNKNOWN = "built from source here", "unknown"
"""The origin of a tool that no mirror had, and of what came with a store that was carried here."""


class Store:
    """A content-addressed store in a directory, which need not exist yet and may be read-only."""

    def __init__(self, root: Path) -> None:
        """Name the store; nothing is read or written before it is asked for something."""
        self.root = root

    def filename(self, digest: Digest) -> str | None:
        """Return the file name that an entry arrived with, or None when there is no such entry."""
        path = self._locate(digest)
        return path.name if path else None

    def has(self, digest: Digest) -> bool:
        """Say whether an entry is there, which marks it as used; its bytes are looked at by `get`."""
        path = self._locate(digest)
        if path:
            _mark(path)
        return path is not None

    def intact(self, digest: Digest) -> bool:
        """Say whether an entry is there and its bytes are those that the digest names."""
        path = self._locate(digest)
        return path is not None and Digest.of_file(path) == digest

    def get(self, digest: Digest) -> Path:
        """Return the path of an entry whose bytes were hashed just now.

        Raises:
            ToolFailed: there is no such entry.
            VerificationFailed: the bytes are not those that the digest names.
        """
        path = self._locate(digest)
        if path is None:
            raise ToolFailed(f"{digest} is not in the store {self.root}", remedy=_FETCH, reason=FailureReason.MISSING)
        _mark(path)
        actual = Digest.of_file(path)
        if actual != digest:
            raise VerificationFailed(
                f"{path.name} was altered in the store {self.root}",
                why=(f"expected {digest}", f"found    {actual}"),
                remedy=f"{_FETCH}, which replaces it",
            )
        return path

    def add(self, path: Path, expected: Digest) -> Path:
        """Copy a file in under its own name; return where it is. Raises what `receive` does."""
        with path.open("rb") as stream:
            return self.receive(stream, path.name, expected, executable=bool(path.stat().st_mode & 0o100))

    def receive(self, stream: IO[bytes], name: str, expected: Digest, *, executable: bool = False) -> Path:
        """Make an entry of a stream, by one rename; one that is there and intact stays, an altered one is replaced.

        Raises:
            VerificationFailed: the bytes are not those that `expected` names, or the name is none for a file.
            UsageError: the store cannot be written, or the disk is full.
        """
        if not _FILENAME.fullmatch(name):
            raise VerificationFailed(f"not a file name that a store takes: {name!r}")
        if self.intact(expected):
            return self.get(expected)
        with self.writing(name):
            self._make(expected.algorithm)
            with self._scratch() as scratch:
                actual = _copy(stream, scratch / name, 0o555 if executable else 0o444)
                if actual != expected:
                    raise VerificationFailed(
                        f"{name} is not what the lock names", why=(f"expected {expected}", f"found    {actual}")
                    )
                scratch.chmod(0o755)  # mkdtemp's 0700 would hide it from the other users of a shared store
                self._settle(scratch, expected)
        return self.get(expected)

    @contextmanager
    def arriving(self, digest: Digest) -> Iterator[IO[bytes]]:
        """Open what has arrived of an entry that comes in pieces, for one run at a time; it goes once that is whole.

        Raises:
            UsageError: the store cannot be written, or the disk is full.
        """
        with self.writing(digest.hex):
            self._make("arriving")
            path = self.root / "arriving" / digest.hex
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # one run at a time fills it
            try:
                yield file
            finally:
                if self.has(digest) or file.seek(0, os.SEEK_END) == 0:
                    path.unlink(missing_ok=True)

    def note_origin(self, digest: Digest, origin: str) -> None:
        """Note where an entry came from; it tells people, and nothing is decided by it."""
        with self.writing("an origin"):
            self._make("origins")
            (self.root / "origins" / digest.hex).write_text(origin, encoding="utf-8")

    def origin(self, digest: Digest) -> str:
        """Return what was noted of an entry, in one line; `unknown` where nothing was."""
        try:
            text = (self.root / "origins" / digest.hex).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return UNKNOWN
        return terminal_text.line(text)[:300]

    def entries(self) -> Iterator[StoreEntry]:
        """Yield every entry, in the order of the digests."""
        directory = self.root / "sha256"
        for child in sorted(directory.iterdir()) if directory.is_dir() else ():
            digest = Digest("sha256", child.name)
            path = self._locate(digest)
            if path:
                yield StoreEntry(digest, path, path.stat().st_size, path.parent.stat().st_mtime)

    def open_lock(self, name: str, mode: int = 0o600) -> int:
        """Open a file that runs hold a lock on; raise as `receive` does when it cannot be written.

        Whoever may open it may hold it: other users only where `mode` lets them.
        """
        with self.writing(name):
            self._make()
            return os.open(self.root / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, mode)

    def _locate(self, digest: Digest) -> Path | None:
        try:
            files = list((self.root / digest.algorithm / digest.hex).iterdir())
        except FileNotFoundError:
            return None
        except OSError as failure:
            raise UsageError(
                f"the store {self.root} cannot be read", why=str(failure), remedy="name another with --store"
            ) from failure
        return files[0] if len(files) == 1 else None

    def _make(self, below: str = "") -> None:
        """Make the store's directories, open to other users whatever the umask is; but not a user's own cache.

        There nobody else has anything to read, and whoever can open a lock can hold it.
        """
        self.root.parent.mkdir(parents=True, exist_ok=True)
        if self.root == default_root(os.environ):
            _close(self.root.parent)
        for directory in (self.root, self.root / below):
            if not directory.is_dir():
                directory.mkdir(exist_ok=True)  # another run may be as fast
                directory.chmod(0o755)

    def _settle(self, scratch: Path, digest: Digest) -> None:
        final = self.root / digest.algorithm / digest.hex
        try:
            scratch.rename(final)
        except OSError as failure:
            if failure.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            if self.intact(digest):
                return  # another run was faster
            with self._scratch() as aside:
                final.rename(aside / "altered")
                scratch.rename(final)

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        path = Path(tempfile.mkdtemp(prefix="arriving-", dir=self.root))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)  # it is gone already when it was renamed into place

    @contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """Turn what the disk refuses into `UsageError`, or `ToolFailed` where it is full."""
        try:
            yield
        except OSError as failure:
            if failure.errno in (errno.ENOSPC, errno.EDQUOT):
                remedy = "make room there, or name another store with --store"
                raise ToolFailed(f"no space left in the store {self.root} for {what}", remedy=remedy) from failure
            raise UsageError(
                f"the store {self.root} cannot be written ({what})",
                why=failure.strerror or str(failure),
                remedy="fill it as the user it belongs to, or name another with --store",
            ) from failure


def _close(directory: Path) -> None:
    """Close a directory of this user's to all others."""
    found = directory.stat()
    if found.st_uid == os.geteuid() and found.st_mode & 0o077:
        directory.chmod(0o700)


def _mark(path: Path) -> None:
    """Note that an entry was used, where this user may: by the time of its directory, which nothing else changes."""
    with suppress(OSError):
        if time.time() - path.parent.stat().st_mtime > _MARKED:
            os.utime(path.parent)


def _copy(stream: IO[bytes], target: Path, mode: int) -> Digest:
    """Copy and hash in one pass, and let the bytes reach the disk before the name does."""
    hashing = hashlib.sha256()
    with target.open("wb") as output:
        while chunk := stream.read(_CHUNK):
            hashing.update(chunk)
            output.write(chunk)
        output.flush()
        os.fchmod(output.fileno(), mode)
        os.fsync(output.fileno())
    return Digest("sha256", hashing.hexdigest())
