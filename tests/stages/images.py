"""Small images with real Debian and Python package records, made by a stage that stands where `image` does."""

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from shipseal.digest import Digest
from shipseal.documents.image import (
    ClosureDocument,
    ClosurePlatform,
    ImageDocument,
    OfferedDocument,
    OfferedPlatform,
)
from shipseal.engine.stage import Context, Stage

OS_RELEASE = """PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
ID=debian
"""
SOURCES = {"zlib1g": "zlib", "libexpat1": "expat", "libc6": "glibc", "python3.11-minimal": "python3.11"}
SITE = "opt/site"
# What the packages of a small image would bring besides, and it has left out.
OFFERED = OfferedPlatform(
    files=(
        *("lib/x86_64-linux-gnu/libc.so.6", "lib/x86_64-linux-gnu/libz.so.1"),
        *("usr/lib/python3.11/tarfile.py", "usr/lib/python3.11/venv/__init__.py"),
    ),
    inside=(),
    symbols={},
)


@dataclass(frozen=True)
class SmallImage:
    """An image in the making: package versions, further files of its own, and what goes wrong with it."""

    debian: Mapping[str, str] = field(
        default_factory=lambda: {
            "base-files": "12.4+deb12u15",
            "libc6": "2.36-9+deb12u14",
            "libexpat1": "2.5.0-1+deb12u5",
            "zlib1g": "1:1.2.13.dfsg-1",
        }
    )
    python: Mapping[str, str] = field(default_factory=lambda: {"waitress": "3.0.2"})
    more: Mapping[str, bytes] = field(default_factory=dict)
    platforms: tuple[str, ...] = ("linux/amd64", "linux/arm64")
    directories: bool = True
    hidden: tuple[str, ...] = ()
    stray: Mapping[str, bytes] = field(default_factory=dict)

    def having(self, **changes: Any) -> Self:
        """Return the same image with something changed."""
        return replace(self, **changes)

    def stage(self) -> Stage:
        """Return a stage named `image` that writes this one."""

        async def image(context: Context) -> str:
            self.document(context.out / "layout").write(context)
            closure = ClosurePlatform(needed={}, left_out={}, made={})
            ClosureDocument(dict.fromkeys(self.platforms, closure)).write(context)
            OfferedDocument(dict.fromkeys(self.platforms, OFFERED)).write(context)
            return "a small image"

        return Stage("image", image)

    def document(self, layout: Path) -> ImageDocument:
        """Write the layout and say what the image is."""
        return ImageDocument.parse(json.dumps(self.write(layout)).encode())

    def write(self, layout: Path) -> dict[str, Any]:
        """Write the layout and return what `image.json` says, to be changed at will."""
        (layout / "blobs" / "sha256").mkdir(parents=True)
        (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        platforms = {platform: self._platform(layout, platform) for platform in self.platforms}
        entries = [
            _descriptor("manifest", platforms[platform]["digest"], platforms[platform]["size"])
            for platform in platforms
        ]
        index = {"schemaVersion": 2, "mediaType": _type("index"), "manifests": entries}
        digest, size = blob(layout, json.dumps(index).encode())
        (layout / "index.json").write_text(
            json.dumps({"schemaVersion": 2, "manifests": [_descriptor("index", str(digest), size)]})
        )
        return {
            "format": 2,
            "reference": f"registry.example/acme/sample@{digest}",
            "digest": str(digest),
            "platforms": platforms,
            "service": {"name": "sample", "version": "1"},
        }

    def _platform(self, layout: Path, platform: str) -> dict[str, Any]:
        files, packages = self._contents(platform.rpartition("/")[2])
        raw = tar(files, directories=self.directories)
        layer, layer_size = blob(layout, gzip.compress(raw, mtime=0))
        diff_id = Digest.of(raw)
        config = {
            "architecture": platform.rpartition("/")[2],
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [str(diff_id)]},
        }
        config_digest, config_size = blob(layout, json.dumps(config).encode())
        manifest = {
            "schemaVersion": 2,
            "mediaType": _type("manifest"),
            "config": _descriptor("config", str(config_digest), config_size),
            "layers": [_descriptor("layer", str(layer), layer_size)],
        }
        digest, size = blob(layout, json.dumps(manifest).encode())
        return {
            "digest": str(digest),
            "size": size,
            "layers": [{"name": "all", "digest": str(layer), "diff_id": str(diff_id), "size": layer_size}],
            "packages": packages,
            "generated": ["etc/passwd", *self.more],
            "files": len(files),
        }

    def _contents(self, architecture: str) -> tuple[dict[str, bytes | str], list[dict[str, Any]]]:
        """Return the files (a text is where a link points) and the packages that own them."""
        files: dict[str, bytes | str] = {
            "etc/passwd": b"nonroot:x:65532:65532::/:/sbin/nologin\n",
            **self.more,
            **self.stray,
        }
        packages = []
        for name, version in self.debian.items():
            own: dict[str, bytes | str] = {f"usr/share/doc/{name}/copyright": b"see upstream\n"}
            if name == "base-files":
                own |= {"usr/lib/os-release": OS_RELEASE.encode(), "etc/os-release": "../usr/lib/os-release"}
            own |= _dpkg(name, version, architecture, own)
            files |= own
            purl = f"pkg:deb/debian/{name}@{version}?arch={architecture}&distro=debian-12"
            packages.append(_package(purl, name, version, "deb", own))
        for name, version in self.python.items():
            metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
            info = f"{SITE}/{name}-{version}.dist-info"
            own = {f"{info}/METADATA": metadata, f"{info}/RECORD": b"", f"{SITE}/{name}/__init__.pyc": b"\xa7\r\r\n"}
            files |= own
            packages.append(_package(f"pkg:pypi/{name}@{version}", name, version, "pypi", own))
        return {path: content for path, content in files.items() if path not in self.hidden}, packages


