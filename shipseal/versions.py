"""Say whether two spellings are one version, as the packages' own tools would. Pure.

PyPI: PEP 440, "Version scheme" and "Normalization". Debian: deb-version(7), "Sorting algorithm".
"""

import re

from packaging.version import InvalidVersion, Version

_PIECE = re.compile(r"([^0-9]*)([0-9]*)")


def same(kind: str, one: str, other: str) -> bool:
    """Say whether two versions are the same one for a type of package URL; of unknown types only by their text."""
    return one == other or (kind in _KEYS and _KEYS[kind](one) == _KEYS[kind](other))


def _python(version: str) -> object:
    try:
        return Version(version)
    except InvalidVersion:
        return version  # what no tool reads is the same as itself alone


def _debian(version: str) -> object:
    """Return what dpkg compares: without an epoch it is 0, without a revision too, and numbers are numbers."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, "0"
    return [_pieces(part) for part in (epoch, upstream, revision)]


def _pieces(text: str) -> list[tuple[str, str]]:
    """Return the pieces of a part, each what is no digit and then a number, of which an absent one is 0."""
    found = [(letters, digits.lstrip("0")) for letters, digits in _PIECE.findall(text)]
    while found and found[-1] == ("", ""):
        found.pop()
    return found


_KEYS = {"pypi": _python, "deb": _debian}
