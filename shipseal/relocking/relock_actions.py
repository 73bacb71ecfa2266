"""Have every workflow use the same version of an action: the highest that stands in any of them.

Nothing is asked of anybody: only commits that somebody has put there are known. Which one a tag of GitHub's names now
is for Dependabot, or whoever reads the action, to say.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from shipseal.disk import text_of
from shipseal.errors import ConfigError
from shipseal.relocking.lock_changes import ACTION


@dataclass(frozen=True)
class _Use:
    """An action at a commit: `said` is the version that the comment behind it names."""

    action: str
    commit: str
    said: str
    where: str

    @property
    def version(self) -> Version:
        try:
            return Version(self.said)
        except InvalidVersion as error:
            raise ConfigError(
                f"{self.where}: it is not said which version of {self.action} that is",
                why=f"the comment says {self.said[:60]!r}, and other workflows use another commit",
                remedy="write the version behind the commit: `# v1.2.3`",
            ) from error


def workflows(root: Path) -> tuple[Path, ...]:
    """Return the workflows of a project."""
    return tuple(sorted(path for path in (root / ".github" / "workflows").glob("*.y*ml") if path.is_file()))


def relock_actions(workflow: Path, every: Sequence[Path]) -> str:
    """Return a workflow in which each action has the commit of the highest version that any workflow uses.

    Args:
        workflow: the file.
        every: all workflows, this one among them. Actions that are named by a tag stay.

    Raises:
        ConfigError: two commits are said to be one version, or it is not said which version a commit is.
    """
    uses: dict[str, list[_Use]] = defaultdict(list)
    for path in every:
        for use in _uses(path):
            uses[use.action].append(use)
    highest = {action: _highest(action, found) for action, found in uses.items()}

    def replaced(found: "re.Match[str]") -> str:
        use = highest[found["action"]]
        if use.commit == found["commit"]:
            return found[0]
        return f"{found['before']}{use.action}{found['path']}@{use.commit} # {use.said}"

    return ACTION.sub(replaced, _text(workflow))


def _uses(path: Path) -> Iterator[_Use]:
    text = _text(path)
    for found in ACTION.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield _Use(found["action"], found["commit"], found["version"] or "", f"{path.name}:{line}")


def _highest(action: str, uses: Sequence[_Use]) -> _Use:
    if len({each.commit for each in uses}) == 1:
        return uses[0]
    best = max(uses, key=lambda each: each.version)
    others = [each for each in uses if each.version == best.version and each.commit != best.commit]
    if others:
        raise ConfigError(
            f"two commits are said to be {action} {best.said}",
            why=[f"{each.where}: {each.commit}" for each in (best, others[0])],
            remedy="find out which commit that tag names, and write it in both places",
        )
    return best


def _text(path: Path) -> str:
    try:
        return text_of(path)
    except (OSError, ValueError) as failure:
        raise ConfigError(f"{path} cannot be read", why=str(failure), remedy="restore it") from failure
