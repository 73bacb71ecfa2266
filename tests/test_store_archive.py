"""Carrying a store in one file."""

import io
import tarfile
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.errors import ToolFailed, UsageError, VerificationFailed
from shipseal.locked.store import Store
from shipseal.locked.store_archive import export, import_

CONTENTS = [b"one", b"two" * 100_000, b"three"]
DIGESTS = [Digest.of(content) for content in CONTENTS]


@pytest.fixture
def full(tmp_path: Path) -> Store:
    """Give a store with three entries, the second of them a tool."""
    store = Store(tmp_path / "full")
    for number, content in enumerate(CONTENTS):
        store.receive(io.BytesIO(content), f"entry{number}", Digest.of(content), executable=number == 1)
    return store


def test_what_was_exported_is_the_same_when_imported(full: Store, tmp_path: Path) -> None:
    """Names, bytes and the right to be run arrive."""
    export(full, DIGESTS, tmp_path / "store.tar")
    other = Store(tmp_path / "other")
    assert import_(other, tmp_path / "store.tar") == 3
    assert [other.get(digest).read_bytes() for digest in DIGESTS] == CONTENTS
    assert [other.get(digest).name for digest in DIGESTS] == ["entry0", "entry1", "entry2"]
    assert [bool(other.get(digest).stat().st_mode & 0o100) for digest in DIGESTS] == [False, True, False]


def test_the_same_entries_give_the_same_file(full: Store, tmp_path: Path) -> None:
    """Neither the order asked for nor the time nor the store they lie in counts."""
    export(full, DIGESTS, tmp_path / "first.tar")
    other = Store(tmp_path / "other")
    import_(other, tmp_path / "first.tar")
    export(other, DIGESTS[::-1], tmp_path / "second.tar")
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()


def test_a_missing_entry_leaves_no_file(full: Store, tmp_path: Path) -> None:
    """A half-written export must not be carried anywhere."""
    with pytest.raises(ToolFailed):
        export(full, [*DIGESTS, Digest.of(b"absent")], tmp_path / "store.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


@pytest.mark.parametrize("kept", [0.3, 0.999])
def test_a_truncated_file_is_refused(full: Store, tmp_path: Path, kept: float) -> None:
    """Wherever the copy stopped: within an entry, or between two."""
    file = tmp_path / "store.tar"
    export(full, DIGESTS, file)
    with tarfile.open(file) as archive:
        last = archive.getmembers()[-1].offset
    file.write_bytes(file.read_bytes()[: last if kept > 0.9 else int(last * kept)])
    with pytest.raises(UsageError, match=r"ends before|cannot be read"):
        import_(Store(tmp_path / "other"), file)


def test_a_flipped_byte_in_the_file_is_refused(full: Store, tmp_path: Path) -> None:
    """The entry is not taken in."""
    file = tmp_path / "store.tar"
    export(full, DIGESTS, file)
    file.write_bytes(file.read_bytes().replace(b"twotwo", b"twoTwo", 1))
    other = Store(tmp_path / "other")
    with pytest.raises(VerificationFailed, match="entry1 is not what the lock names"):
        import_(other, file)
    assert not other.has(DIGESTS[1])


@pytest.mark.parametrize("name", ["../../etc/cron.d/evil", f"sha256/{'0' * 64}/unannounced", "/absolute"])
def test_a_member_that_the_index_does_not_announce_is_refused(full: Store, tmp_path: Path, name: str) -> None:
    """Nothing is ever written outside the store, whatever a file's members are called."""
    file = tmp_path / "store.tar"
    export(full, DIGESTS, file)
    with tarfile.open(file, "a") as archive:
        member = tarfile.TarInfo(name)
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))
    with pytest.raises(VerificationFailed, match="does not announce"):
        import_(Store(tmp_path / "other"), file)


def test_a_link_in_the_place_of_an_entry_is_refused(full: Store, tmp_path: Path) -> None:
    """Only regular files are entries."""
    file = tmp_path / "store.tar"
    export(full, DIGESTS[:1], file)
    with tarfile.open(file) as archive:
        index, entry = archive.getmembers()
        content = archive.extractfile(index)
        assert content is not None
        listing = content.read()
    with tarfile.open(file, "w") as archive:
        archive.addfile(index, io.BytesIO(listing))
        entry.type, entry.linkname, entry.size = tarfile.SYMTYPE, "/etc/passwd", 0
        archive.addfile(entry)
    with pytest.raises(VerificationFailed, match="does not announce"):
        import_(Store(tmp_path / "other"), file)


@pytest.mark.parametrize("content", [b"", b"not a tar file" * 100])
def test_a_file_that_is_no_export_is_refused(tmp_path: Path, content: bytes) -> None:
    """The message says how to make one."""
    file = tmp_path / "store.tar"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=r"no exported store|cannot be read"):
        import_(Store(tmp_path / "other"), file)


def test_a_file_that_cannot_be_written_is_said(full: Store, tmp_path: Path) -> None:
    """Before anything is copied."""
    with pytest.raises(UsageError, match="cannot be written"):
        export(full, DIGESTS, tmp_path / "absent" / "store.tar")
