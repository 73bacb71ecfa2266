"""What `facts` leaves: the revision that everything is made from, and its tree by digest. Pure."""

from typing import ClassVar

from shipseal.documents.document import DigestText, Document


class FactsDocument(Document):
    """`facts/facts.json`.

    Args:
        revision: the commit's full name.
        commit_time: seconds since 1970; 0 where the commit names none.
        repository: the address of `origin` in the one spelling, or nothing.
        ref: the full name of the branch or tag, or nothing.
        dirty: whether the tree has changes that are in no commit.
        changed: the first of their paths.
        tree: the digest of the source tree as it lies there.
    """

    STAGE: ClassVar = "facts"
    NAME: ClassVar = "facts.json"

    revision: str
    commit_time: int
    repository: str
    ref: str
    dirty: bool
    changed: tuple[str, ...]
    tree: DigestText
