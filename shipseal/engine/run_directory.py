"""Refuse to write a run where a project could have laid something out for it.

Stages are kept, files are overwritten and directories are removed below a run directory: all of it has to be this
user's own. A repository that carries one carries results that nobody here has made, or links to what it wants removed.
"""

import os
from pathlib import Path

from shipseal.errors import UsageError
from shipseal.project.checkout import tracked_below

NAME = ".run"


def checked(root: Path, named: Path | None = None) -> Path:
    """Return where a run of a project writes: what its user has named, else `.run` beside pipeline.toml.

    Args:
        root: the project's directory.
        named: the directory that the user has given, if any.

    Raises:
        UsageError: it is a link, lies behind one that leaves the project, is no directory, or has files in git.
    """
    given = Path(os.path.normpath(Path.cwd() / named)) if named else root / NAME
    if given.is_symlink():
        raise _refused(f"{given} is a link", f"to {given.readlink()}: a run removes and overwrites what is there")
    directory = given.resolve()
    if given.is_relative_to(root) and not directory.is_relative_to(root):
        raise _refused(f"{given} is not in the project", f"a link in it leads to {directory}")
    if directory.exists() and not directory.is_dir():
        raise _refused(f"{given} is a file", "a run directory has one directory for each stage")
    if carried := tracked_below(root, directory):
        raise _refused(f"{given} comes out of the repository", [f"git has {name}" for name in carried[:5]])
    return directory


def _refused(what: str, why: str | list[str]) -> UsageError:
    return UsageError(what, why=why, remedy="remove it, or name another directory with --run-dir")
