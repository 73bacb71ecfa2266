"""The content-addressed store."""

import io
import os
import shutil
import stat
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.errors import ToolFailed, UsageError, VerificationFailed
from shipseal.locked.store import Store, default_root
from shipseal.locked.store_cleaning import in_use, remove, stale, unused_by_others
from shipseal.project.config import HOME

CONTENT = b"the bytes of a wheel"
DIGEST = Digest.of(CONTENT)


@pytest.fixture
def empty(tmp_path: Path) -> Store:
    """Give a store whose directory does not exist yet."""
    return Store(tmp_path / "cache" / "store")


def receive(store: Store, content: bytes = CONTENT, name: str = "some.whl") -> Path:
    return store.receive(io.BytesIO(content), name, Digest.of(content))


HEAD = """
import io, subprocess, sys
from pathlib import Path
from shipseal.digest import Digest
from shipseal.errors import ShipsealError
from shipseal.locked.store import Store
store = Store(Path(sys.argv[1]))
"""


def script(body: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
    """Start Python with a body that has `store`, of the directory that the first argument names."""
    command = [sys.executable, "-c", HEAD + textwrap.dedent(body), *map(str, arguments)]
    return subprocess.Popen(command, cwd=HOME, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_an_entry_lies_under_its_digest_with_its_own_name(empty: Store) -> None:
    """The layout is the contract with other checkouts and other versions: sha256/HEX/FILENAME."""
    assert receive(empty) == empty.root / "sha256" / DIGEST.hex / "some.whl"
    assert empty.get(DIGEST).read_bytes() == CONTENT
    assert empty.filename(DIGEST) == "some.whl"


def test_looking_for_an_entry_writes_nothing(empty: Store) -> None:
    """Asking a store that does not exist leaves it so."""
    assert not empty.has(DIGEST)
    assert list(empty.entries()) == []
    assert not empty.root.exists()


def test_an_entry_that_is_missing_is_a_tool_failure_with_the_remedy(empty: Store) -> None:
    """The message says what to type."""
    with pytest.raises(ToolFailed, match="is not in the store") as raised:
        empty.get(DIGEST)
    assert "store fetch" in raised.value.remedy


def test_bytes_that_the_digest_does_not_name_are_refused_on_the_way_in(empty: Store) -> None:
    """Nothing of them stays behind, under any name."""
    with pytest.raises(VerificationFailed, match=r"some\.whl is not what the lock names"):
        empty.receive(io.BytesIO(b"others"), "some.whl", DIGEST)
    assert [path for path in empty.root.rglob("*") if path.is_file()] == []


def test_a_flipped_byte_is_refused_on_use(empty: Store) -> None:
    """An entry is hashed again each time it is asked for."""
    path = receive(empty)
    path.chmod(0o644)
    path.write_bytes(b"The bytes of a wheel")
    with pytest.raises(VerificationFailed, match=r"some\.whl was altered in the store"):
        empty.get(DIGEST)


def test_an_altered_entry_is_replaced_by_the_right_bytes(empty: Store) -> None:
    """That is what `store fetch` does with one."""
    receive(empty).unlink()
    (empty.root / "sha256" / DIGEST.hex / "other.whl").write_bytes(b"something else")
    assert receive(empty).name == "some.whl"
    assert empty.get(DIGEST).read_bytes() == CONTENT
    assert list(empty.root.glob("arriving-*")) == []


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden", "-rf", "a\nb", "ü.whl"])
def test_a_name_that_is_no_plain_file_name_is_refused(empty: Store, name: str) -> None:
    """Names come from mirrors and archives."""
    with pytest.raises(VerificationFailed, match="not a file name"):
        empty.receive(io.BytesIO(CONTENT), name, DIGEST)


def test_modes_do_not_depend_on_the_umask(empty: Store, tmp_path: Path) -> None:
    """Another user of a shared store can read every entry and run every tool, whatever umask the first one had."""
    tool = tmp_path / "tool"
    tool.write_bytes(CONTENT)
    tool.chmod(0o700)
    before = os.umask(0o077)
    try:
        path = empty.add(tool, DIGEST)
        plain = receive(empty, b"plain")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o555
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o755
    assert stat.S_IMODE(plain.stat().st_mode) == 0o444


def test_runs_that_fill_a_store_at_once_leave_each_entry_once_and_whole(empty: Store) -> None:
    """Four processes add the same forty entries, each in another order."""
    body = """
        order = sorted(range(40), key=lambda number: (number * int(sys.argv[2])) % 41)
        for number in order:
            content = str(number).encode() * 50_000
            store.receive(io.BytesIO(content), f"entry{number}", Digest.of(content))
    """
    runs = [script(body, empty.root, str(factor)) for factor in (1, 3, 7, 40)]
    assert [run.wait() for run in runs] == [0, 0, 0, 0]
    for run in runs:
        run.communicate()
    assert sorted(entry.path.name for entry in empty.entries()) == sorted(f"entry{number}" for number in range(40))
    assert all(empty.intact(entry.digest) for entry in empty.entries())
    assert list(empty.root.glob("arriving-*")) == []


def test_a_run_that_is_killed_while_it_writes_leaves_no_entry(empty: Store) -> None:
    """The half-written file is not found by its digest; the next run simply adds it."""
    content = b"x" * (4 << 20)
    body = "store.receive(sys.stdin.buffer, 'big.whl', Digest('sha256', sys.argv[2]))"
    run = script(body, empty.root, Digest.of(content).hex)
    assert run.stdin is not None
    run.stdin.write(content[: 2 << 20])
    run.stdin.flush()
    while not list(empty.root.glob("arriving-*/big.whl")):
        assert run.poll() is None
    run.kill()
    run.communicate()
    assert not empty.has(Digest.of(content))
    assert receive(empty, content, "big.whl").is_file()


def test_what_a_killed_run_left_is_removed_after_a_day(empty: Store) -> None:
    """Until then it may belong to a run that is still writing."""
    receive(empty)
    old, young = empty.root / "arriving-old", empty.root / "arriving-young"
    old.mkdir()
    young.mkdir()
    os.utime(old, (0, 0))
    remove(empty, [])
    assert (old.exists(), young.exists()) == (False, True)


def test_what_is_not_to_be_kept_and_was_not_used_is_removed_and_nothing_else(empty: Store) -> None:
    """Whoever asks for an entry has used it, be it only to see whether it is there."""
    for data in (b"unwanted", b"asked for", b"read"):
        receive(empty, data)
    receive(empty)
    for entry in empty.entries():
        os.utime(entry.path.parent, (0, 0))
    empty.has(Digest.of(b"asked for"))
    empty.get(Digest.of(b"read"))
    found = stale(empty, {DIGEST}, timedelta(days=30))
    assert [(entry.digest, entry.size) for entry in found] == [(Digest.of(b"unwanted"), 8)]
    remove(empty, found)
    there = {DIGEST, Digest.of(b"asked for"), Digest.of(b"read")}
    assert {entry.digest for entry in empty.entries()} == there


def test_a_store_is_not_cleaned_while_a_run_is_using_it(empty: Store) -> None:
    with in_use(empty), in_use(empty), pytest.raises(UsageError, match="a run is using the store"):
        unused_by_others(empty).__enter__()
    with unused_by_others(empty):
        pass


def test_where_no_store_can_be_made_a_run_says_so_itself(tmp_path: Path) -> None:
    """Holding it is no reason to fail before somebody asks for an entry, and can say which."""
    (tmp_path / "file").touch()
    with in_use(Store(tmp_path / "file" / "store")):
        pass


IN_A_NAMESPACE = ("unshare", "--map-root-user", "--mount")
namespaces = pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run([*IN_A_NAMESPACE, "true"], check=False).returncode != 0,
    reason="this machine does not let us mount in a namespace",
)


def mounted(tmp_path: Path, body: str, size: str) -> str:
    """Run a body with a store on a file system of its own; return what it printed."""
    mount = f"subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size={size}', 'tmpfs', sys.argv[1]], check=True)\n"
    command = [*IN_A_NAMESPACE, sys.executable, "-c", HEAD + mount + textwrap.dedent(body), str(tmp_path)]
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=True)
    return done.stdout


