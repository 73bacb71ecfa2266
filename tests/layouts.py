"""Small OCI layouts for tests: an index of two platforms, and evidence that refers to each manifest."""

import json
from pathlib import Path
from typing import Any

from shipseal.digest import Digest

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EVIDENCE = "application/vnd.example.evidence"


def write_layout(root: Path, evidence: int = 2, first: int = 0) -> tuple[Digest, list[Digest]]:
    """Write a layout; return the digests of its index and of its platform manifests."""
    (root / "blobs" / "sha256").mkdir(parents=True)
    (root / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    platforms = [_manifest(root, name.encode()) for name in ("amd64", "arm64")]
    index = _blob(root, INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": platforms})
    referrers = [
        _manifest(root, f"evidence {number}".encode(), subject=subject)
        for subject in [*platforms, index]
        for number in range(first, first + evidence)
    ]
    (root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [index, *referrers]}))
    return Digest.parse(index["digest"]), [Digest.parse(platform["digest"]) for platform in platforms]


def _manifest(root: Path, content: bytes, subject: dict[str, Any] | None = None) -> dict[str, Any]:
    config = _blob(root, "application/vnd.oci.empty.v1+json", {})
    layer = {"mediaType": EVIDENCE, **_bytes(root, content)}
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": EVIDENCE,
        "config": config,
        "layers": [layer],
    }
    return _blob(root, MANIFEST, manifest | ({"subject": subject} if subject else {}))


def _blob(root: Path, media_type: str, value: object) -> dict[str, Any]:
    return {"mediaType": media_type, **_bytes(root, json.dumps(value).encode())}


def _bytes(root: Path, data: bytes) -> dict[str, Any]:
    digest = Digest.of(data)
    (root / "blobs" / "sha256" / digest.hex).write_bytes(data)
    return {"digest": str(digest), "size": len(data)}
