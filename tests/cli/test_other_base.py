"""A project that one line moves to another Debian is locked for its Python, and told where this one is too old."""

import os
import sys
from pathlib import Path

import pytest

from shipseal.locked.debian import Lock
from shipseal.project.config import PACKAGE_LOCKS
from tests.commands import clone, commit, pipeline, stages
from tests.origins import make_index, make_wheel, served

NEWER = Lock.parse(PACKAGE_LOCKS["debian-13"].read_text(encoding="utf-8")).runtime


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give the sample, which asks for one thing more where its Python is old."""
    project = clone("greetings", tmp_path / "greetings")
    (project / "locks" / "run.in").write_text('waitress\nolder ; python_version < "3.12"\n')
    return project


def switch(project: Path) -> None:
    file = project / "pipeline.toml"
    file.write_text(file.read_text().replace("[image]\n", '[image]\nbase = "debian-13"\n'))


def test_update_locks_chooses_for_the_python_of_the_base(project: Path, tmp_path: Path) -> None:
    wheels = [make_wheel(tmp_path / "made", name, version) for name, version in (("waitress", "3.0.2"), ("older", "1"))]
    make_index(tmp_path / "index", *wheels)
    lock = project / "locks" / "run.lock"
    lock.unlink()
    with served(tmp_path / "index") as index:
        environment = {
            "UV_DEFAULT_INDEX": f"{index}/simple",
            "UV_NO_CONFIG": "1",
            "UV_FIND_LINKS": "",
            "UV_CACHE_DIR": str(tmp_path / "uv"),
        }
        found = []
        for change in (lambda _: None, switch):
            change(project)
            ended = pipeline("update-locks", "python", cwd=project, env={**os.environ, **environment})
            assert ended.code == 0, ended.output
            found.append("older" in lock.read_text())
    assert found == [True, False]


@pytest.mark.skipif(sys.version_info[:2] >= NEWER.version, reason="this Python is new enough for it")
def test_inputs_says_that_this_python_is_too_old_to_read_it(project: Path, store_root: Path) -> None:
    switch(project)
    commit(project)
    ended = pipeline("dry-run", "--to", "image", "--store", store_root, cwd=project)
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert ended.code == 2
    assert f"the image has Python {NEWER.python}, and this is {here}\n  stage  inputs" in ended.stderr
    assert f"run the pipeline by Python {NEWER.python} or later" in ended.stderr
    assert not stages(project / ".run") & {"build", "image"}