@namespaces
def test_a_full_disk_is_said_and_leaves_no_entry(tmp_path: Path) -> None:
    """A real file system of 64 kB, and a file of a megabyte."""
    body = """
        content = b"x" * (1 << 20)
        try:
            store.receive(io.BytesIO(content), "big.whl", Digest.of(content))
        except ShipsealError as failure:
            print(failure.explain())
        print(store.has(Digest.of(content)), [path.name for path in store.root.glob("arriving-*")])
    """
    said = mounted(tmp_path, body, "64k")
    assert f"no space left in the store {tmp_path} for big.whl" in said
    assert "--store" in said
    assert said.endswith("False []\n")


@namespaces
def test_a_read_only_store_gives_what_it_has_and_says_that_it_cannot_take(tmp_path: Path) -> None:
    """A real read-only file system: root's rights do not help."""
    body = """
        store.receive(io.BytesIO(b"here"), "here.whl", Digest.of(b"here"))
        subprocess.run(["mount", "-o", "remount,ro", sys.argv[1]], check=True)
        print(store.get(Digest.of(b"here")).read_bytes())
        print(store.receive(io.BytesIO(b"here"), "here.whl", Digest.of(b"here")).name)
        try:
            store.receive(io.BytesIO(b"new"), "new.whl", Digest.of(b"new"))
        except ShipsealError as failure:
            print(type(failure).__name__, failure.explain())
    """
    lines = mounted(tmp_path, body, "1m").splitlines()
    assert lines[:2] == ["b'here'", "here.whl"]
    assert lines[2] == f"UsageError error: the store {tmp_path} cannot be written (new.whl)"


def test_a_path_that_is_no_directory_is_said(tmp_path: Path) -> None:
    """A typing mistake in --store must not look like an empty store."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be read"):
        Store(tmp_path / "file").has(DIGEST)


def test_the_store_of_a_user_is_below_the_cache_that_the_user_has_chosen() -> None:
    """XDG base directory specification, XDG_CACHE_HOME; an empty value counts as none."""
    assert default_root({"XDG_CACHE_HOME": "/c", "HOME": "/h"}) == Path("/c/supply-chain-pipeline/store")
    assert default_root({"XDG_CACHE_HOME": "", "HOME": "/h"}) == Path("/h/.cache/supply-chain-pipeline/store")


def test_a_users_own_store_is_closed_to_others_and_a_lock_that_is_a_link_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can open a lock can hold it for ever."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    own = Store(default_root(os.environ))
    os.close(own.open_lock("filling.lock"))
    assert stat.S_IMODE(own.root.parent.stat().st_mode) == 0o700
    (own.root / "filling.lock").unlink()
    (own.root / "filling.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="cannot be written"):
        own.open_lock("filling.lock")
    assert not (tmp_path / "elsewhere").exists()
