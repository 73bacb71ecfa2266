"""Say which files of a project count: those that git has or would take, and never one that it ignores.

An ignored file is in no commit, so nobody who reads the commit would expect it in an image: stages copy, and digest,
exactly what is listed here. Dulwich reads the repository; nothing in one can make it start a program. Where there is no
repository, as in a stage's container, somebody has chosen the files before: all of them count.

`python -m shipseal.project.checkout PROJECT TARGET` copies a project so, for engines that hand
single directories to stages.
"""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from shipseal.digest import Digest, opened, row
from shipseal.errors import ConfigError, SubjectFailed

if TYPE_CHECKING:  # where there is no repository, as in a container, nobody waits for it to be imported
    from dulwich.ignore import IgnoreFilterManager
    from dulwich.repo import Repo

GITLINK = 0o160000
"""The mode of a submodule in an index or a tree (gitformat-index(5), "Index entry")."""

# What tools leave behind in a tree of sources; git may have been told to ignore it or not.
LEFTOVERS = ("__pycache__", "*.egg-info", ".git", ".venv", ".run", ".pytest_cache", ".mypy_cache", ".ruff_cache")


@dataclass
class WorkTree:
    """The files of one repository, as they are now.

    Args:
        top: the directory that has `.git` in it.
        repository: what Dulwich reads.
    """

    top: Path
    repository: "Repo" = field(repr=False)

    @cached_property
    def index(self) -> dict[str, tuple[int, bytes]]:
        """Mode and object of every path that is in the index, gitlinks among them."""
        from dulwich.index import ConflictedIndexEntry  # noqa: PLC0415 - as above

        try:
            entries = list(self.repository.open_index().items())
        except Exception as error:  # what Dulwich raises for what is broken has no common base
            raise _unreadable(self.top, error) from error
        return {
            os.fsdecode(path): (entry.mode, bytes(entry.sha))
            for path, entry in entries
            if not isinstance(entry, ConflictedIndexEntry)
        }

    @cached_property
    def _directories(self) -> frozenset[str]:
        return frozenset(str(parent) for name in self.index for parent in Path(name).parents)

    @cached_property
    def _ignores(self) -> "IgnoreFilterManager":
        from dulwich.ignore import IgnoreFilterManager  # noqa: PLC0415 - as above

        return IgnoreFilterManager.from_repo(self.repository)

    def name(self, path: Path) -> str:
        """Return a path as git names it."""
        return path.relative_to(self.top).as_posix()

    def takes(self, path: Path) -> bool:
        """Say whether git has a file or link, or would take it."""
        name = self.name(path)
        return name in self.index or not (path.name == ".git" or self._ignores.is_ignored(name))

    def below(self, directory: Path) -> Iterator[Path]:
        """Yield the files and links below a directory, those of submodules too; and what is neither, if not ignored."""
        for path in sorted(directory.iterdir()):
            name = self.name(path)
            if path.is_symlink() or not path.is_dir():
                if self.takes(path):
                    yield path
            elif self.index.get(name, (0, b""))[0] == GITLINK:
                yield from submodule(path)
            elif path.name == ".git" or (path / ".git").exists():
                continue  # another repository: git takes none of its files
            elif name in self._directories or not self._ignores.is_ignored(f"{name}/"):
                yield from self.below(path)


def work_tree(root: Path) -> WorkTree | None:
    """Return the repository that a project lies in, or None where there is none.

    Raises:
        ConfigError: there is one, and it cannot be read.
    """
    top = next((each for each in (root, *root.parents) if os.path.lexists(each / ".git")), None)
    if top is None:
        return None
    from dulwich.repo import Repo  # noqa: PLC0415 - as above

    try:
        repository = Repo(str(top))
        with os.scandir(repository.commondir()):
            pass
    except Exception as error:  # what Dulwich raises for what is broken has no common base
        raise _unreadable(top, error) from error
    if Path(repository.path).resolve() != top.resolve():
        raise ConfigError(
            f"the files of {top}/.git are in {repository.path}", remedy="unset core.worktree, or use a clone"
        )
    return WorkTree(top, repository)


def _unreadable(top: Path, error: Exception) -> ConfigError:
    if (top / ".git").is_file():
        return ConfigError(
            f"{top} is a git worktree whose repository is not here",
            why=(top / ".git").read_text(errors="replace")[:200].strip(),
            remedy="use a clone of it: `git clone` takes a worktree as well",
        )
    return ConfigError(f"{top}/.git cannot be read", why=str(error), remedy="see what `git status` says there")


