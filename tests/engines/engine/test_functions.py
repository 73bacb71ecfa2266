"""Every function of the module, end to end on a real engine; its results are those of the host engine."""

import json
import re
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from shipseal.engine.table import TABLE
from tests.commands import Ended, pipeline, read, stages
from tests.engines.command import Dagger, interrupt, run
from tests.engines.ports import free_port

pytestmark = pytest.mark.timeout(1200)

FUNCTIONS = {
    *("admit", "build", "deploy", "dry-run", "image", "release", "scan", "sign", "stage", "test", "summary", "verify"),
}
LIVE = {stage.name for stage in TABLE if stage.uncached}


def on_host(dagger: Dagger, *words: str | Path) -> Ended:
    """Run the host engine on the same project, by the very code that the module has."""
    return pipeline(*words, cwd=dagger.project, env={"PYTHONPATH": str(dagger.module)}, timeout=900)


def digest(layout: Path) -> str:
    """Return the digest of the one image in an exported layout."""
    (image,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    return str(image["digest"])


def record(run_dir: Path, stage: str) -> dict[str, Any]:
    return dict(read(run_dir, f"{stage}/record.json"))


@pytest.fixture(scope="session")
def built(ours: Dagger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the layout that `build` exports for this project."""
    layout = tmp_path_factory.mktemp("built") / "layout"
    ended = ours.call("build", "export", f"--path={layout}")
    assert ended.code == 0, ended.output
    return layout


def test_functions_lists_each_function_with_one_sentence(checkout: Path) -> None:
    ended = run(["dagger", "-m", str(checkout), "functions"], checkout)
    lines = dict(re.findall(r"^([a-z-]+) {2,}([A-Z].*\.)$", ended.stdout, re.MULTILINE))
    assert lines.keys() == FUNCTIONS


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("release", ["--registry-auth", "Docker config.json", "--token", "audience sigstore"]),
        ("stage", ["--name", "shipseal stage --help", "--world", "dry-run or release"]),
        ("verify", ["--reference", "resolved once", "--policy"]),
        ("build", ["OCI layout"]),
    ],
)
def test_the_help_of_a_function_says_what_it_takes(ours: Dagger, function: str, said: list[str]) -> None:
    ended = ours.call(function, "--help")
    text = " ".join(ended.output.split())
    assert [words for words in said if words not in text] == []


def test_the_image_has_the_digest_that_the_host_engine_gives_it(built: Path, ours: Dagger, tmp_path: Path) -> None:
    ended = on_host(ours, "dry-run", "--to", "image", "--run-dir", tmp_path / "run")
    assert ended.code == 0, ended.output
    assert digest(built) == read(tmp_path / "run", "image/image.json")["digest"]


def test_a_second_build_comes_from_the_cache_in_seconds(built: Path, ours: Dagger, tmp_path: Path) -> None:
    began = time.monotonic()
    ended = ours.call("build", "export", f"--path={tmp_path / 'layout'}")
    assert ended.code == 0, ended.output
    assert time.monotonic() - began < 30
    assert digest(tmp_path / "layout") == digest(built)


def test_the_image_serves_what_the_service_answers(greetings: Dagger, tmp_path: Path) -> None:
    port = free_port()
    log = tmp_path / "log"
    server = greetings.start("image", "as-service", "up", f"--ports={port}:9000", log=log)
    try:
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline and server.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                    assert "Guten Tag" in answer.read().decode()
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        pytest.fail(log.read_text()[-2000:])
    finally:
        interrupt(server)


def test_test_gives_the_junit_file(greetings: Dagger) -> None:
    ended = greetings.call("test", "contents")
    assert ended.code == 0, ended.output
    assert re.search(r'tests="4"', ended.stdout)
    assert re.search(r'failures="0"', ended.stdout)


def test_scan_gives_the_reports_and_names_the_database(greetings: Dagger, tmp_path: Path) -> None:
    ended = greetings.call("scan", "export", f"--path={tmp_path / 'scan'}")
    assert ended.code == 0, ended.output
    assert read(tmp_path, "scan/database.json")["sample"] is True
    assert read(tmp_path, "scan/grype.json").keys() == {"linux/amd64"}


def test_admit_says_which_digest_may_ship(greetings: Dagger, dry_run: Path) -> None:
    ended = greetings.call("admit")
    assert ended.code == 0, ended.output
    assert ended.stdout.strip() == f"{read(dry_run, 'image/image.json')['digest']} may ship"


def test_a_dry_run_leaves_the_run_directory_of_the_host_engine(dry_run: Path) -> None:
    assert stages(dry_run) == {stage.name for stage in TABLE}
    assert read(dry_run, "verify/verification.json")["digest"] == read(dry_run, "image/image.json")["digest"]
    run_id = read(dry_run, "run.json")["run_id"]
    assert {record(dry_run, stage)["run_id"] for stage in LIVE} == {run_id}


def test_a_second_dry_run_does_its_live_stages_again_and_no_other(
    greetings: Dagger, dry_run: Path, tmp_path: Path
) -> None:
    ended = greetings.call("dry-run", "export", f"--path={tmp_path / 'run'}")
    assert ended.code == 0, ended.output
    assert read(tmp_path, "run/run.json")["run_id"] != read(dry_run, "run.json")["run_id"]
    done_again = {
        stage.name
        for stage in TABLE
        if record(tmp_path / "run", stage.name)["started"] != record(dry_run, stage.name)["started"]
    }
    assert done_again == {*LIVE, "report"}


def test_the_host_engine_goes_on_with_an_exported_run(greetings: Dagger, dry_run: Path, tmp_path: Path) -> None:
    shutil.copytree(dry_run, tmp_path / "run", symlinks=True)
    ended = on_host(greetings, "dry-run", "--json", "--to", "attest", "--run-dir", tmp_path / "run")
    assert ended.code == 0, ended.output
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    kept = {event["stage"] for event in events if event["event"] == "kept"}
    assert kept == {"build", "test", "image", "smoke", "sbom"}, ended.stdout


def test_one_stage_gives_the_run_directory_up_to_it(greetings: Dagger, tmp_path: Path) -> None:
    ended = greetings.call("stage", "--name=build", "export", f"--path={tmp_path / 'run'}")
    assert ended.code == 0, ended.output
    assert stages(tmp_path / "run") == {"inputs", "build"}


def test_check_runs_each_check_by_itself_with_the_settings_of_a_file(ours: Dagger, greetings: Dagger) -> None:
    """The constructor's arguments come from .env, where Dagger 0.21 looks for what nobody gave."""
    named = [argument.removeprefix("--").partition("=") for argument in ours.given]
    settings = [f"SHIPSEAL_{name.upper()}={value}" for name, _, value in named]
    file = ours.module / ".env"
    file.write_text("\n".join([*settings, f"SHIPSEAL_SOURCE={greetings.project}"]) + "\n")
    try:
        listed = run(["dagger", "--silent", "check", "--list"], ours.module)
        ended = run(["dagger", "--progress=plain", "check"], ours.module)
    finally:
        file.unlink()
    assert listed.code == 0, listed.output
    assert set(re.findall(r"^shipseal:([a-z-]+) {2,}", listed.stdout, re.MULTILINE)) == {"admit", "scan", "test"}
    assert ended.code == 0, ended.output
    plain = re.sub(r"\x1b\[[0-9;]*m", "", ended.output)
    assert set(re.findall(r"shipseal:([a-z-]+) DONE", plain)) == {"admit", "scan", "test"}
    assert "may ship" in plain
