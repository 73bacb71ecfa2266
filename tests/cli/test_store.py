"""`store` and `update-locks`, as people type them."""

import os
from pathlib import Path

import pytest

from shipseal.cli import main
from shipseal.digest import Digest
from shipseal.locked.inputs import Inputs
from shipseal.locked.store import Store, default_root
from shipseal.locked.store_cleaning import in_use
from shipseal.project.config import HOME, Config

CONFIG = ["--config", str(HOME / "pipeline.toml")]


@pytest.fixture
def carried(tmp_path: Path) -> Path:
    """Give the pipeline's own inputs in one file, exported from the user's store."""
    file = tmp_path / "store.tar"
    assert main(["store", "export", str(file), *CONFIG]) == 0
    return file


def test_a_store_is_carried_to_another_machine_and_serves_there(
    carried: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the import nothing is left to fetch, so that no network is needed."""
    other = ["--store", str(tmp_path / "other")]
    assert main(["store", "import", str(carried), *other]) == 0
    assert main(["store", "fetch", *CONFIG, *other]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("none of them fetched now")


def test_a_directory_that_was_pushed_to_fills_another_store_with_no_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is the same after a second push: what is there is left."""
    mirror, other = tmp_path / "mirror", ["--store", str(tmp_path / "other")]
    assert main(["store", "push", str(mirror), *CONFIG]) == 0
    there = {path: path.stat().st_ino for path in (mirror / "sha256").iterdir()}
    assert main(["store", "push", str(mirror), *CONFIG]) == 0
    assert {path: path.stat().st_ino for path in (mirror / "sha256").iterdir()} == there
    monkeypatch.setenv("PIPELINE_MIRROR", str(mirror))
    monkeypatch.setenv("PATH", "")  # no pip, no apt and no Go that could fetch anything
    capsys.readouterr()
    assert main(["store", "fetch", *CONFIG, *other]) == 0
    told = capsys.readouterr()
    assert "none of them fetched" not in told.out
    assert f"from {mirror}" in told.err
    assert {entry.path.name for entry in Store(tmp_path / "other").entries()} >= {"syft", "grype", "cosign", "oras"}


def test_a_server_of_files_cannot_be_pushed_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "push", "https://mirror.invalid/inputs", *CONFIG]) == 2
    assert "https://mirror.invalid/inputs cannot be written to" in capsys.readouterr().err


def test_nothing_is_pushed_to_a_registry_that_nobody_agreed_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "push", "oci://mirror.invalid/inputs", *CONFIG]) == 2
    told = capsys.readouterr().err
    assert "This pushes to oci://mirror.invalid/inputs, and signs" in told
    assert "nothing was written outside" in told


def test_gc_leaves_what_the_locks_name(carried: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And removes what no lock of the project names any more."""
    store = Store(tmp_path / "other")
    main(["store", "import", str(carried), "--store", str(store.root)])
    before = [entry.digest for entry in store.entries()]
    stale = tmp_path / "stale.whl"
    stale.write_bytes(b"a wheel of last year")
    where = store.add(stale, Digest.of(stale.read_bytes()))
    clean = ["store", "gc", *CONFIG, "--store", str(store.root)]
    assert main(clean) == 0
    assert "no inputs removed" in capsys.readouterr().out  # another checkout may have used it today
    os.utime(where.parent, (0, 0))
    assert main([*clean, "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("stale.whl, 0.0 MB, last used 1970-01-01\n1 inputs would be removed")
    assert store.has(Digest.of(stale.read_bytes()))
    assert main([*clean, "--unused-for", "0"]) == 0
    assert "1 inputs removed" in capsys.readouterr().out
    assert [entry.digest for entry in store.entries()] == before


def test_gc_waits_for_no_run_and_takes_nothing_from_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(tmp_path / "other")
    with in_use(store):
        assert main(["store", "gc", *CONFIG, "--store", str(store.root)]) == 2
    assert "a run is using the store" in capsys.readouterr().err


def test_the_tools_alone_need_no_configuration(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """They are the pipeline's own: `store fetch --tools` works anywhere."""
    assert main(["store", "fetch", "--tools", "--config", str(tmp_path / "absent.toml")]) == 0
    assert capsys.readouterr().out == f"6 inputs are in {default_root(os.environ)}, none of them fetched now\n"


def test_a_file_that_is_no_store_ends_with_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2: you asked for something that cannot be."""
    (tmp_path / "notes.txt").write_text("no store")
    assert main(["store", "import", str(tmp_path / "notes.txt"), "--store", str(tmp_path / "other")]) == 2
    assert "cannot be read as an exported store" in capsys.readouterr().err


def test_a_kind_of_lock_that_there_is_not_ends_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    """And the message names those that there are; nothing is written before."""
    assert main(["update-locks", "pythn", *CONFIG]) == 2
    assert "python, debian, tools" in capsys.readouterr().err


def test_make_tools_fetches_what_any_sample_locks() -> None:
    """The tests take every sample through the pipeline, offline."""
    (line,) = [line for line in (HOME / "Makefile").read_text().splitlines() if line.startswith("OTHER_LOCKS :=")]
    samples = HOME / "tests" / "samples"
    fetched = [HOME, *(samples / name for name in line.split()[2:])]
    assert set().union(*map(named, samples.glob("*/"))) <= set().union(*map(named, fetched))


def named(project: Path) -> set[Digest]:
    """Return the digest of everything that a project's locks name."""
    file = project / "pipeline.toml"
    return set(Inputs.of(Config.load(file)).named()) if file.exists() else set()


def test_several_projects_are_fetched_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    also = ["--also", str(HOME / "tests" / "samples" / "compiled-wheel" / "pipeline.toml")]
    assert main(["store", "fetch", *CONFIG]) == 0
    assert main(["store", "fetch", *CONFIG, *also]) == 0
    alone, together = (int(line.split()[0]) for line in capsys.readouterr().out.splitlines())
    assert together > alone
