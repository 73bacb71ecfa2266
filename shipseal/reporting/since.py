"""Tell what an image holds that the last release's did not, and what it holds no more. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Change:
    """A layer or a package that is not as it was; `before` or `now` is empty where there was or is none."""

    platform: str
    kind: str
    name: str
    before: str
    now: str


def changes(before: Any, now: Any) -> list[Change]:
    """Return what differs between two images, as `image/image.json` has them; none when both hold the same."""
    found: list[Change] = []
    for platform in sorted({*before["platforms"], *now["platforms"]}):
        one, other = (image["platforms"].get(platform, {"layers": (), "packages": ()}) for image in (before, now))
        for kind, read in (("layer", _layers), ("package", _packages)):
            old, new = read(one), read(other)
            found += [
                Change(platform, kind, name, old.get(name, ""), new.get(name, ""))
                for name in sorted({*old, *new})
                if old.get(name) != new.get(name)
            ]
    return found


def moved(tags: Any) -> Iterator[tuple[str, str, str]]:
    """Yield each tag of `promote/tags.json` with what it named before and what it names now."""
    for tag in tags["tags"]:
        yield str(tag), str(tags["before"][tag] or "nothing"), str(tags["digest"])


def _layers(image: Mapping[str, Any]) -> dict[str, str]:
    return {str(layer["name"]): f"{layer['digest']}, {layer['size']:,} bytes" for layer in image["layers"]}


def _packages(image: Mapping[str, Any]) -> dict[str, str]:
    return {str(package["name"]): str(package["version"]) for package in image["packages"]}
