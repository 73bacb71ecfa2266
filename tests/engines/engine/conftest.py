"""A real engine, asked by the real `dagger`: a copy of this checkout as its module, and projects of other people."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from shipseal.project.config import HOME
from tests.commands import clone
from tests.conftest import commit
from tests.engines.command import Dagger


def with_suite(project: Path, *settings: str) -> Path:
    """Have the tests of a sample run on its image's files too; commit it with further settings of `[smoke]`."""
    configuration = project / "pipeline.toml"
    lines = "\n".join(("[smoke]", 'suite = ["tests"]', *settings))
    configuration.write_text(configuration.read_text().replace("[smoke]", lines))
    commit(project)
    return project


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of this checkout as it is now, in a repository of its own, with one commit."""
    root = tmp_path_factory.mktemp("module") / "pipeline"
    listed = subprocess.run(
        ["git", "-C", HOME, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (HOME / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(HOME / name, root / name)
    commit(root)
    return root


@pytest.fixture(scope="session")
def given(store_root: Path) -> tuple[str, ...]:
    """Give the constructor's arguments: this user's store and, for an engine without Docker Hub, its own base image."""
    base = os.environ.get("DAGGER_TEST_BASE")
    return (f"--store={store_root}", *([f"--base={base}"] if base else []))


@pytest.fixture(scope="session")
def ours(checkout: Path, given: tuple[str, ...]) -> Dagger:
    """Give `dagger` on this project."""
    return Dagger(checkout, given, checkout)


@pytest.fixture(scope="session")
def greetings(tmp_path_factory: pytest.TempPathFactory, ours: Dagger) -> Dagger:
    """Give `dagger` on a small service of somebody else, whose tests run on its image too."""
    project = clone("greetings", tmp_path_factory.mktemp("foreign") / "greetings")
    name = "tests/test_web.py::test_the_first_known_language_is_answered[-Good day]"
    return ours.of(with_suite(project, f'left-out = {{ "{name}" = "the image says what is answered otherwise" }}'))


@pytest.fixture(scope="session")
def dry_run(greetings: Dagger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the exported run directory of a dry run of that service; nobody may change it."""
    run_dir = tmp_path_factory.mktemp("dry-run") / "run"
    ended = greetings.call("dry-run", "export", f"--path={run_dir}")
    assert ended.code == 0, ended.output
    return run_dir
