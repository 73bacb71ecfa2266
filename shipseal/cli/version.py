"""Say which version of the pipeline this is, and of which commit."""

import tomllib
from importlib.metadata import version as installed_version

from shipseal.project.config import CODE, HOME

_COMMIT = HOME / "commit"  # which is written when a wheel is built: setup.py


def version() -> str:
    """Return the version and the commit that it was made of, `0.1.0 (COMMIT)`."""
    if HOME.parent == CODE:
        return f"{installed_version('shipseal')} ({_COMMIT.read_text(encoding='ascii').strip()})"
    project = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return f"{project['version']} ({_head()})"


def _head() -> str:
    from dulwich.errors import NotGitRepository  # noqa: PLC0415 - it is slow, and nobody else asks here
    from dulwich.repo import Repo  # noqa: PLC0415 - as above

    try:
        with Repo(str(HOME)) as repository:
            return f"{repository.head().decode('ascii')[:12]}, a checkout"
    except (NotGitRepository, KeyError):  # no repository, or one without a commit
        return "no commit"
