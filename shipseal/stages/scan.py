"""Look for known vulnerabilities in what the image holds. Finding some is no failure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from shipseal.documents.image import ImageDocument
from shipseal.documents.sbom import CycloneDxDocument
from shipseal.documents.scan import ScanDocument
from shipseal.engine.stage import Context
from shipseal.errors import ConfigError, ToolFailed, VerificationFailed
from shipseal.platforms import Platform
from shipseal.scanning import findings
from shipseal.scanning.grype import Grype, Identity
from shipseal.statements.provenance import DATABASE
from shipseal.times import read_time


async def scan(context: Context) -> str:
    """Run Grype on the CycloneDX document of each platform; nothing is downloaded.

    Every way in which Grype finds nothing and calls it success is closed first: an SBOM without packages, a database
    without advisories (a package known to be vulnerable must be found), and one too old, which `assess` judges.
    """
    places = {
        platform: Platform.parse(platform).directory for platform in sorted(ImageDocument.read(context).platforms)
    }
    for place in places.values():
        _require_packages(place, CycloneDxDocument.read(context, place))
    grype, identity = await _database(context)
    await grype.require_canary()
    raw = {name: await grype.scan(context.of("sbom") / at / CycloneDxDocument.NAME) for name, at in places.items()}
    reports = {platform: findings.read(report) for platform, report in raw.items()}
    if any(report.database.built != identity.built for report in reports.values()):
        raise ToolFailed("Grype used another database than the one on record", remedy="run `shipseal db import`")
    context.write_json(ScanDocument.NAME, raw)  # all of it, as Grype has written it
    for part in identity.split():
        part.write(context)
    found = findings.merge(reports)
    for line in _sources(reports, found, context.now):
        context.say(line)
    kinds = [f"{n} {each.value}" for each in findings.Severity if (n := sum(f.severity is each for f in found))]
    return f"{len(found)} findings ({', '.join(kinds) or 'none'}); {identity.describe(context.now)}"


def _sources(reports: Mapping[str, findings.Report], found: Sequence[findings.Finding], now: datetime) -> Iterator[str]:
    """Yield whose advisories the findings are, and how old that one's data is: a young database may hold old lists."""
    captured = {name: when for report in reports.values() for name, when in report.providers.items()}
    for provider, count in sorted(Counter(finding.provider for finding in found).items()):
        try:
            age = f"data of {captured[provider]}, {(now - read_time(captured[provider])).days} days old"
        except (KeyError, VerificationFailed):
            age = "data of a day that the database does not say"
        yield f"{count} findings by {provider or 'nobody named'}, {age}"


async def _database(context: Context) -> tuple[Grype, Identity]:
    directory = context.config.scan.database
    if directory is not None:
        identity, grype = Identity.read(directory), Grype(context.tools, directory, context.out)
        if identity.sample and context.world.public:
            raise ConfigError(
                f"a release needs a whole vulnerability database, and {directory} holds the SAMPLE of a dry run",
                remedy="run `shipseal db update`, which puts a whole one there",
            )
        grype.require_same(identity)
        context.material(f"{DATABASE}{identity.built}", identity.checksum)
        return grype, identity
    source = context.out / "sample.db"
    context.world.sample_database(source)  # a release has none, and says so
    grype = Grype(context.tools, context.out / "database", context.out)
    identity = await grype.load(source, "policy/sample-advisories.toml", sample=True)
    source.unlink()
    context.say("no database is configured: using the SAMPLE of policy/sample-advisories.toml")
    return grype, identity


def _require_packages(place: str, sbom: CycloneDxDocument) -> None:
    if not any(component.purl for component in sbom.components):
        raise ToolFailed(
            f"{place}/{sbom.NAME} lists no packages",
            why="Grype finds nothing in an empty list, and calls that a success",
            remedy="run `shipseal stage sbom` again",
        )
