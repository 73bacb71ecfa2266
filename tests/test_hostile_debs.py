"""Whatever the bytes of a Debian package are, it is unpacked below its root or refused, within bounds."""

import io
import lzma
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipseal.errors import ShipsealError, SubjectFailed
from shipseal.formats import deb
from shipseal.image.tree import Component, Tree, unpack_deb
from tests import archives

DEB = Component("deb", "sample", "1:2-3", "amd64")
# Two letters, so that names meet; and what programs have stumbled over.
PARTS = st.sampled_from(["a", "b", "..", ".", "", "é", "x" * 256, "a\n", "\udcff", "usr", "share", "doc", "copyright"])
NAMES = st.builds("/".join, st.lists(PARTS, min_size=1, max_size=4))
TARGETS = st.one_of(NAMES, st.builds("/usr/{}".format, NAMES), st.builds("../{}".format, NAMES))
ODD = (tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, b"Z")
KINDS = st.sampled_from([tarfile.REGTYPE] * 5 + [tarfile.SYMTYPE, tarfile.LNKTYPE] * 4 + [*ODD])
PAX = st.dictionaries(
    st.sampled_from(["path", "linkpath", "size", "mtime", "GNU.sparse.size", "GNU.sparse.map", "GNU.sparse.major"]),
    st.sampled_from(["1", "-1", "x", "1,2,3", "9" * 30, "../../b", "a\0b", "nan"]),
    max_size=2,
)


@st.composite
def members(draw: st.DrawFn) -> tuple[tarfile.TarInfo, bytes]:
    """Draw a member of an archive, which may be of any kind and lie about everything but its size."""
    info = tarfile.TarInfo(draw(NAMES))
    info.type, info.linkname = draw(KINDS), draw(TARGETS)
    info.mode = draw(st.sampled_from([0o644, 0o755, 0o7777, 0]))
    info.pax_headers = draw(PAX)
    content = draw(st.binary(max_size=600)) if info.isreg() else b""
    info.size = len(content)
    return info, content


def check(data: bytes) -> None:
    """Unpack a package; refuse in words, and touch nothing but the root."""
    with TemporaryDirectory() as scratch:
        here = Path(scratch)
        (here / "secret").write_text("of the build machine")
        (here / "sample.deb").write_bytes(data)
        tree, refused = Tree(here / "root"), None
        try:
            unpack_deb(tree, here / "sample.deb", DEB)
            for path, file in tree.files.items():
                assert (tree.root / path).is_symlink() == bool(file.link)
                assert file.link or b"of the build machine" not in tree.read(path)
        except ShipsealError as error:
            refused = error.exit_code
        assert refused in {None, 7}
        assert {"root", "sample.deb", "secret"} >= {path.name for path in here.iterdir()}
        assert (here / "secret").read_text() == "of the build machine"


