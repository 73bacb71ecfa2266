"""Keep what is signed beside a stage until it has finished: a log takes no entry back, so none is made twice here.

A stage's own directory is emptied when it begins again. What was signed in it before it was killed is adopted like what
is attached: for its signature and what it means, and for nothing that its file says.
"""

from pathlib import Path

from shipseal.digest import Digest
from shipseal.disk import clear
from shipseal.distribution.referrers import LARGEST_BUNDLE, Attached
from shipseal.engine.stage import Context

_SUFFIX = ".sigstore.json"
_MOST = 100  # files


def place_for(context: Context, name: str) -> Path:
    """Return where the bundle of a statement is kept while its stage goes on; its directory is made."""
    directory = _directory(context)
    if directory.is_symlink() or not directory.is_dir():
        clear(directory)
        directory.mkdir()
    path = directory / f"{name}{_SUFFIX}"
    clear(path)
    return path


def signed_before(context: Context, subject: Digest) -> list[Attached]:
    """Return the bundles that a run has left which was killed, as if they were attached to a subject by nothing.

    Args:
        context: of the stage that has signed them.
        subject: of all of them; what they really speak of is in what is signed.
    """
    if _directory(context).is_symlink():
        return []
    paths = sorted(_directory(context).glob(f"*{_SUFFIX}"))[:_MOST]
    files = [path for path in paths if path.is_file() and not path.is_symlink()]
    bundles = [path.read_bytes() for path in files if path.stat().st_size <= LARGEST_BUNDLE]
    return [Attached(subject, Digest.of(bundle), bundle) for bundle in bundles]


def forget(context: Context) -> None:
    """Remove all of it: the stage has it in its own directory now."""
    clear(_directory(context))


def _directory(context: Context) -> Path:
    return context.out.with_name(f"{context.stage.name}.signed")
