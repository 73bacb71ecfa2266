"""Documents and layers depend on what is in them and on nothing else, and other programs can read them."""

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from shipseal.canonical import canonical
from shipseal.digest import Digest
from shipseal.errors import SubjectFailed, UsageError
from shipseal.oci import documents
from shipseal.oci.documents import ContainerConfig, Descriptor, Layer
from shipseal.oci.layer import Entry, check, tar
from shipseal.platforms import Platform

SMALL = (
    Entry("usr/bin/tool", b"#!", executable=True),
    Entry("etc/name", b"value\n"),
    Entry("etc/link", link="name"),
)
# What every Python and every machine must come to. Another value means: raise oci.FORMAT.
SMALL_TAR = "sha256:8c47015631686d2d81244918f24f37e08c9ff798a9734ee9d87dc75fff0acdf5"
SMALL_GZIP = "sha256:8f38c8e6ded7a73f5fb489ba0992c97edb01d4b70d1fcd81cb4cb94e10971344"


def gzipped(chunks: Iterable[bytes]) -> Iterator[bytes | bytearray]:
    """Yield gzip members as the writer makes them."""
    return map(documents.compress, documents.cut(chunks))


def whole(entries: Sequence[Entry]) -> bytes:
    return b"".join(tar(entries))


def test_a_layer_has_the_same_bytes_as_when_this_format_was_fixed() -> None:
    raw = whole(SMALL)
    assert (str(Digest.of(raw)), str(Digest.of(b"".join(gzipped([raw]))))) == (SMALL_TAR, SMALL_GZIP)


def test_the_order_of_entries_does_not_count() -> None:
    assert whole(SMALL) == whole(SMALL[::-1])


def test_every_directory_is_an_entry_before_what_is_in_it() -> None:
    with tarfile.open(fileobj=io.BytesIO(whole(SMALL))) as archive:
        names = [(info.name, info.isdir()) for info in archive]
    assert names == [
        ("etc", True),
        ("etc/link", False),
        ("etc/name", False),
        ("usr", True),
        ("usr/bin", True),
        ("usr/bin/tool", False),
    ]


def test_owners_and_times_are_zero_and_modes_are_one_of_two() -> None:
    with tarfile.open(fileobj=io.BytesIO(whole(SMALL))) as archive:
        infos = list(archive)
    assert {(0, 0, 0, "", "")} == {(info.uid, info.gid, info.mtime, info.uname, info.gname) for info in infos}
    assert {info.name: info.mode for info in infos if info.isreg()} == {"etc/name": 0o644, "usr/bin/tool": 0o755}


def test_modes_and_times_of_the_source_file_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"value\n")
    path.chmod(0o600)
    os.utime(path, (1, 1))
    assert whole([Entry("etc/name", b"value\n")]) == whole([Entry("etc/name", path)])


def test_the_systems_own_tar_reads_a_long_name_that_is_not_ascii(tmp_path: Path) -> None:
    name = "a/" + "ä" * 120 + "/" + "b" * 90
    (tmp_path / "layer.tar").write_bytes(whole([Entry(name, b"content")]))
    subprocess.run(["tar", "-xf", "layer.tar"], cwd=tmp_path, check=True, env={"LC_ALL": "C.UTF-8", **os.environ})
    assert (tmp_path / name).read_bytes() == b"content"


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([[Entry("../etc/passwd")]], "not a path"),
        ([[Entry("/etc/passwd")]], "not a path"),
        ([[Entry("a//b")]], "not a path"),
        ([[Entry("a\\b")]], "not a path"),
        ([[Entry("a\nb")]], "not a path"),
        ([[Entry("a/link", link="/etc/passwd")]], "leaves the image"),
        ([[Entry("a/link", link="../../etc/passwd")]], "leaves the image"),
        ([[Entry("a/link", link="b/../../../etc")]], "leaves the image"),
        ([[Entry("a")], [Entry("a")]], "two packages bring a"),
        ([[Entry("a"), Entry("a")]], "two packages bring a"),
        ([[Entry("etc/Name"), Entry("etc/name")]], "etc/Name and etc/name differ in case only"),
        ([[Entry("a/B/one")], [Entry("a/b/two")]], "a/B and a/b differ in case only"),
        ([[Entry("a", b"file")], [Entry("a/b")]], "lies below a"),
    ],
)
def test_a_tree_that_not_every_machine_would_unpack_alike_is_refused_by_name(
    layers: list[list[Entry]], message: str
) -> None:
    with pytest.raises(SubjectFailed, match=message):
        check(layers)


def test_a_link_that_stays_inside_is_allowed() -> None:
    check([[Entry("usr/lib/a/link", link="../../bin/tool"), Entry("usr/bin/tool")]])


@pytest.mark.parametrize("piece", [1 << 10, 1_000_003, documents.MEMBER, documents.MEMBER + 1])
def test_compressed_bytes_do_not_depend_on_how_the_stream_was_cut(piece: int) -> None:
    content = bytes(documents.MEMBER - 1) + b"across the border of two members" + bytes(1 << 20)
    compressed = b"".join(gzipped(content[at : at + piece] for at in range(0, len(content), piece)))
    assert Digest.of(compressed) == Digest.of(b"".join(gzipped([content])))
    assert gzip.decompress(compressed) == content


def test_no_member_says_when_or_on_which_system_it_was_written() -> None:
    for member in gzipped([bytes(documents.MEMBER + 1)]):
        assert member[4:8] == bytes(4), "the time (RFC 1952, section 2.3.1)"
        assert member[9] == 255, "the system: unknown"


def test_memory_does_not_grow_with_the_layer(tmp_path: Path) -> None:
    (tmp_path / "big").touch()
    os.truncate(tmp_path / "big", 200 << 20)
    program = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from shipseal.oci import documents\nfrom shipseal.oci.layer import Entry, tar\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "sum(len(documents.compress(piece)) for piece in documents.cut(tar([Entry('big', Path(sys.argv[1]))])))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    grown = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "big"], check=True, capture_output=True, text=True
    ).stdout
    assert int(grown) < 40 * 1024, "KiB"


LAYER = Layer("runtime", Descriptor(documents.LAYER, Digest.of(b"gz"), 2), Digest.of(b"tar"))
RUNTIME = ContainerConfig(("/bin/app",), {"B": "2", "A": "1"}, 8080, "65532:65532", {"title": "app"})


def test_a_configuration_names_no_time_and_no_history() -> None:
    document = json.loads(documents.config("linux/amd64", RUNTIME, [LAYER]))
    assert {"architecture", "os", "config", "rootfs"} == document.keys()
    assert document["config"]["Env"] == ["A=1", "B=2"]
    assert [str(LAYER.diff_id)] == document["rootfs"]["diff_ids"]


def test_arm64_is_named_with_its_variant() -> None:
    entry = Descriptor(documents.MANIFEST, Digest.of(b""), 0, platform="linux/arm64").document()
    assert entry["platform"] == {"os": "linux", "architecture": "arm64", "variant": "v8"}


@pytest.mark.parametrize("platform", ["windows/amd64", "linux/s390x", "linux", ""])
def test_a_platform_that_is_not_written_here_is_refused(platform: str) -> None:
    with pytest.raises(UsageError, match="no image can be made"):
        Platform.parse(platform)


def test_documents_are_canonical_json() -> None:
    assert canonical({"b": 1, "a": "ä"}) == '{"a":"ä","b":1}'.encode()
