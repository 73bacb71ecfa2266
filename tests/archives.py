"""Debian packages and wheels made by hand, so that a test can put into one what no tool would."""

import base64
import csv
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

CONTROL = b"Package: sample\nVersion: 1:2-3\nArchitecture: amd64\nDescription: sample\n"


def file(name: str, content: bytes = b"", mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    """Return a regular file for `deb`."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    return info, content


def special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    """Return a link, a device or a directory for `deb`."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def deb(members: Sequence[tuple[tarfile.TarInfo, bytes]], compression: str = "xz", control: bytes = CONTROL) -> bytes:
    """Return a Debian package with these files."""
    return packed(archive([file("./control", control)], compression), archive(members, compression), compression)


def packed(control: bytes, data: bytes, compression: str = "") -> bytes:
    """Return a Debian package of two archives, compressed already."""
    ending = f".{compression}" if compression else ""
    parts = {"debian-binary": b"2.0\n", f"control.tar{ending}": control, f"data.tar{ending}": data}
    return b"!<arch>\n" + b"".join(_member(name, data) for name, data in parts.items())


def _member(name: str, data: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
    return header + data + b"\n" * (len(data) % 2)


def archive(members: Sequence[tuple[tarfile.TarInfo, bytes]], compression: str = "") -> bytes:
    """Return a tar archive."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=f"w:{compression}") as archive:  # type: ignore[call-overload]
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


def wheel(
    directory: Path,
    name: str,
    files: Mapping[str, bytes | str],
    *,
    version: str = "1.0",
    tag: str = "py3-none-any",
    links: Mapping[str, str] | None = None,
    recorded: Mapping[str, bytes | None] | None = None,
) -> Path:
    """Write a wheel with these files, and with a RECORD that is true, but for files that are `recorded` otherwise."""
    information = f"{name}-{version}.dist-info"
    pure = str(tag.endswith("-any")).lower()
    every = {
        **{path: content.encode() if isinstance(content, str) else content for path, content in files.items()},
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{information}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: {pure}\nTag: {tag}\n".encode(),
    }
    said = {path: (recorded or {}).get(path, content) for path, content in every.items()}
    rows = [
        (path, f"sha256={_record_hash(content)}", len(content)) for path, content in said.items() if content is not None
    ]
    record = io.StringIO()
    csv.writer(record, lineterminator="\n").writerows([*rows, (f"{information}/RECORD", "", "")])
    every[f"{information}/RECORD"] = record.getvalue().encode()
    path = directory / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in every.items():
            archive.writestr(zipfile.ZipInfo(member), content)
        for member, target in (links or {}).items():
            info = zipfile.ZipInfo(member)
            info.external_attr = 0o120777 << 16
            archive.writestr(info, target)
    return path


def _record_hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
