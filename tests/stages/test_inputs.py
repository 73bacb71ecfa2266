"""The `inputs` stage, on locks of its own and a store of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.documents.inputs import InputsDocument, InputWheel
from shipseal.engine.run import Run
from shipseal.engine.stage import Stage
from shipseal.errors import ConfigError, RemoteFailed, ShipsealError, ToolFailed, VerificationFailed
from shipseal.locked import locks, wheels
from shipseal.locked.fetch import PROGRAMS, fill
from shipseal.locked.fetch_debian import MIRROR
from shipseal.locked.inputs import Group, Inputs
from shipseal.locked.store import Store
from shipseal.project.config import HOME, Config
from shipseal.stages.inputs import inputs
from shipseal.stages.tools import tools as tools_stage
from tests.conftest import MakeRun
from tests.origins import (
    apt_settings,
    make_deb,
    make_index,
    make_repository,
    make_wheel,
    pip_settings,
    served,
    toolbox,
)

TOOLS = Stage("tools", tools_stage, tools=("python", "go"), network=True, always_run=True)
ROW = Stage("inputs", inputs, tools=PROGRAMS, reads=("locks",), network=True, always_run=True)


@pytest.fixture
def wheel(project: Path, tmp_path: Path) -> Path:
    """Lock one wheel in the small project, and return it; no store and no index has it yet."""
    path = make_wheel(tmp_path / "made", "sample", "1.0")
    line = f"sample==1.0 --hash={Digest.of_file(path)}\n"
    (project / "service" / "requirements.lock").write_text(line)
    return path


@pytest.fixture
def own(store: Store, locked: dict[str, Digest], project: Path, tmp_path: Path) -> Store:
    """Give a store with the tools and Debian packages that this project needs, and no wheel."""
    copy = Store(tmp_path / "store")
    wanted = Inputs.of(Config.load(project / "pipeline.toml"))
    for digest in [*locked.values(), *(item.digest for items in wanted.packages.values() for item in items)]:
        target = copy.root / "sha256" / digest.hex
        target.mkdir(parents=True)
        os.link(store.get(digest), target / str(store.filename(digest)))
    return copy


def test_everything_locked_is_listed_with_its_digest(own: Store, wheel: Path, make_run: MakeRun) -> None:
    """What later stages read: never a path, always a digest."""
    own.add(wheel, Digest.of_file(wheel))
    run = make_run(store=own)
    record = anyio.run(run.perform, ROW)
    listing = (run.directory / "inputs" / "inputs.json").read_text()
    assert str(own.root) not in listing
    assert record.headline == "1 wheels, 15 Debian packages, all from the store"
    entry = InputWheel(name="sample", version="1.0", filename=wheel.name, digest=Digest.of_file(wheel))
    found = Inputs.of(run.config).listing(own)
    assert found == InputsDocument.parse(listing.encode())
    assert found.wheels["linux/amd64"] == found.wheels["linux/arm64"] == (entry,)
    assert {item.architecture for item in found.debian["linux/arm64"]} <= {"arm64", "all"}
    assert found.tools["syft"].digest == run.locked["syft"]


def test_what_is_missing_is_fetched(
    own: Store, wheel: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the user's own settings of pip; the headline says how many there were."""
    make_index(tmp_path / "index", wheel)
    with served(tmp_path / "index") as address:
        for name, value in pip_settings(address, tmp_path).items():
            monkeypatch.setenv(name, value)
        record = anyio.run(make_run(store=own).perform, ROW)
    assert own.has(Digest.of_file(wheel))
    assert "of them fetched now" in record.headline


