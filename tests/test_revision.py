"""The files of a commit come out of a clone as they were committed, and nothing that its owner has prepared runs."""

import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from dulwich.objects import Blob, Commit, ShaFile, Tree
from dulwich.repo import Repo

from shipseal.errors import UsageError, VerificationFailed
from shipseal.project.checkout import work_tree
from shipseal.project.revision import take
from shipseal.project.worktree import compare
from tests.conftest import commit

FILE, LINK = 0o100644, 0o120000


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Give a clone with a program, a link, a deep file and a file that later commits change."""
    root = tmp_path / "clone"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "deep").write_text("deep\n")
    (root / "program").write_text("#!/bin/sh\n")
    (root / "program").chmod(0o755)
    (root / "link").symlink_to("a/b/deep")
    (root / "odd ünd\n").write_text("odd\r\n")
    commit(root)
    return root


def head(root: Path) -> str:
    done = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_the_files_of_the_commit_come_out_whatever_lies_in_the_clone(clone: Path, tmp_path: Path) -> None:
    before, tree = head(clone), work_tree(clone)
    assert tree
    wanted = compare(tree).tree
    (clone / "a" / "b" / "deep").write_text("changed\n")
    commit(clone)
    (clone / "program").unlink()
    take(clone, before, tmp_path / "taken")
    taken = work_tree(tmp_path / "taken")
    assert taken
    found = compare(taken)
    assert (found.tree, found.changed) == (wanted, ())
    assert head(tmp_path / "taken") == before
    assert (tmp_path / "taken" / "program").stat().st_mode & stat.S_IXUSR
    assert (tmp_path / "taken" / "link").readlink() == Path("a/b/deep")
    status = subprocess.run(
        ["git", "-C", tmp_path / "taken", "status", "--porcelain"], check=True, capture_output=True, text=True
    )
    assert status.stdout == ""


def test_nothing_that_its_owner_has_prepared_runs(clone: Path, tmp_path: Path) -> None:
    (clone / ".gitattributes").write_text("* filter=evil diff=evil\n")
    commit(clone)
    before, marker, evil = head(clone), tmp_path / "ran", tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {marker}\ncat\n")
    evil.chmod(0o755)
    for hook in ("post-checkout", "post-index-change", "reference-transaction", "fsmonitor-watchman"):
        (clone / ".git" / "hooks" / hook).write_text(evil.read_text())
        (clone / ".git" / "hooks" / hook).chmod(0o755)
    with (clone / ".git" / "config").open("a") as config:
        config.write(f"[core]\n\tfsmonitor = {evil}\n\thooksPath = .git/hooks\n\tsshCommand = {evil}\n")
        config.write(f'[filter "evil"]\n\tsmudge = {evil}\n\tclean = {evil}\n\tprocess = {evil}\n\trequired = true\n')
    take(clone, before, tmp_path / "taken")
    assert not marker.exists()
    assert (tmp_path / "taken" / "a" / "b" / "deep").read_text() == "deep\n"
    assert "evil" not in (tmp_path / "taken" / ".git" / "config").read_text()
    subprocess.run([evil], input=b"", check=True)
    assert marker.exists(), "it would have been seen"


def test_a_commit_that_is_not_there_is_not_built(clone: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not have"):
        take(clone, "0" * 40, tmp_path / "taken")
    for number, name in enumerate(("HEAD", "main", "../../x", "", "A" * 40)):
        with pytest.raises(UsageError, match="names no commit"):
            take(clone, name, tmp_path / f"taken-{number}")
    with pytest.raises(UsageError, match="is not a git clone"):
        take(tmp_path, head(clone), tmp_path / "again")


def made(clone: Path, entries: Iterable[tuple[bytes, int, ShaFile]]) -> str:
    """Commit a tree as no git would write it."""
    repository = Repo(str(clone))
    raw = b""
    for name, mode, item in entries:
        repository.object_store.add_object(item)
        raw += b"%o %s\0%s" % (mode, name, bytes.fromhex(item.id.decode()))
    tree = ShaFile.from_raw_string(Tree.type_num, raw)
    repository.object_store.add_object(tree)
    made = Commit()
    made.tree, made.author, made.committer, made.message = tree.id, b"a <a@b>", b"a <a@b>", b"made"
    made.author_time = made.commit_time = made.author_timezone = made.commit_timezone = 0
    repository.object_store.add_object(made)
    repository.close()
    return made.id.decode()


BLOB, LINKED = Blob.from_string(b"x"), Blob.from_string(b"/tmp")


@pytest.mark.parametrize(
    "entries",
    [
        [(b"..", FILE, BLOB)],
        [(b".git", FILE, BLOB)],
        [(b".GIT", FILE, BLOB)],
        [(b"../x", FILE, BLOB)],
        [(b"/x", FILE, BLOB)],
        [(b"", FILE, BLOB)],
        [(b"a", LINK, LINKED), (b"a", FILE, BLOB)],
        [(b"a", 0o040000, BLOB)],
        [(b"a", LINK, Blob.from_string(b"x\0y"))],
    ],
)
def test_a_tree_that_no_git_would_write_is_refused_and_writes_nothing_elsewhere(
    clone: Path, tmp_path: Path, entries: list[tuple[bytes, int, ShaFile]]
) -> None:
    name = made(clone, entries)
    before = {path for path in tmp_path.rglob("*") if "taken" not in path.parts}
    with pytest.raises(VerificationFailed):
        take(clone, name, tmp_path / "taken")
    assert {path for path in tmp_path.rglob("*") if "taken" not in path.parts} == before


def test_an_object_that_is_not_what_its_name_says_is_refused(clone: Path, tmp_path: Path) -> None:
    name, other = made(clone, [(b"a", FILE, BLOB)]), Blob.from_string(b"something else")
    repository = Repo(str(clone))
    repository.object_store.add_object(other)
    repository.close()
    objects = clone / ".git" / "objects"
    places = [objects / each.id[:2].decode() / each.id[2:].decode() for each in (BLOB, other)]
    places[1].replace(places[0])
    with pytest.raises(VerificationFailed, match="was altered"):
        take(clone, name, tmp_path / "taken")