quick = settings(max_examples=150, deadline=10_000, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(st.lists(members(), max_size=5), st.sampled_from(["xz", "gz"]))
def test_any_members_in_any_order_are_unpacked_or_refused(
    drawn: Sequence[tuple[tarfile.TarInfo, bytes]], kind: str
) -> None:
    check(archives.deb(drawn, kind))


SOUND = archives.deb([archives.file("./a", b"x" * 3000, 0o755), archives.special("./b", tarfile.SYMTYPE, "a")], "gz")
CONTROL = archives.archive([archives.file("./control", archives.CONTROL)])
PLAIN = archives.archive([archives.file("./a", b"x" * 512), archives.special("./c/b", tarfile.LNKTYPE, "./a")])
HEADERS = (0, 1024)


@quick
@given(st.lists(st.tuples(st.integers(0, 6000), st.integers(0, 255)), max_size=6), st.integers(0, 20_000))
def test_a_package_with_any_bytes_altered_or_cut_off_is_unpacked_or_refused(
    altered: Sequence[tuple[int, int]], length: int
) -> None:
    data = bytearray(SOUND)
    for at, value in altered:
        data[at % len(data)] = value
    check(bytes(data[:length]))


@quick
@given(
    st.sampled_from(HEADERS),
    st.sampled_from([(0, 100), (100, 8), (124, 12), (156, 1), (157, 100), (257, 8), (345, 155)]),
    st.one_of(
        st.binary(max_size=155), st.sampled_from([b"\xff" * 12, b"\x80" + b"\xff" * 11, b"7" * 12, b"-1", b"L", b"x"])
    ),
    st.booleans(),
)
def test_a_header_may_hold_anything(at: int, field: tuple[int, int], value: bytes, of_data: bool) -> None:
    """Write anything into one field of a header of the archive of control files or of data, with a true checksum."""
    data = bytearray(PLAIN if of_data else CONTROL)
    start, size = at + field[0] if of_data else field[0], field[1]
    data[start : start + size] = value[:size].ljust(size, b"\0")
    header = data[at if of_data else 0 :][:512]
    header[148:156] = b" " * 8
    data[(at if of_data else 0) + 148 :][:0] = b""
    data[(at if of_data else 0) + 148 : (at if of_data else 0) + 156] = b"%06o\0 " % sum(header)
    check(archives.packed(CONTROL, bytes(data)) if of_data else archives.packed(bytes(data), PLAIN))


def test_an_archive_that_ends_at_a_header_that_is_none_is_refused_and_not_taken_for_whole(tmp_path: Path) -> None:
    for rubbish in (b"rubbish" * 100, b""):
        (tmp_path / "sample.deb").write_bytes(archives.packed(CONTROL, PLAIN[:1024] + rubbish))
        root = tmp_path / f"root{len(rubbish)}"
        with pytest.raises(SubjectFailed, match=r"is damaged: data\.tar cannot be read"):
            unpack_deb(Tree(root), tmp_path / "sample.deb", DEB)


def test_a_package_without_a_control_file_is_refused() -> None:
    with pytest.raises(SubjectFailed, match="has no control file"):
        deb.control(io.BytesIO(archives.packed(PLAIN, PLAIN)), "sample.deb")


def test_a_file_that_says_it_is_larger_than_any_is_refused_before_it_is_read() -> None:
    info = tarfile.TarInfo("./a")
    info.size = 5 << 30
    with pytest.raises(SubjectFailed, match="brings more than a package may"):
        list(deb.members(io.BytesIO(archives.packed(CONTROL, info.tobuf())), "sample.deb"))
    with pytest.raises(SubjectFailed, match="brings more than a package may"):
        deb.control(io.BytesIO(archives.packed(info.tobuf(), PLAIN)), "sample.deb")


def test_a_package_of_countless_files_is_refused() -> None:
    many = lzma.compress(tarfile.TarInfo("./a").tobuf() * 50_001, preset=0)
    began = time.process_time()  # whatever else the machine has to do
    with pytest.raises(SubjectFailed, match="brings more than a package may"):
        list(deb.members(io.BytesIO(archives.packed(lzma.compress(CONTROL), many, "xz")), "sample.deb"))
    assert time.process_time() - began < 15


LIMITED = """
import sys
from pathlib import Path
from shipseal.errors import SubjectFailed
from shipseal.image.tree import Component, Tree, unpack_deb
try:
    unpack_deb(Tree(Path(sys.argv[2])), Path(sys.argv[1]), Component("deb", "sample", "1", "amd64"))
except SubjectFailed as error:
    print(error.what)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_SPARSE])
def test_what_describes_a_file_takes_no_memory_to_speak_of(tmp_path: Path, kind: bytes) -> None:
    """A pax header of 200 MB, in some 30 KB of xz, is refused by what it says of its size."""
    info = tarfile.TarInfo("./a")
    info.type, info.size = kind, 200 << 20
    xz, zeros = lzma.LZMACompressor(preset=0), bytes(1 << 20)
    data = xz.compress(info.tobuf()) + b"".join(xz.compress(zeros) for _ in range(200)) + xz.flush()
    (tmp_path / "sample.deb").write_bytes(archives.packed(lzma.compress(CONTROL), data, "xz"))
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "sample.deb"), str(tmp_path / "root")]
    said, kilobytes = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert said == "sample.deb is damaged: data.tar.xz cannot be read"
    assert int(kilobytes) < 120_000
    assert not (tmp_path / "root").exists()


def test_a_dictionary_that_nobody_needs_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    data = lzma.LZMACompressor(filters=filters)
    small = bytearray(data.compress(PLAIN) + data.flush())
    with pytest.raises(SubjectFailed, match="is damaged") as caught:
        list(deb.members(io.BytesIO(archives.packed(lzma.compress(CONTROL), bytes(small), "xz")), "sample.deb"))
    assert caught.value.why == ("Memory usage limit exceeded",)
