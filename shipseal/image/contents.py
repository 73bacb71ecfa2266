"""Read what the layers of an image hold: its paths, what its ELF files take and offer, and which texts its files have.

All layers of all platforms are taken together, and nothing that a later layer hides is left out: what is anywhere is
there. A zip file may hold others, and is told.
"""

import posixpath
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping

from shipseal.digest import Digest
from shipseal.documents.image import ImageDocument
from shipseal.errors import VerificationFailed
from shipseal.formats.elf import exports, imports, is_elf
from shipseal.judging.image_holdings import Holdings
from shipseal.oci.layout import Layout
from shipseal.purl import Purl

# APPNOTE.TXT of zip, 4.3.16: an archive ends with this record and a comment; what comes before it may be anything.
_END, _END_SIZE, _LONGEST_COMMENT = b"PK\x05\x06", 22, 0xFFFF
_ZIP = (b"PK\x03\x04", _END)
_CODE = (".py", ".pyc")


def read(
    layout: Layout, image: ImageDocument, names: Iterable[str], texts: Mapping[str, re.Pattern[bytes]]
) -> Holdings:
    """Return what an image holds.

    Args:
        layout: where its layers are.
        image: `image/image.json`.
        names: what is looked for in Python files, as names.
        texts: what is looked for in ELF files.

    Raises:
        VerificationFailed: a layer that `image.json` names cannot be read.
    """
    found = _LayerContents(tuple(names), texts)
    directories = set()
    for digest in sorted({layer.digest for entry in image.platforms.values() for layer in entry.layers}):
        for path, data in _files(layout, digest):
            if data is None:
                directories.add(path)
            else:
                found.take(path, data)
    packages: set[Purl] = set()
    owners: dict[str, list[Purl]] = {}
    for package in (package for entry in image.platforms.values() for package in entry.packages):
        purl = Purl.parse(package.purl)
        packages.add(purl)
        for path in package.files:
            owners.setdefault(path, []).append(purl)
    return Holdings(
        image=image.digest,
        packages=tuple(sorted(packages)),
        paths=frozenset(found.paths),
        imports=found.imports,
        exports=found.exports,
        owners={path: tuple(each) for path, each in owners.items()},
        directories=frozenset(directories),
        archives=tuple(sorted(found.archives)),
        words=found.words,
    )


class _LayerContents:
    """What was found so far."""

    def __init__(self, names: tuple[str, ...], texts: Mapping[str, re.Pattern[bytes]]) -> None:
        self.names, self.texts = names, texts
        self.paths: set[str] = set()
        self.archives: set[str] = set()
        self.imports: dict[str, frozenset[str] | None] = {}
        self.exports: dict[str, frozenset[str] | None] = {}
        self.words: dict[str, frozenset[str]] = {}

    def take(self, path: str, data: bytes) -> None:
        """Look at one file; of one path with several contents, on several platforms, all count."""
        self.paths.add(path)
        words: set[str] = set()
        if is_elf(data):
            _join(self.imports, path, imports(data))
            _join(self.exports, path, exports(data))
            words |= {text for text, pattern in self.texts.items() if pattern.search(data)}
        if _is_archive(data):
            self.archives.add(path)
        if path.endswith(_CODE):
            words |= {name for name in self.names if _is_named(name.encode(), data, path)}
        if is_elf(data) or path.endswith(_CODE):
            self.words[path] = self.words.get(path, frozenset()) | words


def _is_archive(data: bytes) -> bool:
    """Say whether Python would import from a file: a program may stand before the archive."""
    start = max(0, len(data) - _END_SIZE - _LONGEST_COMMENT)
    at = data.rfind(_END, start)
    while at >= start and at >= 0:
        if len(data) - at - _END_SIZE == int.from_bytes(data[at + 20 : at + 22], "little"):
            return True
        at = data.rfind(_END, start, at)
    return data.startswith(_ZIP)


def _join(known: dict[str, frozenset[str] | None], path: str, found: frozenset[str] | None) -> None:
    earlier = known.get(path, frozenset())
    known[path] = None if earlier is None or found is None else earlier | found


def _is_named(name: bytes, data: bytes, path: str) -> bool:
    """Say whether a file has a name: in byte code its length is before it (marshal, short text), in a source nothing.

    What is found may be something else that is called so; what is not found is not there.
    """
    if path.endswith(".pyc"):
        return bytes([len(name)]) + name in data
    return re.search(rb"\b" + re.escape(name) + rb"\b", data) is not None


def _files(layout: Layout, digest: Digest) -> Iterator[tuple[str, bytes | None]]:
    """Yield the path and the bytes of everything in a layer; of a directory nothing, and of a link none."""
    try:
        with tarfile.open(layout.blob(digest)) as layer:
            for member in layer:
                content = layer.extractfile(member) if member.isreg() else None
                data = content.read() if content else None if member.isdir() else b""
                yield posixpath.normpath(member.name).lstrip("/"), data
    except (OSError, EOFError, tarfile.TarError) as error:
        raise VerificationFailed(
            f"image/image.json names the layer {digest}, which cannot be read",
            why=str(error),
            remedy="run `shipseal stage image` again",
        ) from error
