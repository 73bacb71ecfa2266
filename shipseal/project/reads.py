"""Parse a `pipeline.toml`, and say which files and directories of a project a stage reads: relative paths. Pure.

Both engines ask here: the host digests these paths to know whether a stage can be kept, and Dagger mounts them and
nothing else. It takes the parsed file as it is, because the Dagger module may import nothing that has to be installed.
"""

import tomllib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from shipseal.errors import ConfigError, UsageError

FILENAME = "pipeline.toml"
DEFAULT_SOURCE = "service"
DEFAULT_POLICY = "policy"


def parse(text: str, where: str) -> dict[str, Any]:
    """Parse a `pipeline.toml`, whose keys nobody has checked yet; raise `ConfigError` for what is no TOML."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{where} cannot be read", why=str(error), remedy="correct the file") from error


def paths(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return the paths, relative to the project, that a stage reads when its row declares `name`.

    Raises:
        UsageError: there is no such name; a row of the table is wrong.
    """
    match name:
        case "repository":
            return (".",)
        case "source":
            return (_in(document, "service", "source") or DEFAULT_SOURCE,)
        case "tests" | "suite":
            section, key = ("test", "paths") if name == "tests" else ("smoke", "suite")
            return tuple(document.get(section, {}).get(key, ()))
        case "policy":
            return (_in(document, "policy", "directory") or DEFAULT_POLICY,)
        case "locks":
            named = [("service", "lock"), ("service", "build-lock"), ("test", "lock"), ("image", "packages")]
            named += [("image", "keep")]
            return tuple(path for section, key in named if (path := _in(document, section, key)))
        case "manifests":
            # An overlay names bases beside it, so the whole top directory counts.
            places = [_in(document, "deploy", key) for key in ("manifests", "platform")]
            tops = [(PurePosixPath(path).parts[:1] or (".",))[0] for path in places if path]
            return tuple(dict.fromkeys(tops))
    raise UsageError(f"a stage reads {name}, which is nothing that a project has")


def _in(document: Mapping[str, Any], section: str, key: str) -> str:
    return str(document.get(section, {}).get(key, ""))
