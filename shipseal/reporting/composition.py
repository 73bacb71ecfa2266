"""Tell of what an image is made: bytes by layer, package and file, as a treemap and as a table. Pure.

The layers and packages are what `image` wrote down; how large each file is stands in Syft's list of the same layers.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shipseal.documents.files import MOST_BYTES, FilesDocument, ListedFile
from shipseal.documents.image import ImageDocument, ImagePlatform
from shipseal.reporting.documents import malformed, name
from shipseal.reporting.summary import RunSummary
from shipseal.reporting.treemap import Box, cut

WIDTH, HEIGHT = 960, 420
_HEADING, _EDGE = 17, 2.0
_MOST_FILES = 24  # of one package: what is smaller is one piece
_MOST_PACKAGES = 60  # of one layer
NOBODY = "of no package"


@dataclass(frozen=True)
class TreemapNode:
    """A layer, a package or a file: its name, its bytes when unpacked, and what it is made of itself."""

    name: str
    size: int
    parts: tuple["TreemapNode", ...] = ()


@dataclass(frozen=True)
class TreemapTile:
    """A part in its place. `depth` counts from the layers down, `shade` numbers the layers, `label` fits into it."""

    box: Box
    depth: int
    shade: int
    label: str
    says: str


@dataclass(frozen=True)
class Composition:
    """What is shown of one platform.

    Args:
        platform: which.
        layers: what it is made of.
        packed: each layer as it is pulled: its name, its digest and its bytes.
        pieces: the treemap.
        source: the file that has the sizes of files.
    """

    platform: str
    layers: tuple[TreemapNode, ...]
    packed: tuple[tuple[str, str, int], ...]
    pieces: tuple[TreemapTile, ...]
    source: str

    @property
    def size(self) -> int:
        """Bytes when unpacked."""
        return sum(layer.size for layer in self.layers)

    @property
    def pulled(self) -> int:
        """Bytes of all layers as they are pulled."""
        return sum(size for _, _, size in self.packed)


def composition(summary: RunSummary) -> Composition:
    """Return what the first platform of the image is made of."""
    platform, image = next(iter(summary.documents.need(ImageDocument).platforms.items()))
    if not all(0 <= layer.size <= MOST_BYTES for layer in image.layers):
        raise malformed(ImageDocument, "a layer of it has a number of bytes that no file has")
    place = platform.replace("/", "-")
    listing = summary.documents.left(FilesDocument, place)
    packed = tuple((layer.name, str(layer.digest), layer.size) for layer in image.layers)
    layers = tuple(_layers(image, listing.files) if listing else (TreemapNode(name, size) for name, _, size in packed))
    source = name(FilesDocument, place) if listing else name(ImageDocument)
    return Composition(platform, layers, packed, tuple(_pieces(layers)), source)


def _layers(image: ImagePlatform, files: Iterable[ListedFile]) -> Iterator[TreemapNode]:
    owners = {path: f"{package.name} {package.version}" for package in image.packages for path in package.files}
    names = {str(layer.diff_id): layer.name for layer in image.layers}
    found: dict[str, dict[str, list[TreemapNode]]] = {each: defaultdict(list) for each in names.values()}
    for file in files:
        if file.nature.type == "RegularFile" and file.place.layer in names:
            path = file.place.path.removeprefix("/")
            found[names[file.place.layer]][owners.get(path, NOBODY)].append(TreemapNode(path, file.nature.size))
    for layer, packages in found.items():
        yield _whole(layer, (_whole(each, parts) for each, parts in packages.items()))


def _whole(name: str, parts: Iterator[TreemapNode] | Sequence[TreemapNode]) -> TreemapNode:
    ordered = tuple(sorted(parts, key=lambda part: (-part.size, part.name)))
    return TreemapNode(name, sum(part.size for part in ordered), ordered)


def _pieces(layers: Sequence[TreemapNode]) -> Iterator[TreemapTile]:
    shown = [(shade, layer) for shade, layer in enumerate(layers) if layer.size]
    shown.sort(key=lambda each: -each[1].size)
    for (shade, layer), box in zip(shown, _cut([layer for _, layer in shown], Box(0, 0, WIDTH, HEIGHT)), strict=True):
        yield _piece(layer, box, 0, shade, layer.name)
        packages = _most(layer.parts, _MOST_PACKAGES, "packages")
        for package, inner in zip(packages, _cut(packages, box.inside(_EDGE, _HEADING)), strict=True):
            yield _piece(package, inner, 1, shade, f"{layer.name} / {package.name}")
            heading = _HEADING if inner.height > 3 * _HEADING and inner.width > 50 else 0
            files = _most(package.parts, _MOST_FILES, "files")
            for file, place in zip(files, _cut(files, inner.inside(_EDGE, heading)), strict=True):
                if place.width > 1 and place.height > 1:
                    yield _piece(file, place, 2, shade, f"{layer.name} / {package.name} / {file.name}")


def _cut(parts: Sequence[TreemapNode], box: Box) -> list[Box]:
    return cut([part.size for part in parts], box)


def _most(parts: Sequence[TreemapNode], most: int, kind: str) -> list[TreemapNode]:
    """Return the largest parts, and the others as one."""
    there = [part for part in parts if part.size]
    rest = there[most:]
    return there[:most] + (
        [TreemapNode(f"{len(rest)} smaller {kind}", sum(part.size for part in rest))] if rest else []
    )


def _piece(part: TreemapNode, box: Box, depth: int, shade: int, path: str) -> TreemapTile:
    room = int((box.width - 8) / (6.6 if depth == 2 else 7.6))
    name = part.name.rpartition("/")[2] if depth == 2 else part.name
    fits = room >= 4 and box.height >= (13 if depth == 2 else _HEADING)
    label = (name if len(name) <= room else f"{name[: room - 1]}…") if fits else ""
    return TreemapTile(box, depth, shade % 5, label, f"{path}: {part.size:,} bytes")
