"""A run that is killed or stopped leaves no process and no half result, and the same command goes on from there."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shipseal.engine.table import TABLE
from tests.commands import Ended, arguments, clone, pipeline, read, stages


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return clone("greetings", tmp_path / "greetings")


def begun(finished: tuple[Path, Ended], root: Path, after: str) -> Path:
    """Make a copy of the finished project in which nothing behind a stage has been done."""
    shutil.copytree(finished[0], root, symlinks=True)
    names = [stage.name for stage in TABLE]
    for name in names[names.index(after) + 1 :]:
        shutil.rmtree(root / ".run" / name)
    return root


def processes(root: Path) -> list[str]:
    """Return the command lines of processes that have to do with a directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(root) in line and int(entry.name) != os.getpid():
            found.append(line)
    return found


def none_left(root: Path, within: float = 30) -> bool:
    end = time.monotonic() + within
    while processes(root) and time.monotonic() < end:
        time.sleep(0.05)
    return not processes(root)


def kill_in(project: Path, stage: str, kind: str, *words: str) -> tuple[int, set[str]]:
    """Start a dry run, and kill it at the first event of a kind in a stage; return its code and what was done."""
    process = subprocess.Popen(
        arguments("dry-run", "--json", *words),
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    done: set[str] = set()
    assert process.stdout is not None
    for line in process.stdout:
        event: dict[str, Any] = json.loads(line)
        if event["event"] in {"finished", "kept"}:
            done.add(event["stage"])
        if (event["event"], event.get("stage")) == (kind, stage):
            process.kill()
            break
    process.stdout.close()
    return process.wait(timeout=30), done


def listened_to(*words: str, cwd: Path, stdout: int) -> subprocess.Popen[str]:
    """Start a command whose standard error is read."""
    return subprocess.Popen(arguments(*words), cwd=cwd, stdout=stdout, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("stage", "kind", "after", "words"),
    [
        ("image", "started", "build", ("--to", "smoke")),
        ("image", "progress", "build", ()),
        ("attest", "progress", "sbom", ()),
        ("publish", "progress", "sbom", ()),
    ],
)
def test_a_run_that_was_killed_goes_on_where_it_was(
    finished: tuple[Path, Ended], tmp_path: Path, stage: str, kind: str, after: str, words: tuple[str, ...]
) -> None:
    project = begun(finished, tmp_path / "greetings", after)
    code, done = kill_in(project, stage, kind, *words)
    assert code == -signal.SIGKILL
    assert none_left(project)
    assert stage not in stages(project / ".run")
    ended = pipeline("dry-run", "--json", *words, cwd=project)
    assert ended.code == 0, ended.output
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    kept = {event["stage"] for event in events if event["event"] == "kept"}
    assert "build" in done
    assert done - {"facts", "inputs", "tools"} <= kept
    assert not list((project / ".run").glob("*.part"))


def test_after_a_kill_in_publish_the_registry_holds_each_piece_of_evidence_once(
    finished: tuple[Path, Ended], tmp_path: Path
) -> None:
    project = begun(finished, tmp_path / "greetings", "sbom")
    kill_in(project, "publish", "progress")
    assert pipeline("dry-run", "--to", "publish", cwd=project).code == 0
    receipt = read(project / ".run", "publish/receipt.json")
    (registry,) = (project / ".run" / "publish" / "registry").rglob("oci-layout")
    held: Counter[str] = Counter()
    for blob in (registry.parent / "blobs" / "sha256").iterdir():
        try:
            manifest = json.loads(blob.read_bytes())
        except ValueError:
            continue
        if isinstance(manifest, dict) and "subject" in manifest:
            held[manifest["subject"]["digest"]] += 1
    assert held == Counter({subject: len(found) for subject, found in receipt["referrers"].items()})


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_ends_its_children_and_says_how_to_go_on(
    project: Path, number: signal.Signals, code: int
) -> None:
    with listened_to("dry-run", cwd=project, stdout=subprocess.DEVNULL) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "running the tests" in line:
                process.send_signal(number)
                break
        said = process.stderr.read()
        assert process.wait(timeout=30) == code
    assert "the same command goes on from there" in said
    assert "Traceback" not in said
    assert none_left(project)
    assert "test" not in stages(project / ".run")
    assert "build" in stages(project / ".run")


def test_whoever_presses_ctrl_c_again_and_again_gets_the_same_answer(project: Path) -> None:
    with listened_to("dry-run", cwd=project, stdout=subprocess.DEVNULL) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "building the wheel" in line:
                break
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.02)
        said = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in said
    assert none_left(project)


def test_a_reader_that_goes_away_ends_the_run_without_a_word(project: Path) -> None:
    with listened_to("dry-run", "--json", cwd=project, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert (process.wait(timeout=60), process.stderr.read()) == (141, "")
    assert none_left(project)


def test_two_runs_in_one_directory_do_not_mix(project: Path) -> None:
    first = subprocess.Popen(
        arguments("dry-run", "--to", "image", "--json"), cwd=project, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert first.stdout is not None
    first.stdout.readline()
    second = pipeline("dry-run", "--to", "image", cwd=project)
    first.stdout.read()
    first.stdout.close()
    assert (first.wait(timeout=60), second.code) == (0, 2)
    assert "another run is using" in second.stderr
