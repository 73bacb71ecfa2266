"""A digest is a sha256 of bytes, and a reference names one."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shipseal.digest import Digest, Reference
from shipseal.errors import VerificationFailed

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_digest_of_nothing_is_the_known_one(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert str(Digest.of(b"")) == EMPTY
    assert str(Digest.of_file(tmp_path / "empty")) == EMPTY
    assert Digest.parse(EMPTY) == Digest.of(b"")


@pytest.mark.parametrize("text", ["", "sha256:", EMPTY[:-1], EMPTY.upper(), "sha512:" + "0" * 64, EMPTY + "\n"])
def test_anything_else_is_no_digest(text: str) -> None:
    with pytest.raises(VerificationFailed, match="not a sha256 digest"):
        Digest.parse(text)


def test_a_reference_is_read_as_it_is_written() -> None:
    text = f"127.0.0.1:5000/acme/app@{EMPTY}"
    assert str(Reference.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["acme/app", "docker.io/acme/app:latest", f"docker.io/Acme/app@{EMPTY}", f"app@{EMPTY}"]
)
def test_a_tag_or_half_a_name_is_no_reference(text: str) -> None:
    with pytest.raises(VerificationFailed, match="not a reference by digest"):
        Reference.parse(text)


def make_tree(root: Path, names: list[str]) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def test_the_digest_of_a_tree_does_not_see_order_times_or_byte_code(tmp_path: Path) -> None:
    first = make_tree(tmp_path / "first", ["a", "b/c", "b/d"])
    second = make_tree(tmp_path / "second", ["b/d", "b/c", "a", "b/__pycache__/c.pyc"])
    os.utime(second / "a", (1, 1))
    assert Digest.of_tree(first) == Digest.of_tree(second)


def test_the_digest_of_a_tree_sees_names_contents_executability_and_links(tmp_path: Path) -> None:
    first = make_tree(tmp_path / "first", ["a", "b"])

    def link(root: Path) -> None:
        (root / "a").unlink()
        (root / "a").symlink_to("b")

    changes: dict[str, Callable[[Path], object]] = {
        "renamed": lambda root: (root / "a").rename(root / "c"),
        "edited": lambda root: (root / "a").write_text("other"),
        "executable": lambda root: (root / "a").chmod(0o755),
        "linked": link,
        "added": lambda root: (root / "new").touch(),
    }
    digests = {Digest.of_tree(first)}
    for name, change in changes.items():
        root = make_tree(tmp_path / name, ["a", "b"])
        change(root)
        digests.add(Digest.of_tree(root))
    assert len(digests) == 1 + len(changes)


def settled(path: Path, content: bytes) -> Path:
    """Write a file, and wait until a later change of it cannot fall into the same step of the kernel's clock."""
    path.write_bytes(content)
    time.sleep(0.06)
    return path


def bytes_read(path: Path) -> int:
    """Return how many bytes this thread reads while a file is digested (proc(5), /proc/pid/io)."""

    def read() -> int:
        return int(dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())["rchar"])

    before = read()
    Digest.of_file(path)
    return read() - before


def test_a_file_that_nobody_touches_is_read_once(tmp_path: Path) -> None:
    path = settled(tmp_path / "file", os.urandom(5 << 20))
    assert bytes_read(path) > 5 << 20
    assert bytes_read(path) < 1 << 20


def test_a_change_is_seen_whose_size_and_times_are_those_of_before(tmp_path: Path) -> None:
    path = settled(tmp_path / "file", b"first")
    assert Digest.of_file(path) == Digest.of(b"first")
    status = path.stat()
    path.write_bytes(b"other")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_mtime_ns == status.st_mtime_ns
    assert Digest.of_file(path) == Digest.of(b"other")


def test_a_change_is_seen_that_comes_right_after_a_reading(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for number in range(500):
        content = b"%03d" % number
        path.write_bytes(content)
        assert Digest.of_file(path) == Digest.of(content)


def test_a_file_of_this_very_moment_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most kernels count the times of files in steps of milliseconds: a change in the same step would not show."""
    path = settled(tmp_path / "file", os.urandom(5 << 20))
    changed = path.stat().st_ctime_ns
    monkeypatch.setattr(time, "time_ns", lambda: changed + 1_000_000)
    assert bytes_read(path) > 5 << 20
    assert bytes_read(path) > 5 << 20


def test_another_file_in_its_place_is_another_file(tmp_path: Path) -> None:
    first, other = settled(tmp_path / "first", b"first"), settled(tmp_path / "other", b"other")
    assert (Digest.of_file(first), Digest.of_file(other)) == (Digest.of(b"first"), Digest.of(b"other"))
    other.replace(first)
    assert Digest.of_file(first) == Digest.of(b"other")
