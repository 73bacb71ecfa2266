"""Change what the stand-in for a registry holds, as whoever owns a registry can: blobs, lists of referrers, tags.

olareg keeps an OCI layout for each repository. What refers to a manifest is listed in an index of its own, which the
layout's index lists with the subject as an annotation.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shipseal.attacks.copies import replace
from shipseal.digest import Digest
from shipseal.distribution.referrers import Referrer, attach
from shipseal.oci.layout import INDEX_TYPE

_SUBJECT = "org.olareg.referrer.subject"
_TAG = "org.opencontainers.image.ref.name"


@dataclass(frozen=True)
class Content:
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
        kind = self.json(digest)["mediaType"]
        entry = {"mediaType": kind, "digest": str(digest), "size": len(self.read(digest))}
        index = self._index()
        index["manifests"].append({**entry, "annotations": {_TAG: tag}} if tag else entry)
        self._write(index)

    def referrers(self, subject: Digest) -> list[dict[str, Any]]:
        """Return the descriptors of what refers to a manifest."""
        entry = self._entry(self._index(), subject)
        return list(self.json(Digest.parse(entry["digest"]))["manifests"]) if entry else []

    def list_referrers(self, subject: Digest, listed: Iterable[Mapping[str, Any]]) -> None:
        """Have these refer to a manifest, and nothing else."""
        document = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": list(listed)}
        data = json.dumps(document).encode()
        index = self._index()
        if (old := self._entry(index, subject)) is not None:
            index["manifests"].remove(old)
        entry = {"mediaType": INDEX_TYPE, "digest": str(self.put(data)), "size": len(data)}
        index["manifests"].append({**entry, "annotations": {_SUBJECT: str(subject)}})
        self._write(index)

    def detach(self, bundle: Digest, subjects: Iterable[Digest]) -> None:
        """Take a bundle away from manifests; its bytes stay where nothing names them."""
        for subject in subjects:
            kept = [each for each in self.referrers(subject) if bundle not in self.bundles(each)]
            self.list_referrers(subject, kept)

    def attach(self, bundle: bytes, kind: str, subjects: Collection[Digest], now: datetime) -> Digest:
        """Attach a bundle to manifests."""
        for subject in subjects:
            described = {"mediaType": self.json(subject)["mediaType"], "digest": str(subject)}
            referrer = attach(bundle, kind, {**described, "size": len(self.read(subject))}, now)
            self._refer(subject, referrer)
        return self.put(bundle)

    def bundles(self, referrer: Mapping[str, Any]) -> set[Digest]:
        """Return the digests of what a referrer holds."""
        manifest = self.json(Digest.parse(referrer["digest"]))
        return {Digest.parse(layer["digest"]) for layer in manifest["layers"]}

    def _refer(self, subject: Digest, referrer: Referrer) -> None:
        self.put(referrer.manifest)
        self.list_referrers(subject, [*self.referrers(subject), referrer.descriptor])

    def _index(self) -> Any:
        return json.loads((self.path / "index.json").read_bytes())

    def _write(self, index: Any) -> None:
        replace(self.path / "index.json", json.dumps(index).encode())

    @staticmethod
    def _entry(index: Any, subject: Digest) -> Any:
        return next(
            (each for each in index["manifests"] if each.get("annotations", {}).get(_SUBJECT) == str(subject)), None
        )
