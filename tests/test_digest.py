"""A digest is a sha256 of bytes, and a reference names one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.digest import Digest, Reference
from pipeline.errors import VerificationFailed

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
