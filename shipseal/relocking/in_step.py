"""Say which locks are out of step with what they are made from, as a change of one without the other leaves them.

Nothing is asked of anybody and nothing is built, so this is seconds in CI. What only a build could tell, that a tool's
bytes are no longer those of its module graph, is told where the tool is built.
"""

import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from shipseal.disk import text_of
from shipseal.errors import ConfigError, ShipsealError
from shipseal.locked import locks
from shipseal.relocking.lock_changes import LINE
from shipseal.relocking.relock import Wanted
from shipseal.relocking.relock_actions import relock_actions
from shipseal.relocking.upgrade_tools import holding


def out_of_step(asked: Collection[Wanted]) -> Iterator[tuple[Path, str]]:
    """Yield each lock that is not what would be made of its sources, and why."""
    looks = {"python": _python, "tools": _tools, "actions": _actions, "base": _base}
    for each in asked:
        try:
            yield from ((each.lock, line) for line in looks[each.kind](each)) if each.kind in looks else ()
        except ShipsealError as failure:
            yield each.lock, "; ".join((failure.what, *failure.why))
        except (OSError, ValueError) as failure:
            yield each.lock, f"it cannot be read: {failure}"


def _python(asked: Wanted) -> Iterator[str]:
    """Yield what is asked for, and is not locked at a version that was asked for."""
    locked: dict[str, set[str]] = {}
    for each in locks.requirements(text_of(asked.lock), asked.lock.name):
        locked.setdefault(canonicalize_name(each.name), set()).add(each.version)
    for source in asked.sources:
        for wanted in _requirements(source):
            versions = locked.get(canonicalize_name(wanted.name), set())
            if not versions:
                yield f"{source.name} asks for {wanted.name}, which is not locked"
            elif not any(wanted.specifier.contains(version, prereleases=True) for version in versions):
                yield f"{source.name} asks for {wanted.name}{wanted.specifier}, locked is {', '.join(sorted(versions))}"


def _requirements(source: Path) -> Iterator[Requirement]:
    text = text_of(source)
    if source.suffix == ".toml":
        project: Mapping[str, object] = tomllib.loads(text).get("project", {})
        lines = project.get("dependencies", [])
    else:
        lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    for line in filter(None, lines if isinstance(lines, list) else ()):
        try:
            yield Requirement(str(line))
        except InvalidRequirement as error:
            raise ConfigError(f"{source.name}: {str(line)[:100]} is not a valid requirement", why=str(error)) from error


def _tools(asked: Wanted) -> Iterator[str]:
    for name, tool in locks.tools(text_of(asked.lock), asked.lock.name).items():
        _, version = holding(asked.lock.parent / name / "go.mod", tool)
        if version != tool.version:
            yield f"{name}/go.mod names {version}, locked is {tool.version}"


def _actions(asked: Wanted) -> Iterator[str]:
    if relock_actions(asked.lock, asked.sources) != text_of(asked.lock):
        yield "it uses an action at another commit than a workflow beside it, which uses a higher version"


def _base(asked: Wanted) -> Iterator[str]:
    if not LINE.search(text_of(asked.lock)):
        yield "it names no base image by tag and digest"
