"""Gather, once and at the edge, what the repository says of itself.

Dulwich reads it, not the git program: the stage needs nothing installed, in a container as on a laptop, and no
configuration in a repository can make it start a program.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dulwich import porcelain
from dulwich.errors import NotGitRepository
from dulwich.objects import Commit, Tag
from dulwich.refs import Ref
from dulwich.repo import Repo

from pipeline.attestation.spelling import repository_uri
from pipeline.digest import Digest
from pipeline.errors import ConfigError, UsageError
from pipeline.stage import Context

_NAMED_CHANGES = 20


@dataclass(frozen=True)
class Tree:
    """The files that git knows of or would take, by path; and those of them that differ from the commit."""

    files: tuple[str, ...]
    changed: tuple[str, ...]


async def facts(context: Context) -> str:
    """Write facts.json: revision, commit time (seconds), repository, ref, dirty or not, digest of the source tree.

    Raises:
        ConfigError: there is no repository, or no commit in it.
        UsageError: a release is asked for, and the tree has changes that are in no commit.
    """
    root = context.config.root
    with _open(root) as repository:
        revision = repository.head().decode()
        commit = repository[repository.head()]
        tree = _tree(repository)
        found = {
            "revision": revision,
            "commit_time": commit.commit_time if isinstance(commit, Commit) else 0,
            "repository": _remote(repository),
            "ref": _ref(repository),
            "dirty": bool(tree.changed),
            "changed": list(tree.changed[:_NAMED_CHANGES]),
            "tree": str(_digest_of(Path(repository.path), tree.files)),
        }
    context.write_json("facts.json", found)
    if tree.changed and context.world.name == "release":
        raise UsageError(
            "the working tree has changes that are in no commit",
            why=tree.changed[:_NAMED_CHANGES],
            do="commit or discard them: a release is made from a commit",
        )
    if not tree.changed:
        return f"{revision[:12]}, clean"
    count = f"{len(tree.changed)} file{'s' if len(tree.changed) > 1 else ''}"
    context.say(f"the working tree is DIRTY: {count} changed since {revision[:12]}")
    return f"{revision[:12]}, DIRTY ({count})"


def _open(root: Path) -> Repo:
    try:
        repository = Repo.discover(str(root))
        repository.head()
    except (NotGitRepository, KeyError) as error:
        raise ConfigError(
            f"{root} is not a git repository with a commit",
            why="it has no commit yet" if isinstance(error, KeyError) else str(error),
            do="provenance names a commit: run `git init` and commit the project",
        ) from error
    return repository


def _tree(repository: Repo) -> Tree:
    status = porcelain.status(repository, untracked_files="all")
    staged = [_text(path) for paths in status.staged.values() for path in paths]
    changed = {*staged, *map(_text, status.unstaged), *map(_text, status.untracked)}
    known = {_text(path) for path in repository.open_index()} | {_text(path) for path in status.untracked}
    return Tree(tuple(sorted(known)), tuple(sorted(changed)))


def _text(path: bytes | str) -> str:
    return os.fsdecode(path)


def _ref(repository: Repo) -> str:
    """Return the full name of the branch; where HEAD is detached, of the one tag that it is at; otherwise nothing."""
    if branch := next((target for name, target in repository.refs.get_symrefs().items() if name == b"HEAD"), b""):
        return branch.decode()
    head = repository.head()
    tags = [name for name in repository.refs.subkeys(Ref(b"refs/tags")) if _commit(repository, name) == head]
    return f"refs/tags/{_text(tags[0])}" if len(tags) == 1 else ""


def _commit(repository: Repo, tag: bytes) -> bytes:
    """Return the commit that a tag is at, which an annotated one names in an object of its own."""
    found = repository[repository.refs[Ref(b"refs/tags/" + tag)]]
    while isinstance(found, Tag):
        found = repository[found.object[1]]
    return found.id


def _remote(repository: Repo) -> str:
    """Return the address of `origin` in the one spelling, or nothing where there is no such remote."""
    try:
        return repository_uri(repository.get_config().get((b"remote", b"origin"), b"url").decode())
    except KeyError:
        return ""


def _digest_of(root: Path, names: Iterable[str]) -> Digest:
    """Digest files as they are now: path, executable bit, content."""
    lines = []
    for name in names:
        path = root / name
        if path.is_symlink():
            lines.append(f"l {path.readlink()} {name}")
        elif path.is_file():
            lines.append(f"{'x' if path.stat().st_mode & 0o100 else 'f'} {Digest.of_file(path).hex} {name}")
    return Digest.of("\0".join(lines).encode("utf-8", "surrogateescape"))
