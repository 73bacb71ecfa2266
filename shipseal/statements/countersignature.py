"""Say that somebody has built an image again and found every byte the same: what, from what, and on what machine. Pure.

The predicate type is ours, and described in docs/releases.md. It is worth as much as whoever signs it is another than
who has built the image: a policy can name that identity for `rebuild` alone, and require it.
"""

from pydantic import Field

from shipseal.statements.predicates import ImageName, Own, Said, Sha256


class RebuildSource(Said):
    """What was built: the commit, the digest of its files, and the bundle with the provenance that names both."""

    revision: str
    tree: Sha256
    provenance: Sha256


class RebuildComparison(Said):
    """What was compared: the manifest of each platform, and how many blobs, each by all of its bytes."""

    platforms: dict[str, Sha256]
    blobs: int = Field(ge=1)
    result: str


class Machine(Said):
    """On what it was built: the system, the interpreter, and the digest of the pipeline's own code."""

    system: str
    python: str
    pipeline: Sha256


class Rebuild(Own):
    """That an image was built again."""

    image: ImageName
    rebuilt_at: str
    source: RebuildSource
    compared: RebuildComparison
    machine: Machine


SAME = "SAME"
