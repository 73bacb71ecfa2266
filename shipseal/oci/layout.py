"""Read and extend an OCI layout on disk (OCI image specification 1.1, image-layout.md)."""

import json
import stat
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shipseal.digest import Digest
from shipseal.errors import UsageError, VerificationFailed
from shipseal.oci.bytes import altered, checked_json
from shipseal.oci.documents import LAYOUT_FILE, MANIFEST, layout_file
from shipseal.oci.layout_copy import copy_layouts
from shipseal.oci.models import OciIndex, OciManifest
from shipseal.platforms import platform_name

_LARGEST_LIST, _LARGEST_READ = 16 << 20, 64 << 20  # bytes: of index.json, and of a blob that is held in memory
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True)
class PlatformManifest:
    """One platform's manifest: `linux/arm64`, and its descriptor."""

    name: str
    descriptor: Mapping[str, Any]

    @property
    def digest(self) -> Digest:
        """The manifest's digest."""
        return Digest.parse(self.descriptor["digest"])


@dataclass(frozen=True)
class Layout:
    """A directory with `oci-layout`, `index.json` and `blobs`."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> "Layout":
        """Make an empty layout."""
        (path / "blobs" / "sha256").mkdir(parents=True)
        (path / LAYOUT_FILE).write_bytes(layout_file())
        (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": []}), encoding="utf-8")
        return cls(path)

    @classmethod
    def of_image(cls, path: Path, digest: Digest) -> "Layout":
        """Open a layout; raise `VerificationFailed` unless it lists an image, by the digest of its index."""
        layout = cls(path)
        if str(digest) not in {item["digest"] for item in layout.listed()}:
            raise VerificationFailed(
                f"{path} does not list the image {digest}",
                why=f"its index.json lists {len(layout.listed())} manifests",
                remedy="make the layout again: its blobs alone are not an image",
            )
        return layout

    def view(self, path: Path, manifest: Digest) -> "Layout":
        """Make a layout that lists one manifest of this one, and has its blobs without a copy of them."""
        path.mkdir()
        described = {"mediaType": MANIFEST, "digest": str(manifest), "size": len(self.read(manifest))}
        index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [described]}
        (path / "index.json").write_text(json.dumps(index), encoding="utf-8")
        (path / LAYOUT_FILE).write_bytes(layout_file())
        (path / "blobs").symlink_to((self.path / "blobs").resolve(), target_is_directory=True)
        return Layout(path)

    def only_image(self) -> Digest:
        """Return the digest of the one image index that it lists; raise `UsageError` when it lists another number."""
        found = {item["digest"] for item in self.listed() if item.get("mediaType") == INDEX_TYPE}
        if len(found) != 1:
            raise UsageError(
                f"{self.path} holds {len(found)} images",
                why=sorted(found),
                remedy="give a layout that lists one image index",
            )
        return Digest.parse(found.pop())

    def listed(self) -> list[dict[str, Any]]:
        """Return the descriptors of index.json; raise `VerificationFailed` when there is none to read."""
        file = self.path / "index.json"
        try:
            if not stat.S_ISREG(file.stat().st_mode) or file.stat().st_size > _LARGEST_LIST:
                raise ValueError("index.json is not a file, or too large")
            listed = json.loads(file.read_bytes())["manifests"]
            return [{**item, "digest": str(item["digest"])} for item in listed]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise VerificationFailed(
                f"{self.path} is not an OCI layout", why=f"{type(error).__name__}: {error}", remedy="name one that is"
            ) from error

    def blob(self, digest: Digest) -> Path:
        """Return where a blob is or would be."""
        return self.path / "blobs" / digest.algorithm / digest.hex

    def read(self, digest: Digest) -> bytes:
        """Return a blob's bytes, whatever they are; raise `VerificationFailed` when there are none."""
        file = self.blob(digest)
        try:
            found = file.stat()
            if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST_READ:
                why = f"it is not a file of less than {_LARGEST_READ} bytes"
                raise VerificationFailed(f"{digest} cannot be read in {self.path}", why=why)
            return file.read_bytes()
        except OSError as error:
            raise VerificationFailed(f"{digest} is missing from {self.path}", why=error.strerror or "") from error

    def described(self, manifest: Digest) -> dict[str, Any]:
        """Return the descriptor of a manifest that it has; raise `VerificationFailed` where it has none."""
        data = self.read(manifest)
        kind = checked_json(data, manifest, "a manifest").get("mediaType")
        return {"mediaType": kind, "digest": str(manifest), "size": len(data)}

    def put(self, data: bytes) -> Digest:
        """Write a blob, and return its digest."""
        digest = Digest.of(data)
        self.blob(digest).write_bytes(data)
        return digest

    def list_more(self, descriptors: Iterable[Mapping[str, Any]]) -> None:
        """List more descriptors in index.json, each once, behind those that are there."""
        every = {item["digest"]: dict(item) for item in (*self.listed(), *descriptors)}
        index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": list(every.values())}
        (self.path / "index.json").write_text(json.dumps(index, sort_keys=True), encoding="utf-8")

    def without(self, digests: Collection[Digest]) -> "Layout":
        """Have some manifests and blobs no longer; what others name of them is missing then."""
        left_out = {str(digest) for digest in digests}
        manifests = [item for item in self.listed() if item["digest"] not in left_out]
        index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests}
        (self.path / "index.json").write_text(json.dumps(index, sort_keys=True), encoding="utf-8")
        for digest in digests:
            self.blob(digest).unlink(missing_ok=True)
        return self

    def copy_to(self, path: Path) -> "Layout":
        """Return a copy that can be extended."""
        copy_layouts(self.path, path)
        return Layout(path)

    def image(self, digest: Digest) -> tuple[dict[str, Any], tuple[PlatformManifest, ...]]:
        """Return the descriptor of an image index, and its platforms; raise `VerificationFailed` when it is none."""
        data = self.read(digest)
        index = OciIndex.of(data, digest, "the image index")
        if index.media_type != INDEX_TYPE or not index.manifests or not all(each.is_whole for each in index.manifests):
            raise VerificationFailed(f"{digest} is not an image for several platforms", why="it lists none")
        platforms = tuple(PlatformManifest(platform_name(each.as_json()), each.pointer) for each in index.manifests)
        return {"mediaType": INDEX_TYPE, "digest": str(digest), "size": len(data)}, platforms

    def check_image(self, digest: Digest) -> int:
        """Check every byte of an image against its digests, and return how many blobs that were.

        Raises:
            VerificationFailed: a blob is missing or was altered; the message names the blob.
        """
        _, platforms = self.image(digest)
        seen: set[Digest] = {digest}
        for platform in platforms:
            what = f"the manifest for {platform.name}"
            manifest = OciManifest.of(self.read(platform.digest), platform.digest, what)
            self._check(manifest.config.digest, f"a configuration for {platform.name}")
            for layer in manifest.layers:
                self._check(layer.digest, f"a layer for {platform.name}")
            seen |= {platform.digest, manifest.config.digest, *(layer.digest for layer in manifest.layers)}
        return len(seen)

    def _check(self, digest: Digest, what: str) -> None:
        """Check a blob of any size without holding it in memory."""
        try:
            if not stat.S_ISREG(self.blob(digest).stat().st_mode):
                raise VerificationFailed(f"{what} is not a file: {digest}")
            actual = Digest.of_file(self.blob(digest))
        except OSError as error:
            raise VerificationFailed(f"{what} is missing: {digest}", why=error.strerror or "") from error
        if actual != digest:
            raise altered(what, digest, f"the digest of what is there is {actual}")