def submodule(path: Path) -> Iterator[Path]:
    """Yield the files of a submodule; none where it is not checked out."""
    if os.path.lexists(path / ".git") and (tree := work_tree(path)):
        with closing(tree.repository):
            yield from tree.below(path)


def listed(root: Path, path: Path) -> list[Path]:
    """Return the files and links at or below a path of a project that count, sorted by name.

    Raises:
        ConfigError: the repository cannot be read.
    """
    tree = work_tree(root)
    if tree is None:
        return sorted(each for each in _everything(path) if not _left_over(path, each))
    with closing(tree.repository):
        found = tree.below(path) if path.is_dir() else iter([path] if tree.takes(path) else [])
        return sorted(each for each in found if not _left_over(path, each) or tree.name(each) in tree.index)


def _everything(path: Path) -> Iterator[Path]:
    if path.is_symlink() or not path.is_dir():
        yield path
    else:
        for each in path.iterdir():
            yield from _everything(each)


def tracked_below(root: Path, directory: Path) -> list[str]:
    """Return what the project's repository has in a directory, by the names that git gives it."""
    tree = work_tree(root)
    if tree is None:
        return []
    with closing(tree.repository):
        if not directory.is_relative_to(tree.top):
            return []
        inside = tree.name(directory)
        return sorted(name for name in tree.index if Path(name).is_relative_to(inside))


def digest(root: Path, path: Path) -> Digest:
    """Digest what `copy` would copy: name, kind and content of each file; what is not there is told apart."""
    if not path.exists():
        return Digest.of_rows([("absent",)])
    return Digest.of_rows(row(each, path) for each in _files(root, path))


def _files(root: Path, path: Path) -> list[Path]:
    """Return what counts; raise `SubjectFailed` for what is neither a file nor a link, which nobody can copy."""
    found = listed(root, path)
    for each in found:
        if not (each.is_symlink() or each.is_file()):
            raise SubjectFailed(
                f"{each.relative_to(root)} is neither a file nor a link", remedy="remove it, or have git ignore it"
            )
    return found


def copy(root: Path, path: Path, target: Path) -> None:
    """Copy what counts of a file or directory, with the same modes on every machine.

    A link is copied as one, and must end below the directory: what it names elsewhere is digested by nobody.

    Raises:
        SubjectFailed: nothing there counts, a link leaves the directory, or something is neither file nor link.
        ConfigError: the repository cannot be read.
    """
    found = _files(root, path)
    if not found:
        raise SubjectFailed(
            f"git has no file in {path.relative_to(root)}",
            why="what it ignores is in no commit, and so in no image",
            remedy="commit the files, or correct the path in pipeline.toml",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        target.mkdir(exist_ok=True)
    for each in found:
        _copy_one(each, path, target / each.relative_to(path))
    for directory in (target, *target.rglob("*")):
        if directory.is_dir() and not directory.is_symlink():
            directory.chmod(0o755)


def copy_below(root: Path, path: Path, target: Path) -> Path:
    """Copy a file or directory of a project, as `copy` does, to the same place below another one; return where."""
    where = target / path.relative_to(root)
    copy(root, path, where)
    return where


def _copy_one(path: Path, base: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        return  # a path that is named twice, alone and in its directory
    if path.is_symlink():
        aim = path.readlink()
        if aim.is_absolute() or not path.resolve().is_relative_to(base.resolve()):
            raise SubjectFailed(
                f"{path} is a link to {aim}", why=f"that is not in {base}", remedy="put the file itself there"
            )
        target.symlink_to(aim)
        return
    with opened(path) as stream:
        program = os.fstat(stream.fileno()).st_mode & stat.S_IXUSR
        with target.open("xb") as file:
            while chunk := stream.read(1 << 20):
                file.write(chunk)
    target.chmod(0o755 if program else 0o644)


def _left_over(base: Path, path: Path) -> bool:
    return any(fnmatchcase(part, pattern) for part in path.relative_to(base).parts for pattern in LEFTOVERS)


if __name__ == "__main__":
    copy(Path(sys.argv[1]), Path(sys.argv[1]), Path(sys.argv[2]))
