"""Gather, once and at the edge, what the repository says of itself.

Dulwich reads it, not the git program: the stage needs nothing installed, in a container as on a laptop, and nothing in
a repository can make it start a program.
"""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from dulwich.objects import Commit, Tag
from dulwich.refs import Ref
from dulwich.repo import Repo

from shipseal.digest import walk
from shipseal.documents.facts import FactsDocument
from shipseal.engine.stage import Context
from shipseal.errors import ConfigError, UsageError
from shipseal.project.checkout import WorkTree, listed, work_tree
from shipseal.project.config import Config
from shipseal.project.published_commit import is_pushed
from shipseal.project.version import require_agreeing
from shipseal.project.worktree import compare
from shipseal.statements.spelling import repository_uri
from shipseal.terminal_text import name

_NAMED_CHANGES = 20
# What stages read where it lies, and copy nowhere.
_READ_IN_PLACE = ("policy", "locks", "manifests")


async def facts(context: Context) -> str:
    """Write facts.json: revision, commit time (seconds), repository, ref, dirty or not, digest of the source tree.

    Raises:
        ConfigError: there is no repository, or no commit in it.
        UsageError: a release is asked for, and the tree has changes that are in no commit; or its commit is tagged, and
            not pushed, or of another version than the service, or one of which the changelog says nothing.
    """
    root = context.config.root
    tree = _open(root)
    with closing(tree.repository) as repository:
        revision = repository.head().decode()
        commit = repository[repository.head()]
        compared = compare(tree)
        changed = sorted({*compared.changed, *_ignored(tree, context.config)})
        found = FactsDocument(
            revision=revision,
            commit_time=commit.commit_time if isinstance(commit, Commit) else 0,
            repository=_remote(repository),
            ref=_ref(repository),
            dirty=bool(changed),
            changed=tuple(name(each) for each in changed[:_NAMED_CHANGES]),
            tree=compared.tree,
        )
        tags = _tags(repository)
        unknown = context.world.public and bool(tags) and not is_pushed(repository)
    found.write(context)
    if changed and context.world.public:
        raise UsageError(
            "the working tree has changes that are in no commit",
            why=found.changed,
            remedy="commit or discard them: a release is made from a commit",
        )
    if unknown:
        raise UsageError(
            f"the commit {revision[:12]} has the tag {tags[0]}, and is in no branch that `origin` is known to have",
            remedy="push it first, or fetch what is there: others have to find what a release names",
        )
    if context.world.public:
        require_agreeing(context.config, found.ref, tags)
    if not changed:
        return f"{revision[:12]}, clean"
    count = f"{len(changed)} file{'s' if len(changed) > 1 else ''}"
    context.say(f"the working tree is DIRTY: {count} changed since {revision[:12]}")
    return f"{revision[:12]}, DIRTY ({count})"


def _open(root: Path) -> WorkTree:
    tree = work_tree(root)
    try:
        if tree and tree.repository.head():
            return tree
    except KeyError:
        pass
    raise ConfigError(
        f"{root} is not a git repository with a commit",
        why="it has no commit yet" if tree else "there is no .git here or above",
        remedy="provenance names a commit: run `git init` and commit the project",
    )


def _ignored(tree: WorkTree, config: Config) -> Iterator[str]:
    """Yield what git ignores and a stage would read all the same: it is in no commit."""
    places = [config.file, *(path for name in _READ_IN_PLACE for path in config.reads(name) if path.exists())]
    for place in places:
        counted = set(listed(config.root, place))
        yield from (tree.name(path) for path in (walk(place) if place.is_dir() else [place]) if path not in counted)


def _ref(repository: Repo) -> str:
    """Return the full name of the branch; where HEAD is detached, of the one tag that it is at; otherwise nothing."""
    if branch := next((target for name, target in repository.refs.get_symrefs().items() if name == b"HEAD"), b""):
        return branch.decode()
    tags = _tags(repository)
    return f"refs/tags/{tags[0]}" if len(tags) == 1 else ""


def _tags(repository: Repo) -> list[str]:
    """Return the names of the tags that the commit has."""
    head = repository.head()
    tags = [tag for tag in repository.refs.subkeys(Ref(b"refs/tags")) if _commit(repository, tag) == head]
    return sorted(name(os.fsdecode(tag)) for tag in tags)


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
