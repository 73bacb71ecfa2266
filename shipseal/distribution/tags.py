"""Say which tags an image of a version gets. Pure: versions in, names out. Pure."""

import re
from collections.abc import Iterable

from packaging.version import InvalidVersion, Version

from shipseal.errors import SubjectFailed

# distribution-spec, "Pulling manifests"
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_LIST = re.compile(r"sha(256|512)-[0-9a-f]{32,128}(\..*)?")  # referrers where there is no API, and Cosign's own tags
LATEST = "latest"
_RELEASE = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


def is_tag(text: str) -> bool:
    """Say whether a text may be the tag of an image; lists of evidence have tags too, which no image has."""
    return bool(_TAG.fullmatch(text)) and not _LIST.fullmatch(text)


def newest_first(tags: Iterable[str]) -> list[str]:
    """Return tags with those of whole versions first, the highest before the others; then all other names."""
    versions: list[tuple[Version, str]] = []
    others: list[str] = []
    for tag in sorted(tags):
        try:
            known = Version(tag)
        except InvalidVersion:
            others.append(tag)
            continue
        if len(known.release) > 2:
            versions.append((known, tag))
        else:
            others.append(tag)
    return [*(tag for _, tag in sorted(versions, reverse=True)), *others]


def tags_of(version: str, *, latest: bool = False) -> list[str]:
    """Return the own tag of a version, then those that move with it: 1.4.2 moves 1.4 and 1, 0.4.2 moves 0.4.

    With `latest` a release moves that tag too. What is no release (a prerelease, a local version) moves nothing.

    The own tag names one image for good, so no version has the tag of a line for its own: 1.4 is 1.4.0, as it is to
    Python (PEP 440, "Version scheme"). Equal versions have one tag, however they are written. A tag may not
    hold the plus sign of a local version, which becomes a hyphen: no public version holds one.

    Raises:
        SubjectFailed: there is no such version, or it makes no tag.
    """
    try:
        known = Version(version)
    except InvalidVersion as error:
        raise _no_tag(version, "Python knows no such version (PEP 440)") from error
    padded = _padded(known.release)
    tag = (str(known) if known.epoch else padded + str(known).removeprefix(_dotted(known.release))).replace("+", "-")
    if not _TAG.fullmatch(tag):
        raise _no_tag(version, f"{tag[:140]} is none: letters, digits, `.`, `_` and `-`, and 128 of them at most")
    if not _RELEASE.fullmatch(tag):
        return [tag]
    major, minor, _ = tag.split(".")
    lines = [f"{major}.{minor}"] if major == "0" else [f"{major}.{minor}", major]
    return [tag, *lines, *([LATEST] if latest else [])]


def _padded(release: tuple[int, ...]) -> str:
    """Return a release's numbers, at least three, without zeros behind those."""
    numbers = [*release, *[0] * (3 - len(release))]
    while len(numbers) > 3 and not numbers[-1]:
        numbers.pop()
    return _dotted(numbers)


def _dotted(numbers: Iterable[int]) -> str:
    return ".".join(map(str, numbers))


def _no_tag(version: str, why: str) -> SubjectFailed:
    return SubjectFailed(
        f"the version {version[:140]} makes no tag for an image",
        why=why,
        remedy="give the service another version: an image without a tag could not be released",
    )


def newer(version: str, there: Iterable[str], *, latest: bool = False) -> dict[str, str]:
    """Return the tags of a version's lines that a newer release holds, with that release: they stay where they are.

    Args:
        version: what is released.
        there: the tags that the registry has; releases are those of the form MAJOR.MINOR.PATCH.
        latest: whether a release moves that tag too, the line of all releases.
    """
    own, *lines = tags_of(version, latest=latest)
    releases = sorted((tag for tag in there if _RELEASE.fullmatch(tag)), key=_order)
    newest = {line: [tag for tag in releases if line == LATEST or tag.startswith(f"{line}.")][-1:] for line in lines}
    return {line: found[0] for line, found in newest.items() if found and _order(found[0]) > _order(own)}


def previous_version(version: str, there: Iterable[str]) -> str:
    """Return the highest release below a version among some tags: of the form MAJOR.MINOR.PATCH; empty if none is."""
    known = Version(version)
    return max((tag for tag in there if _RELEASE.fullmatch(tag) and Version(tag) < known), key=_order, default="")


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