def _package(purl: str, name: str, version: str, kind: str, own: Mapping[str, object]) -> dict[str, Any]:
    return {"purl": purl, "name": name, "version": version, "type": kind, "files": sorted(own)}


def _dpkg(name: str, version: str, architecture: str, own: Mapping[str, object]) -> dict[str, bytes]:
    control = (
        f"Package: {name}\nSource: {SOURCES.get(name, name)}\nVersion: {version}\nArchitecture: {architecture}\n"
        "Maintainer: Nobody <nobody@example.invalid>\nDescription: a package\n"
    )
    sums = "".join(f"{'0' * 32}  {path}\n" for path, content in sorted(own.items()) if isinstance(content, bytes))
    return {f"var/lib/dpkg/status.d/{name}": control.encode(), f"var/lib/dpkg/status.d/{name}.md5sums": sums.encode()}


def tar(files: Mapping[str, bytes | str], *, directories: bool) -> bytes:
    """Return a layer: a text is where a link points."""
    buffer = io.BytesIO()
    parents = {str(parent) for path in files for parent in Path(path).parents} - {"."}
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted({*files, *(parents if directories else ())}):
            entry, content = tarfile.TarInfo(path), files.get(path)
            if content is None:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            elif isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
            else:
                entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content) if isinstance(content, bytes) else None)
    return buffer.getvalue()


def _type(kind: str) -> str:
    suffix = {"layer": "layer.v1.tar+gzip"}.get(kind, f"{kind}.v1+json")
    return f"application/vnd.oci.image.{suffix}"


def _descriptor(kind: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": _type(kind), "digest": digest, "size": size}


def blob(layout: Path, data: bytes) -> tuple[Digest, int]:
    """Write a blob into a layout, and return its digest and size."""
    digest = Digest.of(data)
    (layout / "blobs" / "sha256" / digest.hex).write_bytes(data)
    return digest, len(data)
