"""What `attest` leaves for the stages that publish: every effect of the release, as it was foreseen. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import PlainSerializer

from shipseal.documents.document import DigestText, Document, Part


class Kind(StrEnum):
    """What kinds of effects there are, in the order in which a release has them."""

    BLOB = "blob"
    MANIFEST = "manifest"
    CERTIFICATE = "certificate"
    ENTRY = "log entry"
    TIMESTAMP = "timestamp"
    BUNDLE = "bundle"
    REFERRER = "referrer"
    TAG = "tag"

    def number(self, count: int) -> str:
        """Return so many of these in words."""
        return (
            f"{count} {self}" if count == 1 else f"{count} {self.removesuffix('y')}{'ies' if self[-1] == 'y' else 's'}"
        )


class Effect(Part):
    """One effect.

    Args:
        kind: what it is.
        name: of what: a part of the image, a statement, a tag.
        at: where: the repository, the subject of a referrer, a service.
        digest: of what is or will be there; None for what is known only once it is signed, and for services.
        there: whether it is there already, so that nothing is written.
        size: bytes that are sent for it, where they are known.
        type: of a statement, the URI that consumers look for.
    """

    kind: Kind
    name: str
    at: str
    digest: DigestText | None
    there: bool = False
    size: int = 0
    type: str = ""

    def line(self) -> str:
        """Return it for people."""
        known = str(self.digest) if self.digest else "digest known once it is signed"
        what = known if self.kind in {Kind.BLOB, Kind.MANIFEST, Kind.BUNDLE} else ""
        what = f"at {self.at}, {known}" if self.kind is Kind.REFERRER else what or f"at {self.at}"
        size = f", {self.size} bytes" if self.size and not self.there else ""
        return f"{self.kind:<11} {self.name}: {what}{size}{' (there already)' if self.there else ''}"


Sorted = Annotated[frozenset[str], PlainSerializer(sorted, return_type=list[str])]


class EffectsDocument(Document):
    """`attest/effects.json`: all effects of a release, and how everything was before.

    Args:
        effects: each of them.
        listed: the manifests that were listed at each subject before, as the registry named them.
        tags: the names of all tags that were there before.
    """

    STAGE: ClassVar = "attest"
    NAME: ClassVar = "effects.json"

    effects: tuple[Effect, ...]
    listed: Mapping[DigestText, Sorted]
    tags: Sorted

    @property
    def written(self) -> tuple[Effect, ...]:
        """Those that are not there yet."""
        return tuple(each for each in self.effects if not each.there)

    def of(self, kind: Kind, name: str = "") -> tuple[Effect, ...]:
        """Return those of a kind, or of one thing only."""
        return tuple(each for each in self.effects if each.kind is kind and name in {"", each.name})
