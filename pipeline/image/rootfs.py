"""Say what is in each layer of an image, from the chosen files, their byte code and the records of their packages."""

import base64
import hashlib
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.digest import Digest
from pipeline.image.bytecode import Job
from pipeline.image.layer import Entry
from pipeline.image.tree import SITE, STANDARD, Component, Tree
from pipeline.locked import debian

USER = 65532
LAYERS = ("runtime", "wheels", "service")
"""By rate of change, the slowest first."""

_GENERATED = (
    Entry("etc/passwd", f"root:x:0:0:root:/:/sbin/nologin\nnonroot:x:{USER}:{USER}:nonroot:/:/sbin/nologin\n".encode()),
    Entry("etc/group", f"root:x:0:\nnonroot:x:{USER}:\n".encode()),
)
_STATUS = "var/lib/dpkg/status.d"
_TAG = "cpython-311"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Contents:
    """What is in an image for one platform: entries by layer, paths by the component that they belong to."""

    layers: Mapping[str, list[Entry]]
    owners: Mapping[Component, list[str]]
    generated: tuple[str, ...] = tuple(entry.path for entry in _GENERATED)


def jobs(
    trees: Mapping[str, Tree], kept: Mapping[str, set[str]], where: Path, *, whole: bool
) -> dict[str, dict[str, Job]]:
    """Return what to compile for each platform, by path; the same source at the same path is one job for all.

    Unless the runtime is whole, the standard library goes without its docstrings, as Python itself allows (`-OO`); its
    assertions stay. A service's and its wheels' stay: some frameworks read them.
    """
    known: dict[tuple[str, Digest], Job] = {}
    found: dict[str, dict[str, Job]] = {}
    for platform, tree in trees.items():
        sources = (path for path in sorted(kept[platform]) if path.endswith(".py") and not tree.files[path].link)
        found[platform] = {
            path: known.setdefault(
                (path, Digest.of_file(tree.content(path))),
                Job(
                    tree.content(path),
                    where / f"{len(known)}.pyc",
                    f"/{path}",
                    whole or not path.startswith(f"{STANDARD}/"),
                ),
            )
            for path in sources
        }
    return found


def contents(tree: Tree, kept: Collection[str], compiled: Mapping[str, Path], *, sources: bool) -> Contents:
    """Return what is in the image for one platform.

    Args:
        kept: paths of the chosen files.
        compiled: byte code by the path of its source.
        sources: sources stay, with their byte code beside them; otherwise byte code takes their place.
    """
    owned: dict[Component, list[Entry]] = {}
    for path in sorted(kept):
        file = tree.files[path]
        entry = Entry(path, b"", link=file.link) if file.link else Entry(path, tree.content(path), file.executable)
        owned.setdefault(file.owner, []).extend(_compiled(entry, compiled.get(path), sources=sources))
    layers: dict[str, list[Entry]] = {name: [] for name in LAYERS}
    layers["runtime"] += _GENERATED
    for component, entries in owned.items():
        records = _status(tree, component, entries) if component.type == "deb" else _record(entries)
        layer = "runtime" if component.type == "deb" else "service" if component == tree.service else "wheels"
        entries.extend(records)
        layers[layer] += entries
    paths = {component: sorted(entry.path for entry in entries) for component, entries in sorted(owned.items())}
    return Contents({name: entries for name, entries in layers.items() if entries}, paths)


def _compiled(entry: Entry, code: Path | None, *, sources: bool) -> list[Entry]:
    if code is None:
        return [entry]
    if not sources:
        return [Entry(f"{entry.path}c", code)]
    path = PurePosixPath(entry.path)
    return [entry, Entry(str(path.parent / "__pycache__" / f"{path.stem}.{_TAG}.pyc"), code)]


def _status(tree: Tree, component: Component, entries: Iterable[Entry]) -> list[Entry]:
    """Return dpkg's records of a package, true for what is in the image."""
    files = [entry for entry in entries if not entry.link]
    sums = {entry.path: _hash(entry, "md5").hex() for entry in files}
    shipped = {path for path in tree.files if tree.files[path].owner == component}
    present = sum(entry.path in shipped or entry.path.removesuffix("c") in shipped for entry in entries)
    paragraph = debian.status(tree.control[component], present, tree.shipped[component])
    return [
        Entry(f"{_STATUS}/{component.name}", paragraph),
        Entry(f"{_STATUS}/{component.name}.md5sums", debian.md5sums(sums)),
    ]


def _record(entries: Sequence[Entry]) -> list[Entry]:
    """Return a wheel's RECORD (PyPA, "Recording installed projects") of what is in the image."""
    home = next((str(PurePosixPath(e.path).parent) for e in entries if e.path.endswith(".dist-info/METADATA")), "")
    if not home:
        return []
    lines = [f"{_relative(f'{home}/RECORD')},,"]
    for entry in entries:
        digest = base64.urlsafe_b64encode(_hash(entry, "sha256")).rstrip(b"=").decode()
        lines.append(f"{_relative(entry.path)},sha256={digest},{entry.size}")
    return [Entry(f"{home}/RECORD", "".join(f"{line}\n" for line in sorted(lines)).encode())]


def _relative(path: str) -> str:
    relative = os.path.relpath(path, SITE)
    return f'"{relative}"' if "," in relative else relative


def _hash(entry: Entry, algorithm: str) -> bytes:
    hashing = hashlib.new(algorithm, usedforsecurity=False)
    with entry.open() as stream:
        while chunk := stream.read(_CHUNK):
            hashing.update(chunk)
    return hashing.digest()
