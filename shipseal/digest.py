"""Name bytes by their digest: the only identity that this product knows.

A `str` is never a digest and a `Reference` has no tag, so that neither can be mistaken for the bytes themselves.
Text form: OCI image specification, descriptor.md, section "Digests".
"""

import errno
import hashlib
import os
import re
import stat
import time
from collections.abc import Iterable
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Self

from shipseal.errors import VerificationFailed

_CHUNK = 1 << 20
_HEX = re.compile(r"[0-9a-f]{64}")
# distribution-spec, "Pulling manifests": names of repositories, and how long they may be.
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_LONGEST = 255
# distribution, reference/reference.go: `domain`, which has no grammar in the specification; here in lower case only.
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_HOST = re.compile(rf"({_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:]+\])(?::([0-9]{{1,5}}))?")


# What is known of files: the time of the last change of an inode, st_ctime, can be put back by nobody (inode(7)).
_State = tuple[int, int, int, int, int]
_known: dict[_State, str] = {}
_STEP = 50_000_000  # nanoseconds


@dataclass(frozen=True, order=True)
class Digest:
    """A sha256 digest. Other algorithms are refused: nothing that we read or write uses them."""

    algorithm: str
    hex: str

    def __post_init__(self) -> None:
        """Refuse what is not a sha256."""
        if self.algorithm != "sha256" or not _HEX.fullmatch(self.hex):
            raise VerificationFailed(
                f"not a sha256 digest: {self.algorithm}:{self.hex}"[:200],
                remedy="give a digest as sha256: and 64 lower-case hexadecimal digits",
            )

    def __str__(self) -> str:
        """Return the text form, `sha256:…`."""
        return f"{self.algorithm}:{self.hex}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form; raise `VerificationFailed` on anything else."""
        algorithm, _, digits = text.partition(":")
        return cls(algorithm, digits)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Digest bytes in memory."""
        return cls("sha256", hashlib.sha256(data).hexdigest())

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Digest a file without holding it in memory; raise `OSError` when it cannot be read, or is no file.

        A file that this process has read, and that nobody has touched since, is not read again.
        """
        with opened(path) as stream:
            before = os.fstat(stream.fileno())
            known = _known.get(_state(before))
            if known is None:
                known = hashlib.file_digest(stream, "sha256").hexdigest()
                if _state(before) == _state(os.fstat(stream.fileno())) and _is_settled(before):
                    _known[_state(before)] = known
            return cls("sha256", known)

    @classmethod
    def of_rows(cls, rows: Iterable[tuple[str, ...]]) -> Self:
        """Digest rows of texts; each is preceded by its length, so that no two listings are written alike."""
        listing = hashlib.sha256()
        for row in rows:
            fields = [text.encode("utf-8", "surrogateescape") for text in row]
            listing.update(b"%d;" % len(fields) + b"".join(b"%d:%b" % (len(each), each) for each in fields))
        return cls("sha256", listing.hexdigest())

    @classmethod
    def of_tree(cls, root: Path, *, leave_out: frozenset[str] = frozenset({"__pycache__"})) -> Self:
        """Digest a directory: the relative path, kind, executable bit and content of every file and link in it.

        Directories and files named in `leave_out` do not count, nor do owners, times and the order that the file
        system gives.
        """
        return cls.of_rows(row(path, root) for path in sorted(walk(root, leave_out), key=os.fsencode))


def _state(status: os.stat_result) -> _State:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _is_settled(status: os.stat_result) -> bool:
    """Tell whether a change from now on would show: the kernel counts times in steps, of 10 ms at most."""
    return time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _STEP


def opened(path: Path) -> BufferedReader:
    """Open a file for reading; raise `OSError` for what is none: a pipe would be waited for, a device has no end."""
    stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return stream


def row(path: Path, base: Path) -> tuple[str, ...]:
    """Return what counts of a file or link below a directory: its kind, its content or aim, and its path."""
    name = path.relative_to(base).as_posix()
    if path.is_symlink():
        return ("link", str(path.readlink()), name)
    kind = "program" if path.stat().st_mode & stat.S_IXUSR else "file"
    return (kind, str(Digest.of_file(path)), name)


def walk(root: Path, leave_out: frozenset[str] = frozenset()) -> list[Path]:
    """Return the files and links below a directory, directories themselves left out, links not followed."""
    found: list[Path] = []
    for path in root.iterdir():
        if path.name in leave_out:
            continue
        if path.is_dir() and not path.is_symlink():
            found.extend(walk(path, leave_out))
        else:
            found.append(path)
    return found


def split_repository(text: str) -> tuple[str, str]:
    """Return the registry and the repository of `HOST/PATH`, if all who read it understand the same by it.

    Docker takes what stands before the first slash for a host only if it looks like one, and completes the names of
    Docker Hub; registries and other clients do neither.

    Raises:
        ValueError: it is none, in words that say what to write.
    """
    host, slash, path = text.partition("/")
    if not any(sign in host for sign in ".:") and host != "localhost":
        hub = text if slash else f"library/{text}"
        raise ValueError(
            f"{host} is not a valid host to Docker: write HOST/PATH, which for Docker Hub is docker.io/{hub}"[:300]
        )
    known = _HOST.fullmatch(host)
    if not known or not 0 < int(known[2] or 1) < 65536:
        raise ValueError(
            f"{host} is not a valid host: write its name in lower case, with a port up to 65535 or none"[:300]
        )
    if not _REPOSITORY.fullmatch(path) or len(text) > _LONGEST:
        raise ValueError(
            f"{path} is not a valid repository: letters in lower case and digits, with `.`, "
            f"`_`, `__` or `-` between them, "
            f"in parts divided by `/`, and {_LONGEST} characters with the host at most"[:400]
        )
    if host == "index.docker.io" or (host == "docker.io" and "/" not in path):
        raise ValueError(f"Docker reads {text} otherwise: write docker.io/{path if '/' in path else f'library/{path}'}")
    return host, path


@dataclass(frozen=True)
class Reference:
    """An image by registry, repository and digest. There is no tag field, and there never will be one."""

    registry: str
    repository: str
    digest: Digest

    def __str__(self) -> str:
        """Return `REGISTRY/REPOSITORY@sha256:…`."""
        return f"{self.name}@{self.digest}"

    @property
    def name(self) -> str:
        """Return `REGISTRY/REPOSITORY`."""
        return f"{self.registry}/{self.repository}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `REGISTRY/REPOSITORY@sha256:…`; raise `VerificationFailed` when it is anything else, a tag included."""
        name, _, digest = text.partition("@")
        try:
            registry, repository = split_repository(name)
        except ValueError as error:
            raise VerificationFailed(
                f"not a reference by digest: {text}"[:200],
                why=str(error),
                remedy="give it as REGISTRY/REPOSITORY@sha256:…",
            ) from error
        return cls(registry, repository, Digest.parse(digest))
