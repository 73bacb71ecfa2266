"""Take the files of one commit out of a clone that somebody else may have prepared.

Only objects are read, by Dulwich, and each is held against its name: neither the clone's configuration nor its hooks,
filters, attributes or working tree have a part in what comes out. What is written is a repository of its own, with the
default configuration and that commit alone.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from dulwich.index import IndexEntry
from dulwich.objects import Blob, Commit, ObjectID, ShaFile, Tree, parse_tree
from dulwich.repo import Repo

from shipseal.errors import ShipsealError, UsageError, VerificationFailed
from shipseal.project.checkout import GITLINK

_MOST_FILES, _MOST_BYTES, _DEEPEST = 200_000, 4 << 30, 100
_DIGITS = frozenset("0123456789abcdef")


def take(clone: Path, revision: str, target: Path) -> None:
    """Write the files of a commit into a new directory, as a repository that has nothing else.

    Args:
        clone: a git clone, with a working tree or without one.
        revision: the commit, as the 40 hexadecimal digits of its name.
        target: the directory, which is made.

    Raises:
        UsageError: there is no clone, or it does not have the commit, or not all of it.
        VerificationFailed: an object is not what its name says, or a tree has a name that no file may have.
    """
    if len(revision) != 40 or not _DIGITS.issuperset(revision):
        raise UsageError(f"{revision} names no commit"[:200], remedy="its name is 40 hexadecimal digits")
    try:
        source = Repo(str(clone))
    except Exception as error:  # what Dulwich raises for what is broken has no common base
        raise UsageError(
            f"{clone} is not a git clone", why=f"{type(error).__name__}: {error}"[:300], remedy="name one with --source"
        ) from error
    target.mkdir()
    with closing(source), closing(Repo.init(str(target))) as made:
        try:
            _Copy(source, made, clone).commit(ObjectID(revision.encode()), target)
            (target / ".git" / "HEAD").write_text(f"{revision}\n")
        except ShipsealError:
            raise
        except OSError as error:
            raise UsageError(f"{revision} cannot be written into {target}", why=str(error)) from error
        except Exception as error:  # the same
            why = f"{type(error).__name__}: {error}"[:300]
            raise VerificationFailed(f"{revision} is malformed in {clone}", why=why) from error


class _Copy:
    """A copy from one repository to another, of a bounded size."""

    def __init__(self, source: Repo, made: Repo, clone: Path) -> None:
        self._source, self._made, self._clone = source, made, clone
        self._files = self._bytes = 0

    def commit(self, name: ObjectID, target: Path) -> None:
        """Copy a commit, with all of its files."""
        commit = self._object(name)
        if not isinstance(commit, Commit):
            raise UsageError(f"{name.decode()} is not a commit in {self._clone}")
        index = self._made.open_index()
        for path, mode, sha in self._tree(commit.tree, target, b"", 0):
            index[path] = IndexEntry(0, 0, 0, 0, mode, 0, 0, 0, sha)
        index.write()

    def _tree(
        self, name: ObjectID, directory: Path, inside: bytes, depth: int
    ) -> Iterator[tuple[bytes, int, ObjectID]]:
        tree = self._object(name)
        if not isinstance(tree, Tree) or depth > _DEEPEST:
            raise _hostile(inside, "it is not a directory, or too deep")
        # As it is written: to Dulwich's own tree a second entry of a name is the only one.
        for entry, mode, digits in parse_tree(tree.as_raw_string(), sha_len=20):
            sha, whole = ObjectID(digits), inside + entry
            path = directory / os.fsdecode(_checked(entry, inside))
            if os.path.lexists(path):
                raise _hostile(whole, "it is there twice")
            if stat.S_ISDIR(mode):
                path.mkdir()
                yield from self._tree(sha, path, whole + b"/", depth + 1)
                continue
            if mode == GITLINK:
                path.mkdir()
            else:
                self._file(sha, mode, path)
            yield whole, mode, sha

    def _file(self, name: ObjectID, mode: int, path: Path) -> None:
        blob = self._object(name)
        if not isinstance(blob, Blob):
            raise _hostile(os.fsencode(path.name), "it is not a file")
        if stat.S_ISLNK(mode):
            if b"\0" in blob.data:
                raise _hostile(os.fsencode(path.name), "it leads nowhere")
            path.symlink_to(os.fsdecode(blob.data))
        else:
            with path.open("xb") as file:
                file.write(blob.data)
            path.chmod(0o755 if mode & stat.S_IXUSR else 0o644)

    def _object(self, name: ObjectID) -> ShaFile:
        """Copy an object and return it; its name is computed from what is there."""
        try:
            number, data = self._source.object_store.get_raw(name)
        except KeyError as error:
            raise UsageError(
                f"{self._clone} does not have {name.decode()}",
                why="it is the commit that was built, or belongs to it",
                remedy="fetch it: `git fetch` that commit, and no shallow or partial clone of it",
            ) from error
        except Exception as error:  # what Dulwich raises for what is broken has no common base
            raise VerificationFailed(
                f"{name.decode()} cannot be read in {self._clone}", why=str(error)[:300]
            ) from error
        self._files, self._bytes = self._files + 1, self._bytes + len(data)
        if self._files > _MOST_FILES or self._bytes > _MOST_BYTES:
            raise VerificationFailed(f"the commit holds more than {_MOST_FILES} objects, or {_MOST_BYTES} bytes")
        try:
            found = ShaFile.from_raw_string(number, data)
            named = found.id
        except Exception as error:  # the same
            raise VerificationFailed(f"{name.decode()} is malformed in {self._clone}", why=str(error)[:300]) from error
        if named != name:
            raise VerificationFailed(f"{name.decode()} was altered in {self._clone}", why=f"it is {named.decode()}")
        self._made.object_store.add_object(found)
        return found


def _checked(name: bytes, inside: bytes) -> bytes:
    """Return a name of a tree that is one of a file below it, whatever the file system folds."""
    if not name or b"/" in name or b"\0" in name or name in {b".", b".."} or name.lower() == b".git":
        raise _hostile(inside + name, "no file can have that name")
    return name


def _hostile(path: bytes, why: str) -> VerificationFailed:
    return VerificationFailed(f"the commit holds {path[:200]!r}", why=why, remedy="do not build it")
