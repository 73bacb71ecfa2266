"""Say which tags an image of a version gets. Pure: versions in, names out."""

import re
from collections.abc import Iterable

_SEMANTIC = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


def tags_of(version: str) -> list[str]:
    """Return the own tag of a version, then those that move with it: 1.4.2 moves 1.4 and 1, 0.4.2 moves 0.4."""
    if not _SEMANTIC.fullmatch(version):
        return [version.replace("+", "-")]  # a tag may not hold the plus sign of a local version
    major, minor, _ = version.split(".")
    return [version, f"{major}.{minor}"] if major == "0" else [version, f"{major}.{minor}", major]


def newer(version: str, there: Iterable[str]) -> dict[str, str]:
    """Return the tags of a version's lines that a newer release holds, with that release: they stay where they are.

    Args:
        version: what is released.
        there: the tags that the registry has; releases are those of the form MAJOR.MINOR.PATCH.
    """
    own, *lines = tags_of(version)
    releases = sorted((tag for tag in there if _SEMANTIC.fullmatch(tag)), key=_order)
    newest = {line: [tag for tag in releases if tag.startswith(f"{line}.")][-1:] for line in lines}
    return {line: found[0] for line, found in newest.items() if found and _order(found[0]) > _order(own)}


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
