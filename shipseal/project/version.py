"""Know which version a release has: what the service's own pyproject.toml says, and whether others say the same."""

import re
import tomllib
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from packaging.version import InvalidVersion, Version

from shipseal.disk import text_of
from shipseal.errors import ConfigError, UsageError
from shipseal.project.changelog import FILENAME, section
from shipseal.project.config import Config
from shipseal.terminal_text import name

_TAGS = "refs/tags/"
_WHOLE = 2  # numbers, which a line of versions has at most


def declared(config: Config) -> str:
    """Return the service's version as Python spells it; nothing where its build backend finds it out.

    Raises:
        ConfigError: there is a pyproject.toml that cannot be read, or names no version of Python's.
    """
    path = config.service.source / "pyproject.toml"
    try:
        said = tomllib.loads(text_of(path)).get("project", {}).get("version")
        return str(Version(said)) if said is not None else ""
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, AttributeError, TypeError, InvalidVersion) as error:
        raise ConfigError(
            f"{path} says no version that can be read", why=str(error), remedy="write one: version = '1.2.3'"
        ) from error


def changelog(config: Config) -> tuple[Path, str] | None:
    """Return the project's changelog and its text: beside the service's pyproject.toml, else beside pipeline.toml.

    Raises:
        ConfigError: there is one that cannot be read.
    """
    for path in (config.service.source / FILENAME, config.root / FILENAME):
        try:
            return path, text_of(path)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} cannot be read", why=str(error), remedy="correct it") from error
    return None


def require_agreeing(config: Config, ref: str, tags: Collection[str]) -> None:
    """Refuse a release of a tagged commit unless tag, service and changelog name one version.

    Args:
        config: the project.
        ref: what is checked out, in full.
        tags: the names of all tags of its commit.

    Raises:
        UsageError: they differ, or the changelog says nothing of the version.
        ConfigError: one of the files cannot be read.
    """
    version = declared(config)
    built = ref.removeprefix(_TAGS) if ref.startswith(_TAGS) else ""
    versions = [tag for tag in tags if _is_version(tag)]
    if not version or not (built or versions):
        return
    for tag in (*versions, *([built] if built else [])):
        if Version(version) not in _versions(tag):
            raise UsageError(
                f"the tag {name(tag)} is on this commit, and the service is of version {version}",
                why=f"{config.service.source.name}/pyproject.toml says which version is released",
                remedy="give the service that version and tag the commit that says so, or remove the tag",
            )
    if (found := changelog(config)) and not section(found[1], version):
        raise UsageError(
            f"{found[0].relative_to(config.root)} says nothing of {version}, which is tagged",
            why=f"a heading `## [{version}]` with something below it is missing",
            remedy="write what has changed, commit that, and tag that commit",
        )


def _is_version(tag: str) -> bool:
    """Say whether a tag is that of a whole version, and no name of something else."""
    try:
        return len(Version(tag).release) > _WHOLE
    except InvalidVersion:
        return False


def _versions(tag: str) -> set[Version]:
    """Return the versions that a tag may name, alone or after the name of what it is of: `app-v1.2.3`."""
    found = set[Version]()
    for start in (0, *(match.end() for match in re.finditer("[/@-]", tag))):
        with suppress(InvalidVersion):
            found.add(Version(tag[start:]))
    return found
