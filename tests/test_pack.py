"""An evidence pack is the same bytes for the same content, and one that anybody has made harms nobody who opens it."""

import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.errors import UsageError, VerificationFailed
from shipseal.oci.pack import FORMAT, unpack, write

BLOB = f"layout/blobs/sha256/{'a' * 64}"
CONTENT = {BLOB: b"a layer", "layout/index.json": b"{}", "policy/verification.toml": b"x" * 5000}


def made(directory: Path) -> Path:
    write(directory / "a.pack", {"image": "sha256:…"}, CONTENT)
    return directory / "a.pack"


def test_what_goes_in_comes_out_and_any_tar_reads_it(tmp_path: Path) -> None:
    file = made(tmp_path)
    pack = unpack(file, tmp_path / "out")
    assert pack.about == {"image": "sha256:…", "format": FORMAT}
    assert {name: (tmp_path / "out" / name).read_bytes() for name in CONTENT} == CONTENT
    listed = subprocess.run(["tar", "tf", file], check=True, capture_output=True, text=True).stdout.split()
    assert listed == ["pack.json", *sorted(CONTENT)]


def test_the_same_content_gives_the_same_bytes_whatever_it_was_read_from(tmp_path: Path) -> None:
    first = made(tmp_path).read_bytes()
    (tmp_path / "layer").write_bytes(CONTENT[BLOB])
    (tmp_path / "layer").chmod(0o600)
    other: dict[str, bytes | Path] = {name: CONTENT[name] for name in reversed(CONTENT)}
    other[BLOB] = tmp_path / "layer"
    write(tmp_path / "b.pack", {"image": "sha256:…"}, other)
    assert (tmp_path / "b.pack").read_bytes() == first
    assert not list(tmp_path.glob("*.part"))


def test_a_name_that_no_pack_holds_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot hold"):
        write(tmp_path / "a.pack", {}, {"policy/../../x": b""})
    with pytest.raises(UsageError, match="cannot be written"):
        write(tmp_path / "nowhere" / "a.pack", {}, CONTENT)


def archive(entries: list[tuple[tarfile.TarInfo, bytes]], announced: list[dict[str, Any]] | None = None) -> bytes:
    """Return a tar archive as somebody else would write one, whose index announces what it is told to."""
    listed = announced if announced is not None else [entry(each.name, data) for each, data in entries]
    index = json.dumps({"format": FORMAT, "members": listed}).encode()
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for info, data in [(plain("pack.json"), index), *entries]:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        size = tar.offset
    return stream.getvalue()[:size] + bytes(1024)


