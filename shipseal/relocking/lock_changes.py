"""Say what a new lock has that the old one had not: packages and tools by name, with the version before and after.

Pure.
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from packaging.utils import canonicalize_name

_BASE_NAME = r"[a-z0-9][a-z0-9.:/_-]{0,199}:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
LINE = re.compile(
    rf'^base-image = "(?P<name>{_BASE_NAME})@(?P<digest>sha256:[0-9a-f]{{64}})"$', re.MULTILINE | re.ASCII
)
"""How a base image stands in pyproject.toml."""
ACTION = re.compile(
    r"(?P<before>\buses: )(?P<action>[A-Za-z0-9_-][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]+)(?P<path>(?:/[A-Za-z0-9_.-]+)*)"
    r"@(?P<commit>[0-9a-f]{40})\b(?: # (?P<version>v?[0-9][A-Za-z0-9.+-]*))?",
    re.ASCII,
)
"""How an action stands in a workflow: by its commit, with the version behind it."""
_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True)
class LockChange:
    """One package or tool; a version is empty where the lock does not have it, and names platforms if they differ."""

    name: str
    old: str
    new: str

    def __str__(self) -> str:
        """Return the line that people read."""
        if not self.old:
            return f"{self.name} {self.new}, new here"
        return f"{self.name} {self.old} -> {self.new or 'gone'}"


def changes(kind: str, old: str, new: str) -> tuple[LockChange, ...]:
    """Return what changed between two texts of a lock, by name.

    Args:
        kind: `python`, `debian`, `tools`, `base` or `actions`.
        old: empty for a lock that was not there; what nobody can read in it counts as not there.
        new: the lock now.
    """
    before, after = _versions(kind, old), _versions(kind, new)
    return tuple(
        LockChange(name, before.get(name, ""), after.get(name, ""))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def _versions(kind: str, text: str) -> dict[str, str]:
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, version, architecture in _READ.get(kind, partial(_toml, kind))(text):
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


def _base(text: str) -> Iterator[tuple[str, str, str]]:
    for match in LINE.finditer(text):
        yield match["name"], match["digest"], ""


def _actions(text: str) -> Iterator[tuple[str, str, str]]:
    for match in ACTION.finditer(text):
        yield match["action"], match["version"] or match["commit"], ""


def _named(name: str, tool: Any) -> Any:
    return {**tool, "name": name, "architecture": ""} if isinstance(tool, dict) else tool


_READ: Mapping[str, Callable[[str], Iterator[tuple[str, str, str]]]] = {
    "python": _python,
    "base": _base,
    "actions": _actions,
}
