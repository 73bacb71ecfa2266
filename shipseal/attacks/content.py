"""Change what the stand-in for a registry holds, as whoever owns a registry can: blobs, lists of referrers, tags.

olareg keeps an OCI layout for each repository. What refers to a manifest is listed in an index of its own, which the
layout's index lists with the subject as an annotation.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shipseal.attacks.copies import replace
from shipseal.digest import Digest
from shipseal.distribution.referrers import attach
from shipseal.oci.layout import INDEX_TYPE
from shipseal.oci.models import OciDescriptor, OciIndex, OciManifest

_SUBJECT = "org.olareg.referrer.subject"
_TAG = "org.opencontainers.image.ref.name"


@dataclass(frozen=True)
class RepositoryContent:
    """The files of one repository."""

    path: Path

    def blob(self, digest: Digest) -> Path:
        """Return where a blob is."""
        return self.path / "blobs" / digest.algorithm / digest.hex

    def read(self, digest: Digest) -> bytes:
        """Return a blob's bytes."""
        return self.blob(digest).read_bytes()

    def json(self, digest: Digest) -> Any:
        """Return a blob's document."""
        return json.loads(self.read(digest))

    def put(self, data: bytes) -> Digest:
        """Write a blob, and return its digest."""
        digest = Digest.of(data)
        replace(self.blob(digest), data)
        return digest

    def alter(self, digest: Digest, data: bytes) -> None:
        """Put other bytes behind a digest."""
        replace(self.blob(digest), data)

    def list_manifest(self, digest: Digest, tag: str = "") -> None:
        """Have the repository list a manifest that it has, by a tag if there is one."""
        described = self._described(digest)
        self._write(
            [*self._index().manifests, described.model_copy(update={"annotations": {_TAG: tag}}) if tag else described]
        )

    def referrers(self, subject: Digest) -> tuple[OciDescriptor, ...]:
        """Return the descriptors of what refers to a manifest."""
        found = next((each for each in self._index().manifests if _is_of(each, subject)), None)
        return OciIndex.read(self.read(found.digest), "a list of referrers").manifests if found else ()

    def list_referrers(self, subject: Digest, listed: Iterable[OciDescriptor]) -> None:
        """Have these refer to a manifest, and nothing else."""
        document = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [each.as_json() for each in listed]}
        data = json.dumps(document).encode()
        entry = OciDescriptor(
            media_type=INDEX_TYPE, digest=self.put(data), size=len(data), annotations={_SUBJECT: str(subject)}
        )
        self._write([*(each for each in self._index().manifests if not _is_of(each, subject)), entry])

    def detach(self, bundle: Digest, subjects: Iterable[Digest]) -> None:
        """Take a bundle away from manifests; its bytes stay where nothing names them."""
        for subject in subjects:
            kept = [each for each in self.referrers(subject) if bundle not in self.bundles(each)]
            self.list_referrers(subject, kept)

    def attach(self, bundle: bytes, kind: str, subjects: Collection[Digest], now: datetime) -> Digest:
        """Attach a bundle to manifests."""
        for subject in subjects:
            referrer = attach(bundle, kind, self._described(subject).as_json(), now)
            self.put(referrer.manifest)
            more = OciDescriptor.read(json.dumps(referrer.descriptor).encode(), "a descriptor")
            self.list_referrers(subject, [*self.referrers(subject), more])
        return self.put(bundle)

    def manifest(self, digest: Digest) -> OciManifest:
        """Return a manifest."""
        return OciManifest.read(self.read(digest), "a manifest")

    def bundles(self, referrer: OciDescriptor) -> set[Digest]:
        """Return the digests of what a referrer holds."""
        return {layer.digest for layer in self.manifest(referrer.digest).layers}

    def _described(self, manifest: Digest) -> OciDescriptor:
        data = self.read(manifest)
        return OciDescriptor(media_type=json.loads(data)["mediaType"], digest=manifest, size=len(data))

    def _index(self) -> OciIndex:
        return OciIndex.read((self.path / "index.json").read_bytes(), "index.json")

    def _write(self, listed: Iterable[OciDescriptor]) -> None:
        index = self._index().model_copy(update={"manifests": tuple(listed)})
        replace(self.path / "index.json", json.dumps(index.as_json()).encode())


def _is_of(listed: OciDescriptor, subject: Digest) -> bool:
    return (listed.annotations or {}).get(_SUBJECT) == str(subject)
