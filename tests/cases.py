"""Cases to judge, made of documents as stages write them, with any part of them changed."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from shipseal.digest import Digest
from shipseal.documents.scan import ScanDocument
from shipseal.judging.case import Case, decide
from shipseal.judging.claims import describe, match_statements
from shipseal.purl import Purl
from shipseal.scanning import findings
from tests.statements import NOW, RULES, parsed

IMAGE = str(Digest.of(b"an image"))
PLATFORM = "linux/amd64"
ZLIB, WAITRESS, SERVICE = "pkg:deb/debian/zlib1g@1.2", "pkg:pypi/waitress@3.0.0", "pkg:pypi/sample@1.0"
FILES = {
    ZLIB: ["usr/lib/libz.so.1"],
    WAITRESS: ["usr/lib/python3/dist-packages/waitress/server.py"],
    SERVICE: ["usr/lib/python3/dist-packages/sample/__init__.py"],
}
LAYERS = [
    {"name": name, "digest": str(Digest.of(name.encode())), "diff_id": f"sha256:{number:064x}", "size": 1}
    for number, name in enumerate(("runtime", "wheels", "service"))
]


def match(name: str = "CVE-2026-1", purl: str = ZLIB, severity: str = "Critical", **changes: Any) -> dict[str, Any]:
    """Return what Grype says of one finding; `changes` are of the vulnerability."""
    package = Purl.parse(purl)
    kind, layer = ("debian", 0) if package.type == "deb" else ("github", 1)
    vulnerability = {
        "id": name,
        "namespace": f"{kind}:of:a:test",
        "severity": severity,
        "fix": {"state": "not-fixed", "versions": []},
        **changes,
    }
    location = {"layerID": LAYERS[layer]["diff_id"], "path": "/somewhere"}
    artifact = {"name": package.name, "version": package.version, "purl": purl, "locations": [location]}
    return {"vulnerability": vulnerability, "relatedVulnerabilities": [], "artifact": artifact}


def report(matches: Iterable[Any], built: str, providers: Iterable[str] = ("debian", "github")) -> dict[str, Any]:
    """Return a report of Grype on one platform."""
    status = {"built": built, "schemaVersion": "v6.1.7"}
    database = {"status": status, "providers": {name: {"captured": built} for name in providers}}
    return {"matches": list(matches), "descriptor": {"version": "0.115.0", "db": database}}


def image(purls: Iterable[str], digest: str = IMAGE, files: Mapping[str, list[str]] = FILES) -> dict[str, Any]:
    """Return an image.json of one platform."""
    packages = [_package(Purl.parse(purl), files.get(purl, [])) | {"purl": purl} for purl in purls]
    count = sum(len(each["files"]) for each in packages)
    entry = {"digest": digest, "size": 1, "layers": LAYERS, "packages": packages, "generated": [], "files": count}
    return {
        "format": 2,
        "reference": f"registry.example/acme/sample@{digest}",
        "digest": digest,
        "platforms": {PLATFORM: entry},
        "service": {"name": "sample", "version": "1.0"},
    }


def _package(purl: Purl, files: list[str]) -> dict[str, Any]:
    return {"name": purl.name, "version": purl.version, "type": purl.type, "files": files}


def evidence(digest: str, claims: Iterable[Any], policy: Mapping[str, str], judged: datetime = NOW) -> dict[str, Any]:
    """Return an evidence.json."""
    return {
        "image": digest,
        "held": judged.isoformat(),
        "claims": list(claims),
        "looked_at": [],
        "policy": dict(policy),
        "suppressed_by_grype_too": 0,
    }


def case(
    *matches: Any,
    purls: Iterable[str] = (ZLIB, WAITRESS, SERVICE),
    statements: Iterable[dict[str, Any]] = (),
    made: Iterable[dict[str, Any]] = (),
    facts: str = "1",
    paths: Iterable[str] = (),
    built: str = "2026-11-24T00:00:00Z",
    rules: str = RULES,
    waivers: str = "",
    judged: datetime = NOW,
    digest: str = IMAGE,
    release: bool = False,
    sample: bool = False,
    more: Mapping[str, bytes] | None = None,
) -> Case:
    """Return a case.

    `paths` are the files of its image that statements are held against, `made` what a machine states from evidence, and
    `facts` tells the files apart from which that follows.
    """
    listed, stated = list(purls), list(statements)
    inside = [Purl.parse(purl) for purl in listed]
    documents = {"policy/vex/test.json": parsed(*stated)} if stated else {}
    documents |= {"policy/advisories/test.toml": parsed(*made)} if made else {}
    claims = match_statements(documents, inside, {}, tuple(paths), judged)
    known = {"policy/advisories/test.toml": str(Digest.of(facts.encode()))}
    database = {"built": built, "schema": "v6.1.7", "checksum": str(Digest.of(built.encode())), "source": "a test"}
    components = [{"type": "library", "name": each.name, "purl": str(each)} for each in inside]
    files: dict[str, Any] = {
        "image/image.json": image(listed, digest),
        "scan/grype.json": {PLATFORM: report(matches, built)},
        "scan/database.json": {**database, "sample": sample},
        "vex/evidence.json": evidence(
            digest, [describe(claim, judged).model_dump(mode="json") for claim in claims], known, judged
        ),
        "sbom/linux-amd64/sbom.cdx.json": {"components": components},
    }
    encoded = {name: json.dumps(value).encode() for name, value in files.items()}
    encoded |= {"policy/rules.toml": rules.encode(), **({"policy/waivers.toml": waivers.encode()} if waivers else {})}
    return Case({**encoded, **(more or {})}, judged, release)


def store(case: Case, run: Path) -> dict[str, Any]:
    """Write a case and its verdict as a run leaves them; return the verdict."""
    for name, data in case.files.items():
        path = run / ("assess" if name.startswith(("policy/", "smoke/tests")) else ".") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    verdict: dict[str, Any] = decide(case).as_json()
    (run / "assess" / "verdict.json").write_text(json.dumps(verdict))
    return verdict


def found(case: Case) -> tuple[findings.Finding, ...]:
    """Return the findings of a case."""
    return findings.merge(findings.recorded(case.document(ScanDocument)))
