"""What `scan` leaves: Grype's reports as they are, and which database they come from. Pure.

Shape of a report: grype/presenter/models/document.go, Grype 0.121. What is relied on has its type here;
the rest is kept in the file, and passed over.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, PlainValidator
from pydantic import WithJsonSchema as Schema

from shipseal.documents.document import DigestText, Document, Foreign, Names, Part, PlatformText, PurlText, TimeText

_Some = Field(min_length=1)
_Text = Annotated[str, _Some]


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


SeverityText = Annotated[
    Literal["critical", "high", "medium", "low", "negligible", "unknown"],
    BeforeValidator(_lower),
    Schema({"type": "string", "description": "critical, high, medium, low, negligible or unknown, in any case"}),
]


def _day(value: object) -> date:
    if not isinstance(value, str):
        raise ValueError("it is not a date")
    return date.fromisoformat(value[:10])


class GrypeAvailable(Foreign):
    """The day on which a fix came out."""

    day: Annotated[date, PlainValidator(_day)] = Field(validation_alias="date")


class GrypeFix(Foreign):
    """What an advisory says of a fix."""

    state: Literal["", "fixed", "not-fixed", "wont-fix", "unknown"]
    versions: tuple[_Text, ...]
    available: tuple[GrypeAvailable, ...] | None = None


class GrypeMetrics(Foreign):
    """What a score comes to."""

    base_score: int | float = Field(validation_alias="baseScore")


class GrypeScore(Foreign):
    """How bad a vulnerability is by one version of CVSS."""

    version: str
    metrics: GrypeMetrics


class GrypeProbability(Foreign):
    """How likely it is exploited within 30 days (FIRST, EPSS)."""

    epss: Annotated[float, Field(ge=0, le=1, strict=False)]


class GrypeRelated(Foreign):
    """Another name of a vulnerability."""

    id: _Text


class GrypeVulnerability(Foreign):
    """What a database says of a vulnerability; `known_exploited` is empty or none where it is not (CISA, KEV)."""

    id: _Text
    severity: SeverityText
    fix: GrypeFix
    cvss: tuple[GrypeScore, ...] = ()
    epss: tuple[GrypeProbability, ...] | None = None
    known_exploited: tuple[object, ...] | None = Field(default=None, validation_alias="knownExploited")
    namespace: str | None = None


class GrypeLocation(Foreign):
    """Where a package was found: in which layer, by its `diff_id`."""

    layer: str = Field(default="", validation_alias="layerID")


class GrypeArtifact(Foreign):
    """The package that a vulnerability was matched to."""

    name: _Text
    version: _Text
    purl: PurlText
    locations: tuple[GrypeLocation, ...] | None = None


class GrypeDetail(Foreign):
    """How a match came about."""

    type: str = ""


class GrypeMatch(Foreign):
    """A vulnerability in a package."""

    vulnerability: GrypeVulnerability
    related: tuple[GrypeRelated, ...] = Field(validation_alias="relatedVulnerabilities")
    artifact: GrypeArtifact
    details: tuple[GrypeDetail, ...] | None = Field(default=None, validation_alias="matchDetails")


class GrypeStatus(Foreign):
    """Which database it was, in the scanner's own words."""

    built: _Text
    schema_version: _Text = Field(validation_alias="schemaVersion")


class GrypeProvider(Foreign):
    """A source of the database: when its data was fetched."""

    captured: str | None = None


class ReportedDatabase(Foreign):
    """The database, and its sources by name."""

    status: GrypeStatus
    providers: Mapping[_Text, GrypeProvider] | None = None


class GrypeDescriptor(Foreign):
    """The scanner itself, and its database."""

    version: str
    db: ReportedDatabase


class GrypeReport(Foreign):
    """What Grype says of one platform's SBOM; `ignored` is what it left out, by VEX or otherwise."""

    matches: tuple[GrypeMatch, ...]
    ignored: tuple[GrypeMatch, ...] | None = Field(default=None, validation_alias="ignoredMatches")
    descriptor: GrypeDescriptor


class ScanDocument(Names[Annotated[Mapping[PlatformText, GrypeReport], _Some]]):
    """`scan/grype.json`: by platform. It is read by this, and written as Grype gave it."""

    STAGE: ClassVar = "scan"
    NAME: ClassVar = "grype.json"


class DatabaseParts(Part):
    """Which vulnerability database it is, the same for everybody.

    Args:
        built: when it was built.
        schema_version: its schema, as Grype says it.
        checksum: sha256 of the file that it was imported from.
        source: where that file came from.
        sample: whether it holds no more than a few advisories, for a dry run.
    """

    built: TimeText
    schema_version: str = Field(validation_alias="schema", serialization_alias="schema")
    checksum: DigestText
    source: str
    sample: bool


class DatabaseDocument(DatabaseParts, Document):
    """`scan/database.json`."""

    STAGE: ClassVar = "scan"
    NAME: ClassVar = "database.json"


class ImportedDocument(Document):
    """`scan/imported.json`: the bytes that Grype made of that database, others at each import."""

    STAGE: ClassVar = "scan"
    NAME: ClassVar = "imported.json"

    content: DigestText
