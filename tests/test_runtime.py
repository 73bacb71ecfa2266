"""Where an image's Python has what, its packages' lock says: nothing of that is Debian 12's alone."""

import tarfile
from pathlib import Path

import pytest

from shipseal.errors import SubjectFailed
from shipseal.image import rootfs, selection, wheel
from shipseal.image.catalogue import modules
from shipseal.image.libraries import needed
from shipseal.image.start import start
from shipseal.image.tree import Component, Tree, unpack_deb
from shipseal.image.unpacking import unpack
from shipseal.project.config import Service
from shipseal.runtime import BOOKWORM, Runtime
from tests import archives
from tests.archives import file, special
from tests.elfs import library

TRIXIE = Runtime("13", "3.13", "3.13.5", 41)
WHEEL = Component("pypi", "sample", "1.0")
DEB = Component("deb", "sample", "1:2-3", "amd64", TRIXIE.release)
MERGED = special("./lib64", tarfile.SYMTYPE, "usr/lib64")  # as Debian 13's base-files has it


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Give a tree with a package of Debian 13's Python and a wheel in it."""
    tree = Tree(tmp_path / "root", runtime=TRIXIE)
    members = [
        file("./usr/lib/python3.13/os.py"),
        file("./usr/lib/python3.13/lib-dynload/_uuid.cpython-313-x.so", library()),
    ]
    (tmp_path / "sample.deb").write_bytes(archives.deb([*members, file("./usr/lib/python3.11/old.py")]))
    unpack_deb(tree, tmp_path / "sample.deb", DEB)
    wheel.add_wheel(tree, archives.wheel(tmp_path, "sample", {"sample/web.py": b"x = 1\n"}), WHEEL)
    return tree


def test_modules_are_found_where_its_python_looks(tree: Tree) -> None:
    names = {name for name in modules(tree, "amd64") if not name.startswith("sample_")}
    assert {"os", "_uuid", "sample", "sample.web"} <= names
    assert "old" not in names
    assert "usr/local/lib/python3.13/dist-packages/sample/web.py" in tree.files


def test_a_service_is_started_by_its_python_and_served_from_its_site() -> None:
    service = Service.model_construct(callable="sample.web:app", server="waitress", port=8080)
    begun = start(service, {"sample.web": None}, TRIXIE)
    assert begun.entrypoint[0] == "/usr/bin/python3.13"
    assert list(begun.generated) == ["usr/local/lib/python3.13/dist-packages/serve_callable.py"]


def test_byte_code_beside_its_source_has_its_tag_and_record_its_paths(tree: Tree, tmp_path: Path) -> None:
    path = f"{TRIXIE.site}/sample/web.py"
    code = tmp_path / "code.pyc"
    code.write_bytes(b"\0")
    [service, *_] = [part for part in rootfs.divide(tree, [path, *_metadata(tree)]) if part.name == "wheels"]
    entries = {each.path: each for each in rootfs.entries(service, {path: code}, sources=True)[WHEEL]}
    assert f"{TRIXIE.site}/sample/__pycache__/web.cpython-313.pyc" in entries
    record = next(each for path, each in entries.items() if path.endswith("/RECORD"))
    with record.open() as stream:
        assert b"\nsample/web.py,sha256=" in b"\n" + stream.read()


def _metadata(tree: Tree) -> list[str]:
    return [path for path in tree.files if path.endswith("/METADATA")]


def test_its_packages_are_of_its_release() -> None:
    assert DEB.purl == "pkg:deb/debian/sample@1:2-3?arch=amd64&distro=debian-13"


def test_what_lies_below_a_linked_directory_is_found_and_the_link_is_kept(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "root", runtime=TRIXIE)
    members = [MERGED, special("./lib", tarfile.SYMTYPE, "usr/lib"), file("./usr/lib64/ld.so", library())]
    program = file("./usr/bin/program", library(needed=("liba.so",)))
    inside = file("./usr/lib/x86_64-linux-gnu/liba.so", library())
    (tmp_path / "sample.deb").write_bytes(archives.deb([*members, program, inside]))
    unpack_deb(tree, tmp_path / "sample.deb", DEB)
    assert tree.follow("lib64/ld.so") == ["lib64", "usr/lib64/ld.so"]
    assert tree.follow("lib64/other.so") == []
    found = needed(tree, ["usr/bin/program"], "amd64", lambda _: "")
    assert found == {"usr/bin/program", "lib", "usr/lib/x86_64-linux-gnu/liba.so"}


def test_links_that_lead_to_each_other_lead_nowhere(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "root", runtime=TRIXIE)
    members = [special("./a", tarfile.SYMTYPE, "b"), special("./b", tarfile.SYMTYPE, "a")]
    (tmp_path / "sample.deb").write_bytes(archives.deb(members))
    unpack_deb(tree, tmp_path / "sample.deb", DEB)
    assert tree.follow("a/x") == []


def test_a_wheel_for_another_python_is_refused_with_the_one_that_is_there(tmp_path: Path) -> None:
    made = archives.wheel(tmp_path, "sample", {"sample.py": b""})
    old = made.rename(made.with_name("sample-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"))
    with pytest.raises(SubjectFailed) as raised:
        unpack(tmp_path / "root", [], old, "linux/amd64", TRIXIE)
    assert raised.value.why[0].startswith("Debian 13's Python 3.13 there takes none of cp311-cp311-")


def test_what_only_one_python_imports_or_looks_for_is_there_with_it_alone(tmp_path: Path) -> None:
    for runtime, besides in ((TRIXIE, ("shutil",)), (BOOKWORM, ())):
        tree = Tree(tmp_path / runtime.release, runtime=runtime)
        made = tmp_path / f"{runtime.release}.deb"
        made.write_bytes(archives.deb([file(f"./{runtime.standard}/tempfile.py")]))
        unpack_deb(tree, made, DEB)
        assert besides == modules(tree, "amd64")["tempfile"].compiled_in
    assert set(selection.required_modules(TRIXIE)) ^ set(selection.required_modules(BOOKWORM)) == {
        "_json",
        "_contextvars",
    }


def test_what_compiled_code_names_of_its_own_package_is_imported_by_it(tmp_path: Path) -> None:
    """As numpy's does `numpy._core._exceptions`: no statement of Python shows it."""
    tree = Tree(tmp_path / "root", runtime=TRIXIE)
    code = library() + b"\0sample._errors\0sample.\0other.thing\0not sample.words\0"
    files = {"sample/_errors.py": b"", "sample/_fast.cpython-313-x86_64-linux-gnu.so": code}
    wheel.add_wheel(tree, archives.wheel(tmp_path, "sample", files), WHEEL)
    assert modules(tree, "amd64")["sample._fast"].compiled_in == ("sample._errors",)
