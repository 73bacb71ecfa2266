"""Find what a changelog says of a version (Keep a Changelog 1.1.0: a heading of the second level for each). Pure."""

import re
from contextlib import suppress

from packaging.version import InvalidVersion, Version

FILENAME = "CHANGELOG.md"
_HEADING = re.compile(r"^##[ \t]+\[?v?(?P<version>[^\]\s]+)\]?", re.MULTILINE)
_NEXT = re.compile(
    r"^##[ \t]|^\[[^\]\n]+\]:[ \t]", re.MULTILINE
)  # another version, or the addresses of links at the end
_FENCE = re.compile(r"^(```|~~~)", re.MULTILINE)


def section(text: str, version: str) -> str:
    """Return what stands below the heading of a version; nothing where there is no such heading, or nothing below it.

    Args:
        text: the changelog, in Markdown.
        version: as Python spells it; the heading may spell it otherwise.
    """
    for found in _HEADING.finditer(text):
        if len(_FENCE.findall(text, 0, found.start())) % 2:
            continue  # an example of a changelog
        with suppress(InvalidVersion):
            if Version(found["version"]) == Version(version):
                rest = text[found.end() :].partition("\n")[2]
                end = _NEXT.search(rest)
                return rest[: end.start() if end else None].strip()
    return ""
