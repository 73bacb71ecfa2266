"""Read the files of a kubeconfig within bounds: the whole of it, and what it names."""

import stat
from pathlib import Path
from typing import Any

import yaml

from shipseal.errors import ConfigError
from shipseal.terminal_text import line

LARGEST = 1 << 20
"""Bytes of a kubeconfig, or of a file that it names."""

_DEEPEST = 32
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _KubeconfigLoader(_Base):  # type: ignore[misc]  # the loader of C, where it is there
    """Takes no key twice: readers differ on which of them counts."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := sorted({str(key) for key in keys if keys.count(key) > 1}):
            raise yaml.MarkedYAMLError(problem=f"key {twice[0]!r} comes twice", problem_mark=node.start_mark)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def read_file(path: Path) -> dict[str, Any] | None:
    """Return what a kubeconfig holds, or None where it is not there.

    Raises:
        ConfigError: it cannot be read, or is no kubeconfig.
    """
    if not path.exists():
        return None
    text = content(path, "the kubeconfig")
    try:
        _require_plain(text)
        found = yaml.load(text, Loader=_KubeconfigLoader)  # noqa: S506 - it is a safe one
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error)
        where = f"line {mark.line + 1}: " if mark else ""
        raise ConfigError(
            f"{path} is not a valid kubeconfig",
            why=where + line(problem)[:200],
            remedy="get it again from where it came",
        ) from None  # the text around the mark may be a key
    if found is None:
        return {}  # an empty one is one, for kubectl
    if not isinstance(found, dict) or found.get("kind", "Config") != "Config":
        raise ConfigError(f"{path} is not a valid kubeconfig", why="it is not an object of kind Config")
    return found


def content(path: Path, what: str) -> str:
    """Return the text of a file; raise `ConfigError`, which quotes nothing of it."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would have us wait for whoever writes into it
            raise ConfigError(f"{what} is not a file: {path}")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise ConfigError(f"{what} has more than {LARGEST >> 20} MiB: {path}", remedy="name the right file")
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"{what} cannot be read: {path}", why=why or "") from None


def below(path: Path, directory: Path) -> bool:
    """Say whether a file is in a directory, or below it, wherever links lead."""
    return path.resolve().is_relative_to(directory.resolve())


def _require_plain(text: str) -> None:
    """Raise `YAMLError` for an alias, which can make much of little, and for what nests deeper than any kubeconfig."""
    depth = 0
    for event in yaml.parse(text, Loader=_Base):
        number = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f"line {number}: it holds an alias: write it out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise yaml.YAMLError(f"line {number}: it nests deeper than {_DEEPEST} levels")
