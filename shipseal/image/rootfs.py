"""Say what is in each layer of an image, from the chosen files, their byte code and the records of their packages."""

import base64
import csv
import hashlib
import io
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name

from shipseal.canonical import canonical
from shipseal.digest import Digest
from shipseal.image.bytecode import Job
from shipseal.image.tree import Component, Tree
from shipseal.locked import debian
from shipseal.oci.layer import Entry

USER = 65532
LAYERS = ("runtime", "wheels", "service")
"""By rate of change, the slowest first."""

GENERATED = (
    Entry("etc/passwd", f"root:x:0:0:root:/:/sbin/nologin\nnonroot:x:{USER}:{USER}:nonroot:/:/sbin/nologin\n".encode()),
    Entry("etc/group", f"root:x:0:\nnonroot:x:{USER}:\n".encode()),
)
"""What is in every image and is of no package."""

_STATUS = "var/lib/dpkg/status.d"
_METADATA = re.compile(r"(?P<name>[^/-]+)-[^/]+\.dist-info/METADATA")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class LayerSource:
    """What one layer is made of, before anything of it is compiled.

    Args:
        name: one of `LAYERS`.
        tree: what brings the files.
        files: the paths of the chosen ones, in order, by the component that brings them.
    """

    name: str
    tree: Tree
    files: Mapping[Component, Sequence[str]]

    def inputs(self, digests: Mapping[str, Digest], **more: object) -> Digest:
        """Digest all that decides the layer's bytes.

        Args:
            digests: those of packages and wheels, by package URL.
            more: what decides the bytes of every layer.
        """
        files = {f"{owner.purl} {digests[owner.purl]}": list(paths) for owner, paths in self.files.items()}
        return Digest.of(canonical({"layer": self.name, "files": files, **more}))


def divide(tree: Tree, kept: Collection[str]) -> list[LayerSource]:
    """Divide the chosen files among layers; a layer that would be empty is none."""
    owned: dict[Component, list[str]] = {}
    for path in sorted(kept):
        owned.setdefault(tree.files[path].owner, []).append(path)
    parts = [
        LayerSource(name, tree, {o: owned[o] for o in sorted(owned) if _layer(tree, o) == name}) for name in LAYERS
    ]
    return [part for part in parts if part.files]


def _layer(tree: Tree, component: Component) -> str:
    if component == tree.service:
        return "service"
    return "runtime" if component.type == "deb" else "wheels"


def jobs(part: LayerSource, known: dict[tuple[str, Digest], Job], where: Path, *, whole: bool) -> dict[str, Job]:
    """Return what to compile for a layer, by path.

    Unless the runtime is whole, the standard library goes without its docstrings, as Python itself allows (`-OO`); its
    assertions stay. A service's and its wheels' stay: some frameworks read them.

    Args:
        known: jobs of other layers; the same source at the same path is one job for all, and is added to them.
        where: the directory for byte code.
    """
    found: dict[str, Job] = {}
    for path in (path for paths in part.files.values() for path in paths):
        if path.endswith(".py") and not part.tree.files[path].link:
            source = part.tree.content(path)
            documented = whole or not path.startswith(f"{part.tree.runtime.standard}/")
            job = Job(source, where / f"{len(known)}.pyc", f"/{path}", documented)
            found[path] = known.setdefault((path, Digest.of_file(source)), job)
    return found


def entries(part: LayerSource, compiled: Mapping[str, Path], *, sources: bool) -> dict[Component, list[Entry]]:
    """Return what is in a layer, by the component that it belongs to.

    Args:
        compiled: byte code by the path of its source.
        sources: sources stay, with their byte code beside them; otherwise byte code takes their place.
    """
    found: dict[Component, list[Entry]] = {}
    for component, paths in part.files.items():
        mine = [entry for path in paths for entry in _entries(part.tree, path, compiled.get(path), sources=sources)]
        records = (
            _status(part.tree, component, mine)
            if component.type == "deb"
            else _record(part.tree.runtime.site, component, mine)
        )
        found[component] = [*mine, *records]
    return found


def _entries(tree: Tree, path: str, code: Path | None, *, sources: bool) -> list[Entry]:
    """Return the file, its compiled code beside it or in its place, as the interpreter looks for it."""
    file = tree.files[path]
    if file.link:
        return [Entry(path, link=file.link)]
    if code and not sources:
        return [Entry(f"{path}c", code)]
    entry = Entry(path, file.content or tree.content(path), file.executable)
    if not code:
        return [entry]
    pure = PurePosixPath(path)
    return [entry, Entry(str(pure.parent / "__pycache__" / f"{pure.stem}.{tree.runtime.cache_tag}.pyc"), code)]


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


def _record(site: str, component: Component, entries: Sequence[Entry]) -> list[Entry]:
    """Return a wheel's RECORD (PyPA, "Recording installed projects") of what is in the image."""
    home = next((str(PurePosixPath(e.path).parent) for e in entries if _is_its_metadata(site, e.path, component)), "")
    if not home:
        return []
    lines = [_row(site, f"{home}/RECORD", "", "")]
    for entry in entries:
        digest = base64.urlsafe_b64encode(_hash(entry, "sha256")).rstrip(b"=").decode()
        lines.append(_row(site, entry.path, f"sha256={digest}", str(entry.size)))
    return [Entry(f"{home}/RECORD", "".join(sorted(lines)).encode())]


def _is_its_metadata(site: str, path: str, component: Component) -> bool:
    """Say whether a file is the metadata of a wheel itself, and not of one that it has vendored."""
    found = _METADATA.fullmatch(path.removeprefix(f"{site}/"))
    return found is not None and canonicalize_name(found["name"]) == canonicalize_name(component.name)


def _row(site: str, path: str, digest: str, size: str) -> str:
    """Return a row of RECORD: "a CSV file", with a name's commas and quotes told as such."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([os.path.relpath(path, site), digest, size])
    return line.getvalue()


def _hash(entry: Entry, algorithm: str) -> bytes:
    hashing = hashlib.new(algorithm, usedforsecurity=False)
    with entry.open() as stream:
        while chunk := stream.read(_CHUNK):
            hashing.update(chunk)
    return hashing.digest()
