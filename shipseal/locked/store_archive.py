"""Carry entries of a store in one file, to a network that is closed.

The file is a plain tar: an index of digests first, so that a truncated copy is known for one, then the entries by their
paths in the store. The same entries give the same bytes.
"""

import io
import itertools
import json
import re
import tarfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from shipseal.digest import Digest
from shipseal.errors import UsageError, VerificationFailed
from shipseal.locked.store import Store

_INDEX = "index.json"
_INDEX_LIMIT = 1 << 20  # bytes; an index of ten thousand entries is smaller
_MEMBER = re.compile(r"sha256/([0-9a-f]{64})/([^/]+)")


def export(store: Store, digests: Collection[Digest], file: Path) -> None:
    """Write entries to a file, each verified.

    Raises:
        ToolFailed: an entry is missing.
        VerificationFailed: an entry was altered.
        UsageError: the file cannot be written.
    """
    wanted = sorted(set(digests))
    part = file.with_name(f"{file.name}.part")
    try:
        with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as archive:
            _write(archive, _INDEX, io.BytesIO(index := _index(wanted)), len(index), 0o444)
            for digest in wanted:
                path = store.get(digest)
                with path.open("rb") as stream:
                    status = path.stat()
                    name = f"{digest.algorithm}/{digest.hex}/{path.name}"
                    _write(archive, name, stream, status.st_size, status.st_mode & 0o777)
        part.replace(file)
    except OSError as failure:
        raise UsageError(f"{file} cannot be written", why=str(failure), remedy="name another file") from failure
    finally:
        part.unlink(missing_ok=True)


def import_(store: Store, file: Path) -> int:
    """Take in what `export` wrote; return how many entries the file holds.

    Raises:
        UsageError: the file cannot be read, or is none that `export` wrote, or ends too early.
        VerificationFailed: an entry is not what its name says.
    """
    with _reading(file) as archive:
        missing = _announced(archive, file)
        count = len(missing)
        for member in itertools.islice(archive, 1, None):
            name = _MEMBER.fullmatch(member.name)
            content = archive.extractfile(member) if member.isreg() else None
            if name is None or content is None or Digest("sha256", name[1]) not in missing:
                raise VerificationFailed(f"{file} holds {member.name[:200]!r}, which its index does not announce")
            digest = Digest("sha256", name[1])
            store.receive(content, name[2], digest, executable=bool(member.mode & 0o100))
            missing.remove(digest)
    if missing:
        raise UsageError(f"{file} ends before {len(missing)} of its {count} entries", remedy="copy it again, whole")
    return count


def _index(digests: Collection[Digest]) -> bytes:
    return json.dumps([str(digest) for digest in digests], indent=0).encode()


def _write(archive: tarfile.TarFile, name: str, content: IO[bytes], size: int, mode: int) -> None:
    member = tarfile.TarInfo(name)  # whose owner, time and the like are zero, as they shall be
    member.size, member.mode = size, mode
    archive.addfile(member, content)


def _announced(archive: tarfile.TarFile, file: Path) -> set[Digest]:
    first = archive.next()
    content = archive.extractfile(first) if first and first.isreg() and first.name == _INDEX else None
    if first is None or content is None or first.size > _INDEX_LIMIT:
        raise UsageError(f"{file} is not an exported store", remedy="make it with `shipseal store export FILE`")
    return {Digest.parse(text) for text in json.loads(content.read())}


@contextmanager
def _reading(file: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(file, "r:") as archive:
            yield archive
    except (tarfile.TarError, OSError, ValueError, TypeError, RecursionError) as failure:
        raise UsageError(
            f"{file} cannot be read as an exported store", why=str(failure), remedy="copy it again, or export it again"
        ) from failure
