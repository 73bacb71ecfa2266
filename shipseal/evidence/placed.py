"""Say where a finding is in an image: on which platform, in which layer and files, and what imports it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shipseal.evidence.linked import linked
from shipseal.judging.case import EVIDENCE, GRYPE, IMAGE, Case
from shipseal.purl import Purl
from shipseal.scanning.findings import Finding

_SITE = ("dist-packages/", "site-packages/")


@dataclass(frozen=True)
class Place:
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

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return asdict(self)


def places(case: Case, finding: Finding, image_stage: Path | None) -> Iterator[Place]:
    """Yield where a finding's package is.

    Args:
        case: what the verdict was given on, its documents of known shape.
        finding: one of its findings.
        image_stage: what the stage `image` has left: layers, and what the service needs; None where it is not there.
    """
    image, reports = json.loads(case.files[IMAGE]), json.loads(case.files[GRYPE])
    needed = _needed(image_stage)
    for platform in finding.platforms:
        entry = image["platforms"][platform]
        files = tuple(
            path
            for package in entry["packages"]
            if Purl.parse(package["purl"]).same_package(finding.subject)
            for path in package["files"]
        )
        layers = _layers(entry["layers"], _diff_ids(reports[platform], finding))
        imported = _imported(files, needed.get(platform, {}))
        if image_stage:
            blobs = image_stage / "layout" / "blobs" / "sha256"
            imported |= linked(blobs, [each["digest"] for each in entry["layers"]], files)
        yield Place(platform, entry["digest"], layers, files, imported)


def _diff_ids(report: Any, finding: Finding) -> set[str]:
    """Return the layers in which the scanner's list of contents has found a package."""
    found = set()
    for match in report["matches"]:
        named = match["artifact"]["name"] == finding.package and match["artifact"]["version"] == finding.version
        locations = match["artifact"].get("locations") if named else None
        for location in locations if isinstance(locations, list) else ():
            found.add(str(location.get("layerID", "")) if isinstance(location, dict) else "")
    return found


def _layers(layers: Sequence[Mapping[str, Any]], diff_ids: set[str]) -> tuple[str, ...]:
    return tuple(f"{each.get('name', 'layer')} {each['digest']}" for each in layers if each.get("diff_id") in diff_ids)


def _needed(image_stage: Path | None) -> dict[str, dict[str, str]]:
    """Return by platform which module needs each module; nothing where that is not on record, or of another shape."""
    try:
        document = json.loads((image_stage / "closure.json").read_bytes()) if image_stage else {}
        return {name: dict(each["needed"]) for name, each in document.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _imported(files: Sequence[str], needed: Mapping[str, str]) -> dict[str, str]:
    modules = {_module(path) for path in files if path.endswith((".py", ".pyc"))}
    return {name: str(needed[name]) for name in sorted(modules & needed.keys())}


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
    document = json.loads(case.files[EVIDENCE])
    lines = []
    for each in document.get("looked_at") or ():
        if isinstance(each, dict) and each.get("finding") in finding.names:
            for part in each.get("parts") or ():
                seen = part.get("seen") or () if isinstance(part, dict) else ()
                lines += [f"{one.get('tier')}: {one.get('says')}" for one in seen if isinstance(one, dict)]
    return list(dict.fromkeys(lines))
