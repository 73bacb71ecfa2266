"""What tests share: the real store, the real tools, runs in directories of their own, and one that has finished."""

import fcntl
import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.engine.run import Event, Run
from shipseal.engine.world import choose
from shipseal.locked.inputs import Inputs
from shipseal.locked.store import Store, default_root
from shipseal.project.config import HOME, Config
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
    *("test_verify.py", "test_build_and_test.py", "test_newcomer.py", "test_attack.py", "test_taken_out.py"),
    *("test_tool_check.py", "test_rebuild.py", "test_hostile_project.py", "test_fetch_tools.py"),
)


# What a test cannot have where there is Python and nothing else, as fixtures and as words of its module.
FILLED = frozenset({"store", "store_root", "locked", "finished", "project"})
STARTS = re.compile(r"subprocess|run_process|open_process|\b[Tt]oolbox\b|docker|from shipseal\.cli")
OURS = re.compile(r"^from (tests[\w.]*) import (.+)$", re.MULTILINE)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Know `--quick`: the tests that need no program, no store and no network."""
    parser.addoption("--quick", action="store_true", help="leave out what needs more than Python")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, whatever their names; the Makefile has the workers keep to this order."""
    rank = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path.name, len(LONG)))
    if config.getoption("quick"):
        left_out = [item for item in items if not needs_python_alone(item)]
        items[:] = [item for item in items if item not in set(left_out)]
        config.hook.pytest_deselected(items=left_out)


def needs_python_alone(item: pytest.Item) -> bool:
    """Tell whether a test runs where there is Python and nothing else."""
    if not isinstance(item, pytest.Function) or FILLED & set(item.fixturenames):
        return False
    return not _starts(item.path)


@cache
def _starts(module: Path) -> bool:
    """Tell whether a module starts programs, or a module of the tests that it imports does."""
    text = module.read_text(encoding="utf-8")
    names = [(package, name.strip()) for package, each in OURS.findall(text) for name in each.split(",")]
    found = [Path(*package.split(".")) for package, _ in names] + [Path(*one.split("."), name) for one, name in names]
    modules = {path for each in found if (path := (HOME / each).with_suffix(".py")).is_file()} - {Path(__file__)}
    return bool(STARTS.search(text)) or any(map(_starts, modules))


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