@pytest.mark.usefixtures("wheel")
def test_what_cannot_be_fetched_is_named_with_what_to_type(
    own: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A closed network: the message names the thing, and the way to carry it in."""
    for name, value in pip_settings("http://127.0.0.1:1", tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PIP_RETRIES", "0")
    run = make_run(store=own)
    with pytest.raises(RemoteFailed, match="locked inputs are not in the store") as raised:
        anyio.run(run.perform, ROW)
    assert "sample 1.0 for linux/amd64" in raised.value.why
    assert "store export FILE" in raised.value.remedy
    assert not (run.directory / "inputs").exists()


def test_a_flipped_byte_in_a_wheel_is_refused(own: Store, wheel: Path, make_run: MakeRun) -> None:
    """It is not fetched anew behind the user's back: somebody changed it."""
    path = own.add(wheel, Digest.of_file(wheel))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(VerificationFailed, match=r"sample-1\.0-py3-none-any\.whl was altered in the store"):
        anyio.run(make_run(store=own).perform, ROW)


def test_a_flipped_byte_in_a_tool_is_a_tool_failure(
    own: Store, wheel: Path, make_run: MakeRun, locked: dict[str, Digest]
) -> None:
    """The exit code of a tool that is not the one locked is 4."""
    own.add(wheel, Digest.of_file(wheel))
    path = own.get(locked["olareg"])
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.unlink()  # it is a link to the real store's file
    path.write_bytes(content)
    with pytest.raises(ToolFailed, match="olareg was altered in the store"):
        anyio.run(make_run(store=own).perform, TOOLS)


def test_the_tools_are_listed_with_where_each_came_from(own: Store, make_run: MakeRun) -> None:
    run = make_run(store=own)
    own.note_origin(run.locked["syft"], "oci://mirror.invalid/inputs\x1b[2J")
    record = anyio.run(run.perform, TOOLS)
    assert record.headline == "6 tools, all from the store"
    found = json.loads((run.directory / "tools" / "tools.json").read_bytes())
    assert found["syft"]["digest"] == str(run.locked["syft"])
    assert found["syft"]["from"] == "oci://mirror.invalid/inputs\\x1b[2J"
    assert found["grype"]["from"] == "unknown"


def test_a_lock_that_is_missing_is_named(own: Store, project: Path, make_run: MakeRun) -> None:
    """Its name is in pipeline.toml."""
    (project / "service" / "requirements-build.lock").unlink()
    with pytest.raises(ConfigError, match=r"requirements-build\.lock cannot be read"):
        anyio.run(make_run(store=own).perform, ROW)


def test_a_line_of_a_lock_that_is_wrong_is_named_by_file_and_number(
    own: Store, project: Path, make_run: MakeRun
) -> None:
    """The file as it stands in the project."""
    (project / "service" / "requirements.lock").write_text("\nwaitress>=3\n")
    with pytest.raises(ConfigError, match=r"^service/requirements\.lock:2: waitress is not locked to one version$"):
        anyio.run(make_run(store=own).perform, ROW)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[tuple[Inputs, dict[str, str]]]:
    """Serve one wheel; give what asks for it and nothing else, and the environment that finds it."""
    wheel = make_wheel(tmp_path / "made", "sample", "1.0")
    make_index(tmp_path / "index", wheel)
    requirement = locks.Requirement("sample", "1.0", None, frozenset({Digest.of_file(wheel)}), "lock:1")
    wanted = Inputs((Group("build", wheels.running(), (requirement,)),), {}, (), "linux/amd64")
    with served(tmp_path / "index") as address:
        yield wanted, pip_settings(address, tmp_path)


def test_of_two_runs_one_fetches_and_the_other_says_that_it_waits(
    index: tuple[Inputs, dict[str, str]], tmp_path: Path
) -> None:
    """Each tool is built once, however many runs need it at the same time."""
    wanted, environment = index
    store = Store(tmp_path / "store")
    said: dict[str, list[str]] = {"first": [], "second": []}

    async def run(name: str) -> None:
        await fill(wanted, toolbox(store, tmp_path / name, environment), store, said[name].append, store.has)

    async def both() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(run, "first")
            group.start_soon(run, "second")

    anyio.run(both)
    assert said == {
        "first": ["fetching 1 wheels for build"],
        "second": [f"another run is filling the store {store.root}: waiting for it"],
    }
    assert all(store.has(digest) for digest in wanted.listing(store).digests())


def test_fetching_replaces_what_was_altered(index: tuple[Inputs, dict[str, str]], tmp_path: Path) -> None:
    """That is what `store fetch` asks for: being there is not enough, the bytes must be right."""
    wanted, environment = index
    store = Store(tmp_path / "store")
    tools = toolbox(store, tmp_path / "log.txt", environment)
    anyio.run(fill, wanted, tools, store, print, store.has)
    [entry] = store.entries()
    entry.path.chmod(0o644)
    entry.path.write_bytes(b"altered")
    anyio.run(fill, wanted, tools, store, print, store.intact)
    assert store.intact(entry.digest)


@pytest.mark.skipif(not shutil.which("unshare"), reason="this machine has no network namespaces")
def test_a_full_store_needs_no_network(tmp_path: Path) -> None:
    """The pipeline's own inputs, in a network namespace without even loopback."""
    command = ["unshare", "--map-root-user", "--net", sys.executable, "-m", "shipseal", "stage", "inputs"]
    done = subprocess.run([*command, "--run-dir", tmp_path], cwd=HOME, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "all from the store" in done.stderr


def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str) -> None:
    """Have pip, apt and the mirror be one address on loopback, and nothing else."""
    for name, value in {**pip_settings(address, tmp_path), **apt_settings(address, tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv(MIRROR, address)


def refused(run: Run, error: type[ShipsealError]) -> ShipsealError:
    """Perform the stage, which must fail in one way, and leave nothing."""
    with pytest.raises(error) as raised:
        anyio.run(run.perform, ROW)
    assert raised.value.remedy
    assert not (run.directory / "inputs").exists()
    return raised.value


def test_a_wheel_that_is_in_the_index_with_other_bytes_is_refused_by_name(
    own: Store, wheel: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The version is the locked one; the file is not."""
    other = make_wheel(tmp_path / "other", "sample", "1.0")
    other.write_bytes(other.read_bytes() + b"\0")
    make_index(tmp_path / "index", other)
    with served(tmp_path / "index") as address:
        apart(monkeypatch, tmp_path, address)
        failure = refused(make_run(store=own), VerificationFailed)
    assert "sample==1.0" in "\n".join(failure.why)
    assert Digest.of_file(other).hex in "\n".join(failure.why)
    assert failure.remedy.startswith("find out who changed these bytes")
    assert not own.has(Digest.of_file(wheel))
    assert not own.has(Digest.of_file(other))


def test_a_wheel_that_is_locked_for_another_platform_only_is_refused_by_name(
    own: Store, project: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is in the index and in the store, and fits one of the two platforms."""
    path = make_wheel(tmp_path / "made", "sample", "1.0", "cp311-cp311-manylinux_2_17_aarch64")
    (project / "service" / "requirements.lock").write_text(f"sample==1.0 --hash={Digest.of_file(path)}\n")
    own.add(path, Digest.of_file(path))
    make_index(tmp_path / "index", path)
    with served(tmp_path / "index") as address:
        apart(monkeypatch, tmp_path, address)
        failure = refused(make_run(store=own), RemoteFailed)
    assert "sample 1.0 for linux/amd64" in failure.why
    assert "sample 1.0 for linux/arm64" not in failure.why
    assert failure.remedy.startswith("if a package has no wheel for it, lock a version that has")


@pytest.mark.parametrize("at", ["nowhere", "apt", "mirror"])
def test_a_debian_package_that_is_nowhere_or_has_other_bytes_is_refused_by_name(
    own: Store, project: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, at: str
) -> None:
    """Whichever origin has it."""
    package = make_deb(tmp_path / "repository", "sample", "1.0", "all")
    make_repository(tmp_path / "repository", [package] if at == "apt" else [])
    if at != "mirror":
        package = replace(package, path="debian/pool/gone.deb")
    locked = HOME / "image" / "debian.lock.toml"
    entry = f'name = "sample"\nversion = "1.0"\narchitecture = "all"\nsha256 = "{"0" * 64}"\nsize = {package.size}\n'
    (project / "packages.toml").write_text(
        f'{locked.read_text()}\n[[package]]\n{entry}path = "{package.path}"\n', encoding="utf-8"
    )
    configuration = project / "pipeline.toml"
    configuration.write_text(f'{configuration.read_text()}packages = "packages.toml"\nextra-packages = ["sample"]\n')
    with served(tmp_path / "repository") as address:
        apart(monkeypatch, tmp_path, address)
        failure = refused(make_run(store=own), RemoteFailed if at == "nowhere" else VerificationFailed)
    assert failure.why[-1] == "sample 1.0 (all)"
    said = {
        "nowhere": "found nowhere: sample",
        "apt": "sample_1.0_all.deb is not",
        "mirror": "sample_1.0_all.deb is not",
    }
    assert said[at] in "\n".join(failure.why)
