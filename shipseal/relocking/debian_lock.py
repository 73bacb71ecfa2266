"""Change the lock of Debian packages in its place: comments, order and layout stay as people wrote them. Pure."""

import tomllib
from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable, Table

from shipseal.errors import ConfigError
from shipseal.locked.debian import DebianPackage, Lock, named

Key = tuple[str, str]
"""A package's name and architecture."""


def read(text: str, name: str = "debian.lock.toml") -> tuple[Lock, list[Key]]:
    """Return what is locked, and every package that is named: one of a name and an architecture is still to be locked.

    Raises:
        ConfigError: it is no such lock.
    """
    try:
        document = tomllib.loads(text)
        entries: list[dict[str, Any]] = document["package"]
        wanted = sorted({named(entry, f"package {number}") for number, entry in enumerate(entries, 1)})
        locked = [entry for entry in entries if "version" in entry]
        return Lock.of({**document, "package": locked}), wanted
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"the lock of Debian packages {name} cannot be read",
            why=f"{type(error).__name__}: {error}",
            remedy="give the file its suite, python and base, and each [[package]] a name and an architecture",
        ) from error


def rewrite(text: str, packages: Mapping[Key, DebianPackage]) -> str:
    """Return the lock with each of its packages as it is now.

    Raises:
        ConfigError: the file is TOML of a form that cannot be kept.
    """
    try:
        document: Any = tomlkit.parse(text)
        for entry in document["package"]:
            _bring_up_to_date(entry, packages[entry["name"], entry["architecture"]])
        changed = str(document.as_string())
        kept = Lock.parse(changed).packages == tuple(sorted(packages.values()))
    except (ConfigError, TOMLKitError):
        kept = False
    if not kept:
        raise ConfigError(
            "the lock of Debian packages cannot be changed in its place",
            why="it is not written as one [[package]] for each, with a line for each key",
            remedy="write it so; comments may stand anywhere",
        )
    return changed


def _bring_up_to_date(entry: Table | InlineTable, package: DebianPackage) -> None:
    """Change the values that are others now. What is new goes below the last key: comments below may be of the next."""
    body = entry.value.body
    end = next(index for index in range(len(body), 0, -1) if body[index - 1][0] is not None)
    below, body[end:] = body[end:], []
    now = {key: getattr(package, key) for key in ("version", "size", "path", "source")}
    for key, value in {**now, "sha256": package.digest.hex, "libraries": [*package.libraries]}.items():
        if value != entry.get(key, type(value)()):
            entry[key] = value
    body.extend(below)
