"""Look for known vulnerabilities in what the image holds. Finding some is no failure."""

from collections.abc import Mapping
from typing import Any

from pipeline.digest import Digest
from pipeline.engine.stage import Context
from pipeline.errors import ConfigError, ToolFailed
from pipeline.scanning import findings
from pipeline.scanning.grype import Grype, Identity


async def scan(context: Context) -> str:
    """Run Grype on the CycloneDX document of each platform; nothing is downloaded.

    Every way in which Grype finds nothing and calls it success is closed first: an SBOM without packages, a database
    without advisories (a package known to be vulnerable must be found), and one too old, which `assess` judges.
    """
    image = context.read_json("image", "image.json")
    documents = {platform: f"{platform.replace('/', '-')}/sbom.cdx.json" for platform in sorted(image["platforms"])}
    for document in documents.values():
        _require_packages(document, context.read_json("sbom", document))
    grype, identity = await _database(context)
    await grype.require_eyesight()
    raw = {platform: await grype.scan(context.of("sbom") / document) for platform, document in documents.items()}
    reports = {platform: findings.read(report) for platform, report in raw.items()}
    if any(report.database.built != identity.built for report in reports.values()):
        raise ToolFailed("Grype used another database than the one on record", do="run `python -m pipeline db import`")
    context.write_json("grype.json", raw)
    for name, part in zip(("database.json", "imported.json"), identity.split(), strict=True):
        context.write_json(name, part)
    found = findings.merge(reports)
    kinds = [f"{n} {each.value}" for each in findings.Severity if (n := sum(f.severity is each for f in found))]
    return f"{len(found)} findings ({', '.join(kinds) or 'none'}); {identity.describe(context.now)}"


async def _database(context: Context) -> tuple[Grype, Identity]:
    directory = context.config.scan.database
    if directory is not None:
        identity, grype = Identity.read(directory), Grype(context.tools, directory, context.out)
        if identity.sample and context.world.public:
            raise ConfigError(
                f"a release needs a whole vulnerability database, and {directory} holds the SAMPLE of a dry run",
                do="run `python -m pipeline db update`, which puts a whole one there",
            )
        grype.require_same(identity)
        context.material(f"pkg:generic/vulnerability-database@{identity.built}", Digest.parse(identity.checksum))
        return grype, identity
    source = context.out / "sample.db"
    context.world.sample_database(source)  # a release has none, and says so
    grype = Grype(context.tools, context.out / "database", context.out)
    identity = await grype.load(source, "policy/sample-advisories.toml", sample=True)
    source.unlink()
    context.say("no database is configured: using the SAMPLE of policy/sample-advisories.toml")
    return grype, identity


def _require_packages(name: str, sbom: Mapping[str, Any]) -> None:
    if not any(component.get("purl") for component in sbom["components"]):
        raise ToolFailed(
            f"{name} lists no packages",
            why="Grype finds nothing in an empty list, and calls that a success",
            do="run `python -m pipeline stage sbom` again",
        )
