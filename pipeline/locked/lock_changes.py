"""Say what a new lock has that the old one had not: packages and tools by name, with the version before and after.

Pure.
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from packaging.utils import canonicalize_name

_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True)
class Change:
    """One package or tool; a version is empty where the lock does not have it, and names platforms if they differ."""

    name: str
    old: str
    new: str

    def __str__(self) -> str:
        """Return the line that people read."""
        if not self.old:
            return f"{self.name} {self.new}, new here"
        return f"{self.name} {self.old} -> {self.new or 'gone'}"


def changes(kind: str, old: str, new: str) -> tuple[Change, ...]:
    """Return what changed between two texts of a lock, by name.

    Args:
        kind: `python`, `debian` or `tools`.
        old: empty for a lock that was not there; what nobody can read in it counts as not there.
        new: the lock now.
    """
    before, after = _versions(kind, old), _versions(kind, new)
    return tuple(
        Change(name, before.get(name, ""), after.get(name, ""))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def _versions(kind: str, text: str) -> dict[str, str]:
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, version, architecture in _python(text) if kind == "python" else _toml(kind, text):
        found[name][version].append(architecture)
    return {name: _told(versions) for name, versions in found.items()}


def _told(versions: dict[str, list[str]]) -> str:
    if len(versions) == 1:
        return next(iter(versions))
    return ", ".join(
        f"{version} ({', '.join(where)})" if any(where) else version for version, where in versions.items()
    )


def _python(text: str) -> Iterator[tuple[str, str, str]]:
    for match in _PINNED.finditer(text):
        yield canonicalize_name(match["name"]), match["version"], ""


def _toml(kind: str, text: str) -> Iterator[tuple[str, str, str]]:
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return
    entries = document.get("package") if kind == "debian" else [_named(*item) for item in document.items()]
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            name, version, architecture = (entry.get(key, "") for key in ("name", "version", "architecture"))
            if version and all(isinstance(each, str) for each in (name, version, architecture)):
                yield name, version, architecture


def _named(name: str, tool: Any) -> Any:
    return {**tool, "name": name, "architecture": ""} if isinstance(tool, dict) else tool
