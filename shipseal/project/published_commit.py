"""Know whether others can have a commit: whether a branch that `origin` is known to have leads to it. Pure."""

from collections.abc import Iterator
from contextlib import suppress

from dulwich.errors import MissingCommitError
from dulwich.objects import Commit, ObjectID
from dulwich.refs import Ref
from dulwich.repo import Repo

_BRANCHES = b"refs/remotes/origin/"


def is_pushed(repository: Repo) -> bool:
    """Say whether a clone knows that its commit was pushed; one that knows no branch of `origin` has nothing to say.

    What was fetched as a tag alone, as CI does it, comes from there anyway.
    """
    head = repository[repository.head()]
    tips = list(_tips(repository))
    if not tips or head.id in tips or not isinstance(head, Commit):
        return True
    try:
        older = repository.get_walker(include=tips, since=head.commit_time)
        return any(entry.commit.id == head.id for entry in older)
    except MissingCommitError:  # a shallow clone ends somewhere
        return False


def _tips(repository: Repo) -> Iterator[ObjectID]:
    for branch in repository.refs.subkeys(Ref(_BRANCHES)):
        with suppress(KeyError):  # `HEAD` names a branch that may be gone
            yield repository.refs[Ref(_BRANCHES + branch)]
