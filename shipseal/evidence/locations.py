"""Say where a finding is in an image: on which platform, in which layer and files, and what imports it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from shipseal.documents.image import ClosureDocument, ImageDocument
from shipseal.documents.scan import GrypeReport, ScanDocument
from shipseal.documents.vex import EvidenceDocument
from shipseal.errors import VerificationFailed
from shipseal.evidence.library_users import linked
from shipseal.judging.case import Case
from shipseal.purl import Purl
from shipseal.scanning.findings import Finding

_SITE = ("dist-packages/", "site-packages/")


@dataclass(frozen=True)
class PackageLocation:
    """Where a package is on one platform.

    Args:
        platform: which one.
        manifest: the digest of its image.
        layers: those that hold it, each as `name digest`.
        files: the files that are the package's.
        imported: its modules and libraries, each with the first that imports it; empty where nothing is known of that.
    """

    platform: str
    manifest: str
    layers: tuple[str, ...]
    files: tuple[str, ...]
    imported: Mapping[str, str]

    def as_json(self) -> dict[str, object]:
        """Return it for machines."""
        return asdict(self)


def places(case: Case, finding: Finding, image_stage: Path | None) -> Iterator[PackageLocation]:
    """Yield where a finding's package is.

    Args:
        case: what the verdict was given on, its documents of known shape.
        finding: one of its findings.
        image_stage: what the stage `image` has left: layers, and what the service needs; None where it is not there.
    """
    image, reports = case.document(ImageDocument), case.document(ScanDocument).root
    needed = _needed(image_stage)
    for platform in finding.platforms:
        entry = image.platforms[platform]
        files = tuple(
            path
            for package in entry.packages
            if Purl.parse(package.purl).same_package(finding.subject)
            for path in package.files
        )
        within = _diff_ids(reports[platform], finding)
        layers = tuple(f"{each.name} {each.digest}" for each in entry.layers if str(each.diff_id) in within)
        imported = _imported(files, needed.get(platform, {}))
        if image_stage:
            blobs = image_stage / "layout" / "blobs" / "sha256"
            imported |= linked(blobs, [each.digest for each in entry.layers], files)
        yield PackageLocation(platform, str(entry.digest), layers, files, imported)


def _diff_ids(report: GrypeReport, finding: Finding) -> set[str]:
    """Return the layers in which the scanner's list of contents has found a package."""
    found = [match.artifact for match in report.matches]
    named = [each for each in found if (each.name, each.version) == (finding.package, finding.version)]
    return {location.layer for each in named for location in each.locations or ()}


def _needed(image_stage: Path | None) -> dict[str, Mapping[str, str]]:
    """Return by platform which module needs each module; nothing where that is not on record, or of another shape."""
    if image_stage is None:
        return {}
    try:
        document = ClosureDocument.parse((image_stage / ClosureDocument.NAME).read_bytes())
    except (OSError, VerificationFailed):
        return {}
    return {name: each.needed for name, each in document.root.items()}


def _imported(files: Sequence[str], needed: Mapping[str, str]) -> dict[str, str]:
    modules = {_module(path) for path in files if path.endswith((".py", ".pyc"))}
    return {name: needed[name] for name in sorted(modules & needed.keys())}


def _module(path: str) -> str:
    """Return the name of the module in a file, as far as its path says it."""
    name = path.rpartition(".")[0]
    for site in _SITE:
        name = name.rpartition(site)[2]
    if name.startswith("usr/lib/python"):
        name = name.removeprefix("usr/lib/python").partition("/")[2]
    return name.removesuffix("/__init__").replace("/", ".")


def evidence(case: Case, finding: Finding) -> list[str]:
    """Return what was seen of a finding in this image, tier by tier, as `vex/evidence.json` has it."""
    looked_at = [each for each in case.document(EvidenceDocument).looked_at if each.finding in finding.names]
    seen = (one for each in looked_at for part in each.parts for one in part.seen)
    return list(dict.fromkeys(f"{one.tier}: {one.says}" for one in seen))
