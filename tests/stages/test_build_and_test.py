"""`build` makes one wheel, the same everywhere; `test` runs the project's tests on that wheel and nothing else."""

import os
import shutil
from pathlib import Path

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.engine.run import Run
from shipseal.engine.stage import Stage
from shipseal.engine.world import choose
from shipseal.errors import SubjectFailed, ToolFailed
from shipseal.locked.store import Store
from shipseal.project.config import Config
from shipseal.stages.build import build
from shipseal.stages.inputs import inputs
from shipseal.stages.test import test as run_tests
from tests.conftest import MakeRun

SAMPLES = Path(__file__).parent.parent / "samples"
INPUTS = Stage("inputs", inputs, tools=("python",), reads=("locks",), always_run=True)
BUILD = Stage("build", build, needs=("inputs",), tools=("python", "bwrap"), reads=("source",))
TEST = Stage("test", run_tests, needs=("inputs", "build"), tools=("python", "bwrap"), reads=("tests",))


@pytest.fixture
def sample(make_run: MakeRun, tmp_path: Path) -> Run:
    """Give a run of a copy of a sample service."""
    return run_of(make_run, tmp_path, "greetings")


@pytest.fixture(scope="module")
def template(store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the run directory of that sample after `inputs` and `build`; no test touches it."""
    root = tmp_path_factory.mktemp("template") / "greetings"
    shutil.copytree(SAMPLES / "greetings", root)
    config = Config.load(root / "pipeline.toml")
    anyio.run(perform, Run(root / ".run", config, store, locked, choose("dry-run", config)), INPUTS, BUILD)
    return root / ".run"


@pytest.fixture
def built(sample: Run, template: Path) -> Run:
    """Give a run of a copy of it whose wheel is built."""
    shutil.copytree(template, sample.directory)
    return sample


def run_of(make_run: MakeRun, tmp_path: Path, name: str) -> Run:
    root = tmp_path / name
    shutil.copytree(SAMPLES / name, root)
    return make_run(config=Config.load(root / "pipeline.toml"))


def wheel(run: Run) -> Path:
    (built,) = (run.directory / "build" / "wheels" / "service").glob("*.whl")
    return built


async def perform(run: Run, *stages: Stage) -> str:
    for stage in stages:
        record = await run.perform(stage)
    return record.headline


async def test_the_wheel_is_the_same_whatever_the_umask_and_modes_of_the_checkout(sample: Run) -> None:
    await perform(sample, INPUTS, BUILD)
    first = Digest.of_file(wheel(sample))
    for path in sample.config.service.source.rglob("*.py"):
        path.chmod(0o600)
        os.utime(path, (1, 1))
    before = os.umask(0o077)
    try:
        await perform(sample, BUILD)
    finally:
        os.umask(before)
    assert Digest.of_file(wheel(sample)) == first


async def test_building_leaves_nothing_in_the_checkout_and_no_scratch(sample: Run) -> None:
    before = Digest.of_tree(sample.config.root, leave_out=frozenset())
    await perform(sample, INPUTS, BUILD, TEST)
    assert Digest.of_tree(sample.config.root, leave_out=frozenset()) == before
    assert {path.name for path in (sample.directory / "build").iterdir()} == {"wheels", "record.json", "log.txt"}
    assert {path.name for path in (sample.directory / "test").iterdir()} == {"junit.xml", "record.json", "log.txt"}


async def test_every_wheel_that_went_in_is_a_material(sample: Run) -> None:
    await sample.perform(INPUTS)
    record = await sample.perform(BUILD)
    assert any(
        name.startswith(("pkg:pypi/setuptools@", "pkg:pypi/flit", "pkg:pypi/hatchling")) for name in record.materials
    )


async def test_a_project_that_does_not_build_is_at_fault(sample: Run) -> None:
    (sample.config.service.source / "pyproject.toml").write_text("[project]\nname = 1\n")
    with pytest.raises(SubjectFailed, match="greetings does not build") as caught:
        await perform(sample, INPUTS, BUILD)
    assert (caught.value.exit_code, bool(caught.value.why)) == (7, True)


async def test_passing_tests_are_counted(built: Run) -> None:
    assert "passed" in await perform(built, TEST)


async def test_the_wheel_is_tested_and_not_the_sources(built: Run) -> None:
    shutil.rmtree(built.config.service.source / "greetings")
    assert "passed" in (await built.perform(TEST)).headline


async def test_a_failing_test_is_named(make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(SubjectFailed, match=r"1 of \d+ tests of .* failed") as caught:
        await perform(run_of(make_run, tmp_path, "failing-test"), INPUTS, BUILD, TEST)
    assert "test_hello" in caught.value.why[0]


async def test_no_test_is_a_failure(make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(SubjectFailed, match=r"no test of .* ran"):
        await perform(run_of(make_run, tmp_path, "no-tests"), INPUTS, BUILD, TEST)


async def test_skipped_tests_are_no_tests(built: Run) -> None:
    (tests,) = built.config.test.paths
    for path in tests.glob("test_*.py"):
        path.write_text("import pytest\n@pytest.mark.skip\ndef test_it() -> None: pass\n")
    with pytest.raises(SubjectFailed, match=r"no test of .* ran") as caught:
        await perform(built, TEST)
    assert "1 skipped" in caught.value.why[0]


async def test_a_command_that_writes_no_junit_file_is_said(built: Run) -> None:
    config = built.config
    built.config = config.model_copy(update={"test": config.test.model_copy(update={"command": ("-c", "print('hi')")})})
    with pytest.raises(ToolFailed, match="wrote no JUnit file") as caught:
        await perform(built, TEST)
    assert caught.value.why == ("hi",)
