"""No link of a Debian package brings anything of the machine that unpacks it, in whatever order and combination."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from shipseal.errors import SubjectFailed
from shipseal.image import below, links
from shipseal.image.tree import Component, File, Tree, unpack_deb
from tests import archives
from tests.archives import file, special

DEB = Component("deb", "sample", "1:2-3", "amd64")
OTHER = Component("deb", "other", "1", "amd64")
Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Give an empty tree, beside a file that is none of its business."""
    (tmp_path / "secret").write_text("of the build machine")
    return Tree(tmp_path / "root")


def unpack(tree: Tree, members: Members, component: Component = DEB) -> None:
    path = tree.root.parent / f"{component.name}.deb"
    path.write_bytes(archives.deb(members))
    unpack_deb(tree, path, component)


def symbolic(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return special(name, tarfile.SYMTYPE, target)


def hard(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return special(name, tarfile.LNKTYPE, target)


OUT: dict[str, Members] = {
    "a link": [symbolic("a", "../secret")],
    "a link from below": [symbolic("usr/share/a", "../../../secret")],
    "a hard link to a link": [symbolic("a", "../secret"), hard("b", "a")],
    "a hard link to a link, from elsewhere": [symbolic("x/y/a", "../../secret"), hard("b", "x/y/a")],
    "a hard link to a hard link to a link": [symbolic("x/a", "../secret"), hard("y/a", "x/a"), hard("b", "y/a")],
    "a link through a link": [symbolic("x/y/a", "../../z"), symbolic("b", "x/y/a/../../secret"), file("z/f")],
    "a link through a link that comes later": [symbolic("b", "x/y/a/../../secret"), symbolic("x/y/a", "../../z")],
    "links through three": [symbolic("p/q/a", "../../b"), symbolic("b", "c/d"), symbolic("e", "p/q/a/../../../secret")],
    "a link out and in again": [symbolic("a", "../root/b"), file("b")],
}


@pytest.mark.parametrize("members", OUT.values(), ids=OUT.keys())
def test_a_link_that_leaves_the_root_is_refused_while_unpacking(tree: Tree, members: Members) -> None:
    with pytest.raises(SubjectFailed, match=r"links to .*, which leaves the image"):
        unpack(tree, members)


def test_a_link_through_the_link_of_another_package_is_refused_too(tree: Tree) -> None:
    unpack(tree, [symbolic("x/y/a", "../../z")])
    with pytest.raises(SubjectFailed, match=r"b links to x/y/a/\.\./\.\./secret, which leaves the image"):
        unpack(tree, [symbolic("b", "x/y/a/../../secret")], OTHER)


@pytest.mark.parametrize(
    "members",
    [
        [symbolic("a", "../other"), file("a/secret", b"x")],
        [symbolic("a", "b"), file("a/f"), file("b/f")],
        [file("b"), hard("a", "b"), file("a/f")],
        [hard("b", "a"), symbolic("a", "../secret")],
        [hard("a", "a")],
        [hard("b", "../secret")],
        [hard("b", "/secret")],
        [symbolic("a", "")],
        [symbolic("a", "/proc/self/root/etc/shadow")],
        [symbolic("a", "b\x01c")],
        [symbolic("a", "b" * 256)],
        [symbolic("x/../a", "b")],
        [file("x" * 256)],
        [file("x/" * 1024 + "y")],
    ],
)
def test_other_tricks_with_links_and_names_are_refused(tree: Tree, members: Members) -> None:
    with pytest.raises(SubjectFailed):
        unpack(tree, members)
    assert {"root", "sample.deb", "secret"} >= {path.name for path in tree.root.parent.iterdir()}
    assert (tree.root.parent / "secret").read_text() == "of the build machine"


def test_a_hard_link_to_a_link_is_that_link_in_another_place(tree: Tree) -> None:
    unpack(tree, [file("usr/lib/f", b"content"), symbolic("x/a", "/usr/lib/f"), hard("y/z/b", "x/a")])
    assert (tree.files["x/a"].link, tree.files["y/z/b"].link) == ("../usr/lib/f", "../../usr/lib/f")
    assert tree.follow("y/z/b") == ["y/z/b", "usr/lib/f"]


def test_a_package_has_no_hard_link_to_the_file_of_another(tree: Tree) -> None:
    unpack(tree, [file("a", b"x")])
    with pytest.raises(SubjectFailed, match="other brings b") as caught:
        unpack(tree, [hard("b", "a")], OTHER)
    assert caught.value.why == ("that is a hard link to a, which it does not bring",)


def test_links_that_go_round_lead_nowhere_and_so_not_out() -> None:
    links.check({"a": "b", "b": "a", "c": "c/../../.."}, "sample")


def test_an_absolute_link_on_the_way_leads_out() -> None:
    with pytest.raises(SubjectFailed):
        links.check({"a": "b/c", "b": "/etc"}, "sample")


def test_nothing_is_opened_through_a_link_that_somebody_puts_on_the_way(tree: Tree) -> None:
    unpack(tree, [file("a/f", b"x"), file("secret", b"x")])
    (tree.root / "a" / "f").unlink()
    (tree.root / "a").rmdir()
    (tree.root / "a").symlink_to("..")
    (tree.root / "secret").unlink()
    (tree.root / "secret").symlink_to("../secret")
    for path in ("a/f", "a/secret", "secret"):
        with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
            below.read(tree.root, path)
        with pytest.raises(OSError, match=r"Not a directory|File exists"):
            below.create(tree.root, path, 0o644)
    with pytest.raises(OSError, match="Not a directory"):
        below.link(tree.root, "a/link", "x")
    with pytest.raises(OSError, match="Not a directory"):
        below.make_room(tree.root, "a/b/c")
    below.same(tree.root, "b", "secret")
    assert (tree.root / "b").is_symlink()


def test_a_file_has_the_mode_that_it_is_given_whatever_the_umask(tree: Tree) -> None:
    before = os.umask(0o077)
    try:
        tree.add(File("bin/run", DEB, executable=True))
        tree.write("bin/run", io.BytesIO(b"x"))
    finally:
        os.umask(before)
    assert (tree.root / "bin/run").stat().st_mode & 0o777 == 0o755
