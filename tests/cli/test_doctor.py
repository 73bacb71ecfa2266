"""`doctor` tells what a machine lacks, with the remedy, and leaves no trace."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shipseal.cli import main
from shipseal.local import advisories
from shipseal.locked.store import Store
from shipseal.project.config import HOME
from tests.commands import commit

SAMPLE = HOME / "tests" / "samples" / "greetings"
LOGIN = {"auths": {"docker.io": {"auth": "bm9ib2R5OnRvcC1zZWNyZXQ="}}}

Doctor = Callable[..., dict[str, Any]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, with a home of its own around it."""
    shutil.copytree(SAMPLE, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("DOCKER_CONFIG", "DOCKER_HOST", "DEBIAN_MIRROR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "project"


@pytest.fixture
def doctor(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Doctor:
    """Give a function that asks with an empty store, and returns what was found by name, and the exit code."""

    def perform(*arguments: str, **environment: str) -> dict[str, Any]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        code = main(["doctor", "--json", "--store", str(tmp_path / "store"), *arguments])
        return {each["name"]: each for each in json.loads(capsys.readouterr().out)} | {"exit code": code}

    return perform


def test_each_thing_has_a_state_and_each_missing_one_a_remedy(doctor: Doctor) -> None:
    found = doctor()
    del found["exit code"]
    assert {each["state"] for each in found.values()} <= {"ok", "without", "MISSING"}
    assert all(each["what"] for each in found.values())
    assert all(each["remedy"] for each in found.values() if each["state"] == "MISSING")


def test_docker_hub_is_asked_where_its_registry_is(doctor: Doctor) -> None:
    assert doctor()["network"]["what"].startswith("registry-1.docker.io ")


def test_it_speaks_of_everything_that_a_run_rests_on(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    expected = {"project", "python", "packages", "store", "inputs", "disk (run)", "disk (store)", "git", "bubblewrap"}
    assert expected | {"docker", "database", "network", "credentials"} <= doctor().keys()


def test_it_writes_nothing(project: Path, doctor: Doctor, tmp_path: Path) -> None:
    def listing() -> list[tuple[str, float]]:
        return sorted((str(path), path.lstat().st_mtime) for path in tmp_path.rglob("*"))

    before = listing()
    doctor()
    assert listing() == before


def test_an_empty_store_is_missing_and_the_exit_code_says_so(doctor: Doctor) -> None:
    found = doctor()
    assert found["store"]["state"] == "MISSING"
    assert "store fetch" in found["store"]["remedy"]
    assert found["exit code"] == 4


def test_what_the_store_lacks_is_named(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    found = doctor()["inputs"]
    assert found["state"] == "MISSING"
    assert "hatchling" in found["what"]


def test_an_altered_tool_is_as_bad_as_none(
    doctor: Doctor, store: Store, locked: dict[str, Any], tmp_path: Path
) -> None:
    other = Store(tmp_path / "store")
    copy = other.add(store.get(locked["kustomize"]), locked["kustomize"])
    assert "kustomize" not in str(doctor("--config", "none.toml")["inputs"]["what"])
    copy.chmod(0o755)
    copy.write_bytes(copy.read_bytes() + b"\0")
    assert "kustomize" in doctor("--config", "none.toml")["inputs"]["what"]


def test_a_project_without_a_configuration_is_told_and_the_machine_looked_at_all_the_same(doctor: Doctor) -> None:
    found = doctor("--config", "nowhere/pipeline.toml")
    assert found["project"]["state"] == "MISSING"
    assert found["python"]["state"] == "ok"


def test_a_mistake_in_the_configuration_is_told_with_its_key(project: Path, doctor: Doctor) -> None:
    (project / "pipeline.toml").write_text((project / "pipeline.toml").read_text().replace("port =", "prot ="))
    assert "service.prot" in doctor()["project"]["what"]


def test_a_project_outside_git_is_told_what_to_type(doctor: Doctor) -> None:
    found = doctor(GIT_CEILING_DIRECTORIES="/")["git"]
    assert (found["state"], "git init" in found["remedy"]) == ("MISSING", True)


def test_a_machine_without_the_programs_is_told_which(doctor: Doctor, tmp_path: Path) -> None:
    found = doctor(PATH=str(tmp_path))
    assert found["bubblewrap"]["state"] == "without"
    assert found["docker"]["state"] == "without"


def test_a_commit_is_found_on_a_machine_without_git(project: Path, doctor: Doctor, tmp_path: Path) -> None:
    """`facts` needs none either."""
    commit(project)
    found = doctor(PATH=str(tmp_path))["git"]
    assert (found["state"], found["what"].startswith("commit ")) == ("ok", True)


@pytest.mark.parametrize(("sample", "built"), [(True, "2026-01-01"), (False, "2126-01-01")])
def test_a_database_that_judges_no_release_is_said_to(project: Path, doctor: Doctor, sample: bool, built: str) -> None:
    path = project / "pipeline.toml"
    path.write_text(path.read_text() + '[scan]\ndatabase = "database"\n')
    (project / "database").mkdir()
    digest = f"sha256:{'0' * 64}"
    identity = {"built": f"{built}T00:00:00Z", "schema": "v6", "checksum": digest, "content": digest, "source": "x"}
    (project / "database" / "database.json").write_text(json.dumps({**identity, "sample": sample}))
    found = doctor()["database"]
    assert (found["state"], "a release refuses it" in found["remedy"]) == ("without", True)


def test_without_a_database_a_release_is_said_to_refuse(doctor: Doctor) -> None:
    found = doctor()["database"]
    assert found["state"] == "without"
    assert "SAMPLE" in found["what"]


def test_a_database_that_nobody_imported_is_missing(project: Path, doctor: Doctor) -> None:
    path = project / "pipeline.toml"
    path.write_text(path.read_text() + '[scan]\ndatabase = "nowhere"\n')
    found = doctor()["database"]
    assert (found["state"], "db import" in found["remedy"]) == ("MISSING", True)


@pytest.mark.parametrize(("change", "state"), [("", "ok"), ("UPDATE db_metadata SET model = 99", "MISSING")])
def test_the_locked_scanner_is_asked_whether_it_can_load_the_database(
    change: str,
    state: str,
    *,
    project: Path,
    doctor: Doctor,
    store_root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A schema of another Grype is told before a run ends by it."""
    source = tmp_path / "vulnerability.db"
    advisories.build(advisories.read(HOME / "policy" / "sample-advisories.toml"), source, processor="tests")
    assert main(["db", "import", str(source), "--into", "database", "--store", str(store_root)]) == 0
    capsys.readouterr()
    with closing(sqlite3.connect(project / "database" / "6" / "vulnerability.db")) as database, database:
        database.execute(change or "SELECT 1")
    path = project / "pipeline.toml"
    path.write_text(path.read_text() + '[scan]\ndatabase = "database"\n')
    found = doctor("--store", str(store_root))["scanner"]
    assert found["state"] == state
    assert ("schema v6.1.7" if state == "ok" else "Grype cannot load") in found["what"]


@pytest.mark.parametrize(
    ("content", "mode", "state", "words"),
    [
        (json.dumps(LOGIN), 0o600, "ok", "has a login for docker.io"),
        (json.dumps(LOGIN), 0o644, "MISSING", "can be read by others"),
        ("{}", 0o600, "without", "has no login for docker.io"),
        ("{", 0o600, "without", "cannot be read"),
        (None, 0, "without", "there is no"),
    ],
)
def test_a_login_is_found_and_never_read_out(
    doctor: Doctor, tmp_path: Path, content: str | None, mode: int, state: str, words: str
) -> None:
    (tmp_path / "docker").mkdir()
    if content is not None:
        (tmp_path / "docker" / "config.json").write_text(content)
        (tmp_path / "docker" / "config.json").chmod(mode)
    found = doctor(DOCKER_CONFIG=str(tmp_path / "docker"))
    assert (found["credentials"]["state"], words in found["credentials"]["what"]) == (state, True)
    assert "bm9ib2R5" not in json.dumps(found)


def test_people_get_a_line_for_each_thing_and_the_remedy_below_it(project: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "shipseal", "doctor", "--store", tmp_path / "store"],
        env={**os.environ, "PYTHONPATH": str(HOME)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = done.stdout.splitlines()
    [index] = [number for number, line in enumerate(lines) if line.startswith("store ")]
    assert "MISSING" in lines[index]
    assert lines[index + 1].strip().startswith("do: run `make tools`")
    assert done.returncode == 4


def test_a_cluster_that_does_not_answer_is_a_line_and_no_minute_of_waiting(
    doctor: Doctor, store: Store, tmp_path: Path
) -> None:
    context = {"context": {"cluster": "gone", "user": "ann"}, "name": "gone"}
    document = {
        "current-context": "gone",
        "contexts": [context],
        "clusters": [{"name": "gone", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "ann", "user": {"token": "not-used"}}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(document))
    found = doctor("--store", str(store.root), "--kubeconfig", str(tmp_path / "kubeconfig"))["cluster"]
    assert found["state"] == "without"
    assert "the API server of gone did not answer for 5 s" in found["what"]


def test_without_a_kubeconfig_there_is_no_cluster_and_that_is_no_harm(doctor: Doctor) -> None:
    found = doctor(KUBECONFIG="")["cluster"]
    assert found["state"] == "without"
    assert "there is no kubeconfig" in found["what"]
