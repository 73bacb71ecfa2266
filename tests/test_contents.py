"""What is looked for in an image's files is found as the interpreter would have it there."""

import py_compile
import re
from pathlib import Path

import pytest

from shipseal.image import contents
from shipseal.oci.layout import Layout
from tests.stages.images import SmallImage

SOURCE = "class Tar:\n    def seek(self):\n        return __import__('json')\n"
NAMES = ("seek", "__import__", "exec", "Tar")


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the byte code of a module, by this interpreter."""
    source = tmp_path_factory.mktemp("code") / "tar.py"
    source.write_text(SOURCE)
    py_compile.compile(str(source), cfile=f"{source}c", doraise=True)
    return Path(f"{source}c").read_bytes()


@pytest.mark.parametrize("name", ["opt/tar.pyc", "opt/tar.py"])
def test_a_name_is_found_in_byte_code_and_in_a_source_and_no_part_of_one_is(
    name: str, code: bytes, tmp_path: Path
) -> None:
    content = code if name.endswith("c") else SOURCE.encode()
    image = SmallImage(platforms=("linux/amd64",), more={name: content})
    held = contents.read(Layout(tmp_path), image.document(tmp_path), (*NAMES, "see", "eek"), {})
    assert held.words[name] == {"seek", "__import__", "Tar"}


def test_a_text_is_found_in_programs_and_in_no_other_file(tmp_path: Path) -> None:
    more = {"bin/a": b"\x7fELF %2000mc", "bin/b": b"\x7fELF %mc", "etc/c": b"%2000mc"}
    image = SmallImage(platforms=("linux/amd64",), more=more)
    held = contents.read(Layout(tmp_path), image.document(tmp_path), (), {"%#mc": re.compile(rb"%[0-9]+mc")})
    assert {path: set(words) for path, words in held.words.items() if path.startswith(("bin", "etc"))} == {
        "bin/a": {"%#mc"},
        "bin/b": set(),
    }


def test_a_path_belongs_to_its_packages_on_every_platform(tmp_path: Path) -> None:
    held = contents.read(Layout(tmp_path), SmallImage().document(tmp_path), (), {})
    owners = held.owners["var/lib/dpkg/status.d/zlib1g"]
    assert [dict(owner.qualifiers)["arch"] for owner in owners] == ["amd64", "arm64"]
