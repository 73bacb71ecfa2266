"""Compare a checkout with its commit, by content: what counts is what the files hold, not what the index says of them.

The index can be told not to look (`assume-unchanged`, `skip-worktree`), and filters of `.git/config` could start
programs and make any file look as it should: files are digested as they lie (git, gitattributes(5), "filter").
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dulwich.objects import Commit
from dulwich.repo import Repo

from shipseal.digest import Digest, opened, row
from shipseal.project.checkout import GITLINK, WorkTree, work_tree

_CHUNK = 1 << 20
Object = tuple[int, bytes]
"""A mode and the object that has it, as git keeps them."""


@dataclass(frozen=True)
class WorktreeStatus:
    """A checkout beside its commit.

    Args:
        tree: the digest of all files that git has or would take, as they are now.
        changed: the names of those that are not as the commit has them, sorted.
    """

    tree: Digest
    changed: tuple[str, ...]


def compare(tree: WorkTree) -> WorktreeStatus:
    """Compare every file that git has or would take, those of submodules too, with the commit that is checked out.

    Raises:
        KeyError: nothing has been committed.
        OSError: a file cannot be read.
    """
    files = list(tree.below(tree.top))
    return WorktreeStatus(
        Digest.of_rows(row(path, tree.top) for path in files if _holds_something(path)),
        tuple(sorted(_changed(tree, files))),
    )


def _changed(tree: WorkTree, files: list[Path]) -> set[str]:
    head = _objects(tree.repository)
    length = len(tree.repository.head())
    links = {name: found for name, found in head.items() if found[0] == GITLINK}
    submodules = {each for name, found in links.items() for each in _changed_below(tree, name, found)}
    ours = {tree.name(path): path for path in files if not _inside(tree.name(path), links)}
    altered = {name for name, path in ours.items() if head.get(name) != _object(path, length)}
    staged = {name for name, found in tree.index.items() if head.get(name) != found}
    missing = head.keys() - ours.keys() - links.keys()
    return submodules | altered | staged | missing | (head.keys() - tree.index.keys())


def _changed_below(tree: WorkTree, name: str, found: Object) -> Iterator[str]:
    """Yield what is not as the commit has it in a submodule; nothing where it is not checked out."""
    path = tree.top / name
    if os.path.lexists(path / ".git") and (inner := work_tree(path)):
        with closing(inner.repository):
            if inner.repository.head() != found[1]:
                yield name
            yield from (f"{name}/{each}" for each in _changed(inner, list(inner.below(path))))


def _inside(name: str, links: Mapping[str, Object]) -> bool:
    return any(name.startswith(f"{link}/") for link in links)


def _objects(repository: Repo) -> dict[str, Object]:
    """Return every file of the commit, by its path."""
    commit = repository[repository.head()]
    if not isinstance(commit, Commit):
        return {}
    entries = repository.object_store.iter_tree_contents(commit.tree)
    return {os.fsdecode(entry.path): (entry.mode, bytes(entry.sha)) for entry in entries if entry.path and entry.sha}


def _object(path: Path, length: int) -> Object | None:
    """Return what git would make of a file, as it lies; None for what it would not take.

    Args:
        path: a file or link.
        length: of an object's name in hexadecimal digits: 40 is SHA-1, 64 is SHA-256.
    """
    if path.is_symlink():
        data = os.fsencode(path.readlink())
        return (stat.S_IFLNK, _named(length, len(data), iter([data])))
    if not path.is_file():
        return None
    with opened(path) as stream:
        about = os.fstat(stream.fileno())
        mode = stat.S_IFREG | (0o755 if about.st_mode & stat.S_IXUSR else 0o644)
        return (mode, _named(length, about.st_size, iter(lambda: stream.read(_CHUNK), b"")))


def _named(length: int, size: int, chunks: Iterator[bytes]) -> bytes:
    hashed = hashlib.new("sha1" if length == 40 else "sha256", usedforsecurity=False)
    hashed.update(b"blob %d\0" % size)
    for chunk in chunks:
        hashed.update(chunk)
    return hashed.hexdigest().encode()


def _holds_something(path: Path) -> bool:
    return path.is_symlink() or path.is_file()
