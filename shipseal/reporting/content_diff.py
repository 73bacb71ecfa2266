"""Tell what an image holds that the last release's did not, and what it holds no more. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from shipseal.documents.image import ImageDocument, ImageLayer, ImagePackage
from shipseal.documents.previous_image import EarlierImage, EarlierLayer, EarlierPackage
from shipseal.documents.promote import TagsDocument
from shipseal.reporting.documents import malformed


@dataclass(frozen=True)
class ContentChange:
    """A layer or a package that is not as it was; `before` or `now` is empty where there was or is none."""

    platform: str
    kind: str
    name: str
    before: str
    now: str


@dataclass(frozen=True)
class Changes:
    """What a run has changed.

    Args:
        known: whether an image of before is.
        changes: what differs between that and this run's.
        tags: as `moved` yields them.
        missing: why those are not known, where they are not.
    """

    known: bool
    changes: tuple[ContentChange, ...]
    tags: tuple[tuple[str, str, str], ...]
    missing: str = ""


def changes(before: EarlierImage, now: ImageDocument) -> list[ContentChange]:
    """Return what differs between two images; none when both hold the same."""
    found: list[ContentChange] = []
    for platform in sorted({*before.platforms, *now.platforms}):
        old, new = before.platforms.get(platform), now.platforms.get(platform)
        layers = [_layers(each.layers if each else ()) for each in (old, new)]
        packages = [_packages(each.packages if each else ()) for each in (old, new)]
        found += [*_differing(platform, "layer", *layers), *_differing(platform, "package", *packages)]
    return found


def moved(tags: TagsDocument) -> Iterator[tuple[str, str, str]]:
    """Yield each tag with what it named before and what it names now; raise `NotKnown` where one of it is not said."""
    for tag in tags.tags:
        if tag not in tags.before:
            raise malformed(TagsDocument, f"before: it does not say what {tag} named")
        yield tag, tags.before[tag] or "nothing", str(tags.digest)


def _differing(platform: str, kind: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[ContentChange]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield ContentChange(platform, kind, name, old.get(name, ""), new.get(name, ""))


def _layers(layers: Iterable[EarlierLayer | ImageLayer]) -> dict[str, str]:
    return {layer.name: f"{layer.digest}, {layer.size:,} bytes" for layer in layers}


def _packages(packages: Iterable[EarlierPackage | ImagePackage]) -> dict[str, str]:
    return {package.name: package.version for package in packages}
