"""What tests share: the real store, the real tools, and runs in directories of their own."""

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.config import Config
from pipeline.digest import Digest
from pipeline.locked.inputs import Inputs
from pipeline.locked.store import Store, default_root
from pipeline.run import Event, Run
from pipeline.world import choose

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)

PIPELINE_TOML = """
[service]
name = "sample"
source = "service"
lock = "service/requirements.lock"
build-lock = "service/requirements-build.lock"
command = ["-m", "sample"]
[test]
lock = "service/requirements-test.lock"
paths = ["tests"]
[image]
repository = "registry.example/acme/sample"
"""

MakeRun = Callable[..., Run]


@pytest.fixture(scope="session")
def store() -> Store:
    """Give the user's store, which `make test` has filled."""
    return Store(default_root(os.environ))


@pytest.fixture(scope="session")
def store_root(store: Store) -> Path:
    """Give the directory of that store."""
    return store.root


@pytest.fixture(scope="session")
def locked() -> dict[str, Digest]:
    """Give the sha256 of each locked tool for this machine."""
    return Inputs.of_tools().locked()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a small project in a git repository of its own, with one commit."""
    root = tmp_path / "project"
    (root / "service").mkdir(parents=True)
    (root / "tests").mkdir()
    (root / "policy").mkdir()
    (root / "pipeline.toml").write_text(PIPELINE_TOML)
    for lock in ("requirements", "requirements-build", "requirements-test"):
        (root / "service" / f"{lock}.lock").write_text("")
    commit(root)
    return root


def commit(root: Path) -> None:
    """Commit everything below a directory, as nobody in particular."""
    identity = ["-c", "user.name=A Tester", "-c", "user.email=tester@example.invalid", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], [*identity, "commit", "-q", "-m", "Start"]):
        subprocess.run(["git", "-C", root, *arguments], check=True)


@pytest.fixture
def make_run(store: Store, locked: dict[str, Digest], project: Path, tmp_path: Path) -> MakeRun:
    """Give a function that makes a run of the small project; keywords replace what it would use."""

    def make(world: str = "dry-run", **changes: object) -> Run:
        config = Config.load(project / "pipeline.toml")
        values: dict[str, object] = {
            "directory": tmp_path / "run",
            "config": config,
            "store": store,
            "locked": locked,
            "world": choose(world, config),
            "clock": lambda: NOW,
        }
        return Run(**{**values, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture
def events() -> list[Event]:
    """Give a list for `Run.observe` to append to."""
    return []