def plain(name: str, **changes: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode = 0o444
    for key, value in changes.items():
        setattr(info, key, value)
    return info


def entry(name: str, data: bytes, **changes: Any) -> dict[str, Any]:
    return {"name": name, "digest": str(Digest.of(data)), "size": len(data), **changes}


INSIDE = "policy/a"
HOSTILE: dict[str, tuple[bytes, str]] = {
    "a way out": (archive([(plain("../x"), b"x")]), "which no pack holds"),
    "a way out of a part": (archive([(plain("policy/../../x"), b"x")]), "which no pack holds"),
    "an absolute path": (archive([(plain("/tmp/x"), b"x")]), "which no pack holds"),
    "a name with a line in it": (archive([(plain("policy/a\n"), b"x")]), "which no pack holds"),
    "a link": (
        archive([(plain(INSIDE, type=tarfile.SYMTYPE, linkname="/etc/passwd"), b"")]),
        "there is something else",
    ),
    "a hard link": (archive([(plain(INSIDE, type=tarfile.LNKTYPE, linkname="x"), b"")]), "there is something else"),
    "a device": (archive([(plain(INSIDE, type=tarfile.CHRTYPE), b"")]), "there is something else"),
    "a pipe": (archive([(plain(INSIDE, type=tarfile.FIFOTYPE), b"")]), "there is something else"),
    "a directory": (archive([(plain(INSIDE, type=tarfile.DIRTYPE), b"")]), "there is something else"),
    "a program": (archive([(plain(INSIDE, mode=0o4755), b"x")]), "there is something else"),
    "another name": (archive([(plain("policy/b"), b"x")], [entry(INSIDE, b"x")]), "there is something else"),
    "a name twice": (archive([(plain(INSIDE), b"x"), (plain(INSIDE), b"y")]), "a name twice"),
    "another order": (archive([(plain("policy/b"), b"x"), (plain(INSIDE), b"y")]), "out of order"),
    "other bytes": (archive([(plain(INSIDE), b"x")], [entry(INSIDE, b"y")]), "has other bytes"),
    "a size below nothing": (archive([], [entry(INSIDE, b"", size=-512)]), "a size that cannot be"),
    "a size beyond all bounds": (archive([], [entry(INSIDE, b"", size=10**30)]), "a size that cannot be"),
    "no digest": (archive([], [{"name": INSIDE, "size": 0, "digest": "md5:0"}]), "cannot be read|not a sha256"),
    "no list": (archive([], [1]), "cannot be read"),  # type: ignore[list-item]
}
USELESS: dict[str, tuple[bytes, str]] = {
    "a huge size": (archive([], [entry(INSIDE, b"", size=8**11 - 1)]), "is cut short"),
    "a member that is not announced": (archive([(plain(INSIDE), b"x")], []), "is longer than it says"),
    "nothing": (b"", "is not a valid evidence pack"),
    "zeros": (bytes(4096), "is not a valid evidence pack"),
    "text": (b"x" * 4096, "is not a valid evidence pack"),
    "another archive": (archive([])[512:], "is not a valid evidence pack"),
    "a huge index": (plain("pack.json", size=1 << 40).tobuf(tarfile.GNU_FORMAT), "is not a valid evidence pack"),
}


@pytest.mark.parametrize("name", [*HOSTILE, *USELESS])
def test_what_no_pack_holds_is_refused_and_nothing_is_written_elsewhere(name: str, tmp_path: Path) -> None:
    data, said = {**HOSTILE, **USELESS}[name]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.pack").write_bytes(data)
    with pytest.raises(VerificationFailed if name in HOSTILE else UsageError) as refused:
        unpack(tmp_path / "in" / "a.pack", tmp_path / "in" / "out")
    assert any(word in "\n".join((refused.value.what, *refused.value.why)) for word in said.split("|"))
    below = {path.relative_to(tmp_path).parts[:2] for path in tmp_path.rglob("*") if path.is_file()}
    assert below <= {("in", "a.pack"), ("in", "out")}
    assert not [path for path in tmp_path.rglob("*") if path.is_symlink()]


CUTS: dict[str, Callable[[bytes], bytes]] = {
    "in the index": lambda data: data[:600],
    "in a member": lambda data: data[: len(data) - 3000],
    "at the end": lambda data: data[:-1],
    "with more behind it": lambda data: data + b"x",
}


@pytest.mark.parametrize("cut", CUTS)
def test_one_that_is_cut_short_or_too_long_is_known_before_anything_is_written(cut: str, tmp_path: Path) -> None:
    file = made(tmp_path)
    file.write_bytes(CUTS[cut](file.read_bytes()))
    with pytest.raises((UsageError, VerificationFailed)) as refused:
        unpack(file, tmp_path / "out")
    assert refused.value.exit_code in {2, 6}
    assert not (tmp_path / "out").exists()


def test_each_byte_that_is_changed_is_noticed(tmp_path: Path) -> None:
    file, out = made(tmp_path), 0
    whole = file.read_bytes()
    for position in range(0, len(whole), 61):
        file.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        out += 1
        try:
            pack = unpack(file, tmp_path / f"out-{out}")
        except (UsageError, VerificationFailed):
            continue
        # What is left is a word of the index that is nobody's digest: the image's name.
        assert pack.about != {"image": "sha256:…", "format": FORMAT}
