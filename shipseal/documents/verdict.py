"""What `assess` leaves: the verdict, and all of its reasons. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from pydantic import ConfigDict

from shipseal.documents.document import DigestText, Document, Part, ReferenceText, TimeText
from shipseal.documents.scan import DatabaseParts


@dataclass(frozen=True)
class VerdictReason:
    """One line of a verdict: which rule spoke, about what, in words, what can be done about it, and its last day.

    Args:
        code: of the rule, as `judging/catalogue.py` has it; or `vex`, `waiver`, `noted`.
        finding: the scanner's id; empty where it is about the image.
        package: its name and version.
        message: in words.
        remedy: what can be done.
        until: the last day (ISO 8601) of the exception by which something is excused, and else empty.
        provider: whose advisory it is, and of when that one's data is; empty where it is about the image.
    """

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    code: str
    finding: str
    package: str
    message: str
    remedy: str
    until: str
    provider: str

    @classmethod
    def of_image(cls, code: str, package: str, message: str, remedy: str) -> Self:
        """Return a reason that is about the image, and no finding in it."""
        return cls(code, "", package, message, remedy, until="", provider="")


class VerdictDatabase(DatabaseParts):
    """Which database it was, and when the data of each of its sources was fetched, in Grype's words."""

    providers: Mapping[str, str]


class VerdictTools(Part):
    """Which versions of Grype have reported."""

    grype: tuple[str, ...]


class RuleOutcome(Part):
    """How one rule came out.

    Args:
        code: of the rule.
        setting: its name in `rules.toml`, empty for one that is always on.
        threshold: what it is set to, in words; empty for one that is off.
        observed: what was seen, in words.
        decision: `off`, `denied`, `passed`, or `blind`, which is one that the database has no data for.
        denied: how many reasons it gave.
        inputs: what it rests on, by the names of `inputs`.
    """

    code: str
    setting: str
    threshold: str
    observed: str
    decision: str
    denied: int
    inputs: tuple[str, ...]


class BareReason(Part):
    """A reason without its words."""

    code: str
    finding: str
    package: str


class WithoutVex(Part):
    """What the answer would be if there were no VEX statements."""

    allowed: bool
    denied: tuple[BareReason, ...]


class VerdictDocument(Document):
    """`assess/verdict.json`.

    Args:
        allowed: whether the image may ship.
        denied: what may not ship.
        excused: what would be denied or noted, but for a VEX statement or a waiver.
        noted: findings that the rules let pass.
        notices: what people must hear, whatever the answer is.
        image: what was judged.
        judged: the time that it was judged by.
        sample: whether the database was the sample of a dry run.
        release: whether it judges a release.
        version: of the rules of judging, `judging.catalogue.VERSION`.
        inputs: the digest of everything that it rests on, by name.
        database: what the findings come from.
        tools: what the findings were made with.
        rules: how each rule came out.
        without_vex: what the answer would be otherwise.
    """

    STAGE: ClassVar = "assess"
    NAME: ClassVar = "verdict.json"

    allowed: bool
    denied: tuple[VerdictReason, ...]
    excused: tuple[VerdictReason, ...]
    noted: tuple[VerdictReason, ...]
    notices: tuple[str, ...]
    image: ReferenceText
    judged: TimeText
    sample: bool
    release: bool
    version: int
    inputs: Mapping[str, DigestText]
    database: VerdictDatabase
    tools: VerdictTools
    rules: tuple[RuleOutcome, ...]
    without_vex: WithoutVex

    @property
    def reasons(self) -> Iterator[tuple[str, VerdictReason]]:
        """Every reason with what became of it, in the order of the verdict."""
        for kind, every in (("denied", self.denied), ("excused", self.excused), ("noted", self.noted)):
            yield from ((kind, each) for each in every)
