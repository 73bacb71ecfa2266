"""What tests share: the real store, the real tools, runs in directories of their own, and one that has finished."""

import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from pipeline.digest import Digest
from pipeline.engine.run import Event, Run
from pipeline.engine.world import choose
from pipeline.locked.inputs import Inputs
from pipeline.locked.store import Store, default_root
from pipeline.project.config import Config
from tests.commands import NOW, Ended, clone, commit, pipeline

__all__ = ["NOW", "OFFLINE", "PIPELINE_TOML", "MakeRun", "commit"]

OFFLINE = ("unshare", "--map-root-user", "--net")

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


# These take longest: a worker that got one of them last would go on alone.
LONG = (
    *("test_same_digest.py", "test_samples.py", "test_interruptions.py", "test_smoke.py", "test_suite.py"),
    *("test_image.py", "test_smoke_docker.py", "test_malformed.py", "test_output.py", "test_dry_run.py"),
    *("test_verify.py", "test_build_and_test.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, whatever their names; the Makefile has the workers keep to this order."""
    rank = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path.name, len(LONG)))


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


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """Give a project with a finished dry run, done without any network, and what the command printed.

    All workers share it, and the first to ask makes it: nobody may change it.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    shared.mkdir(exist_ok=True)
    root, said = shared / "greetings", shared / "ended.json"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            ended = pipeline("dry-run", cwd=clone("greetings", root), prefix=OFFLINE)
            said.write_text(json.dumps(asdict(ended)))
    return root, Ended(**json.loads(said.read_bytes()))


@pytest.fixture
def events() -> list[Event]:
    """Give a list for `Run.observe` to append to."""
    return []
