"""A service moves to another Debian, and so to another Python, by one line: locks, image, byte code and smoke."""

import subprocess
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.oci.layout import Layout
from shipseal.oci.platform_image import Built
from tests.commands import clone, commit, read
from tests.other_debian.conftest import LOCK, Newer, switch

_OLDER = 'waitress\ntyping-extensions ; python_version < "3.12"\n'


@pytest.fixture(scope="module")
def moved(newer: Newer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the sample, locked for Debian 12, moved by one line and locked again."""
    project = clone("greetings", tmp_path_factory.mktemp("moved") / "greetings")
    (project / "locks" / "run.in").write_text(_OLDER)
    locked = newer("update-locks", "python", cwd=project)
    assert locked.code == 0, locked.output
    assert "typing-extensions" in (project / "locks" / "run.lock").read_text()
    commit(project)
    switch(project)
    changed = subprocess.run(["git", "diff", "--numstat"], cwd=project, capture_output=True, text=True, check=True)
    assert changed.stdout.split() == ["1", "0", "pipeline.toml"]
    return project


def test_update_locks_locks_for_the_python_of_that_debian(moved: Path, newer: Newer) -> None:
    ended = newer("update-locks", "python", cwd=moved)
    assert ended.code == 0, ended.output
    assert "typing-extensions" not in (moved / "locks" / "run.lock").read_text()


@pytest.mark.timeout(600)
def test_the_image_has_that_python_and_byte_code_that_it_wrote_and_starts(
    moved: Path, newer: Newer, python: Path, tmp_path: Path
) -> None:
    commit(moved)
    ended = newer("dry-run", "--to", "smoke", cwd=moved)
    assert ended.code == 0, ended.output
    files = _files(moved / ".run", tmp_path / "root")
    assert LOCK.runtime.interpreter in files
    assert not [path for path in files if "python3.11" in path]
    magic = "import importlib.util, sys; sys.stdout.buffer.write(importlib.util.MAGIC_NUMBER)"
    written = subprocess.run([python, "-c", magic], capture_output=True, check=True).stdout
    compiled = {path: content[:4] for path, content in files.items() if path.endswith(".pyc")}
    assert f"{LOCK.runtime.site}/greetings/web.pyc" in compiled
    assert set(compiled.values()) == {written}


def test_the_tests_of_the_service_run_on_that_python_too(moved: Path, newer: Newer) -> None:
    ended = newer("dry-run", "--to", "test", cwd=moved)
    assert ended.code == 0, ended.output
    assert read(moved / ".run", "test/record.json")["stage"] == "test"


def _files(run: Path, root: Path) -> dict[str, bytes]:
    digest = Digest.parse(read(run, "image/image.json")["platforms"]["linux/amd64"]["digest"])
    Built.read(Layout(run / "image" / "layout"), digest).unpack(root)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
