"""Change the lock of Debian packages in its place: comments, order and layout stay as people wrote them. Pure."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from shipseal.errors import ConfigError
from shipseal.locked.debian import Lock, Package, named

Key = tuple[str, str]
"""A package's name and architecture."""

_TABLE = re.compile(r"^(?=\[\[package\]\])", re.MULTILINE)
_VALUE = r"\"[^\"\n]*\"|'[^'\n]*'|\[[^\]]*\]|[0-9_]+"


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
            do="give the file its suite, python and base, and each [[package]] a name and an architecture",
        ) from error


def rewrite(text: str, packages: Mapping[Key, Package]) -> str:
    """Return the lock with each of its packages as it is now.

    Raises:
        ConfigError: the file is TOML of another form than a `[[package]]` table for each, a line for each key.
    """
    head, *tables = _TABLE.split(text)
    changed = head + "".join(_rewritten(table, packages) for table in tables)
    try:
        kept = Lock.parse(changed).packages == tuple(sorted(packages.values()))
    except ConfigError:
        kept = False
    if not kept:
        raise ConfigError(
            "the lock of Debian packages cannot be changed in its place",
            why="it is not written as one [[package]] for each, with a line for each key",
            do="write it so; comments may stand anywhere",
        )
    return changed


def _rewritten(table: str, packages: Mapping[Key, Package]) -> str:
    entry = tomllib.loads(table)["package"][0]
    end = 0
    for key, value in _values(packages[entry["name"], entry["architecture"]], entry):
        found = re.search(rf"^[ \t]*{key}[ \t]*=[ \t]*({_VALUE})", table, re.MULTILINE)
        if found:
            table = table[: found.start(1)] + value + table[found.end(1) :]
            end = found.start(1) + len(value)
        else:
            line, newline, rest = table[end:].partition("\n")
            before = f"{table[:end]}{line}\n"
            table = f"{before}{key} = {value}{newline or chr(10)}{rest}"
            end = len(before)
    return table


def _values(package: Package, entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from ((key, json.dumps(getattr(package, key))) for key in ("name", "version", "architecture"))
    yield "sha256", json.dumps(package.digest.hex)
    yield "size", str(package.size)
    yield "path", json.dumps(package.path)
    if package.libraries or "libraries" in entry:
        yield "libraries", json.dumps(list(package.libraries))
    yield "source", json.dumps(package.source)
