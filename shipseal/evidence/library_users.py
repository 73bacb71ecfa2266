"""Say which programs and libraries of an image need the libraries of one package: what imports it, if no Python does.

Only what a loader reads before anything runs is looked at (`DT_NEEDED`): a library that is opened by name at run time
is not in it.
"""

import io
import tarfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from shipseal.digest import Digest
from shipseal.errors import SubjectFailed
from shipseal.formats.elf import is_elf, read

_LARGEST = 64 << 20  # bytes of one file
_MOST = 100_000  # members of a layer


def linked(blobs: Path, layers: Iterable[Digest], files: Collection[str]) -> dict[str, str]:
    """Return by the name of each library which file of an image is the first to need it.

    Args:
        blobs: the directory of a layout's blobs by sha256; what is not there, or has other bytes, is passed over.
        layers: the digests of one platform's layers.
        files: the paths of a package's files in the image.
    """
    libraries = {path.rpartition("/")[2] for path in files if ".so" in path.rpartition("/")[2]}
    found: dict[str, str] = {}
    for digest in layers if libraries else ():
        layer = blobs / digest.hex
        if layer.is_file() and Digest.of_file(layer) == digest:
            for path, needed in _needs(layer):
                for name in libraries.intersection(needed) if path not in files else ():
                    found[name] = min(path, found.get(name, path))
    return dict(sorted(found.items()))


def _needs(layer: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each ELF file of a layer with the libraries that it needs; a layer that cannot be read has none."""
    try:
        with tarfile.open(layer) as archive:
            for number, member in enumerate(archive):
                if number > _MOST:
                    return
                content = archive.extractfile(member) if member.isreg() and member.size <= _LARGEST else None
                data = content.read() if content else b""
                if is_elf(data):
                    yield member.name, _needed(data, member.name)
    except (OSError, EOFError, tarfile.TarError):
        return


def _needed(data: bytes, name: str) -> tuple[str, ...]:
    try:
        return read(io.BytesIO(data), name).needed
    except SubjectFailed:
        return ()
