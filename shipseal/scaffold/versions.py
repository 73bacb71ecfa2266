"""Read which versions a project has chosen already, from whatever lock it has: the new locks keep to them. Pure.

Sources: PyPA specification "pylock.toml"; the locks that uv 0.9 and Poetry 2.2 write; pip's requirements files; and
pip-tools, which writes `NAME.txt` beside each `NAME.in`.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping

from packaging.utils import canonicalize_name

from shipseal.scaffold.lines import lines

LOCKS = (
    "uv.lock",
    "pylock.toml",
    "poetry.lock",
    "pdm.lock",
    "requirements.lock",
    "requirements.txt",
    "requirements-dev.txt",
)
"""The files that are looked for, the likeliest first."""

_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^]]*\])?\s*==\s*([A-Za-z0-9.!+_-]+)\s*(?:;.*)?")


def chosen(files: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Return the version of each package, and the name of the first lock that says any.

    Args:
        files: what lies in the project, by name.
    """
    compiled = sorted(name for name in files if name.endswith(".txt") and f"{name[:-4]}.in" in files)
    for name in (*LOCKS, *compiled):
        if name in files:
            found = dict(
                _tables(files[name])
                if name.endswith((".toml", "uv.lock", "poetry.lock", "pdm.lock"))
                else _pins(files[name])
            )
            if found:
                return found, name
    return {}, ""


def _pins(text: str) -> Iterator[tuple[str, str]]:
    for line in lines(text):
        if found := _PINNED.fullmatch(line):
            yield canonicalize_name(found[1]), found[2]


def _tables(text: str) -> Iterator[tuple[str, str]]:
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return
    for each in (*_list(document.get("package")), *_list(document.get("packages"))):
        match each:
            case {"name": str(name), "version": str(version), **rest} if not _is_own(rest.get("source")):
                yield canonicalize_name(name), version


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _is_own(source: object) -> bool:
    """Say whether a package is none of an index: the project itself, a directory or a repository."""
    return isinstance(source, dict) and bool({"editable", "virtual", "directory", "git", "path"} & source.keys())
