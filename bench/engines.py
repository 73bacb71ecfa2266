"""What the Dagger engine costs over the host engine, stage by stage: `python -m bench.engines`.

It needs `dagger` and an engine, and takes the sample service through a dry run four times: by each engine over a
project that neither has seen (cold) and once more (warm). The base layer, requirements installed, is there before.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shipseal.engine.table import TABLE
from shipseal.locked.store import default_root
from shipseal.project.config import HOME

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
STARTED = re.compile(r"^(\d+) +: .*withExec .*shipseal stage (\S+)")
ENDED = re.compile(r"^(\d+) +: .*withExec.* DONE.*?\[([0-9.]+)s\]|^(\d+) +: .*withExec.*\bCACHED\b")


@dataclass(frozen=True)
class Measured:
    """One dry run, in seconds: all of it, the body of each stage, and the container around it where there was one."""

    total: float
    bodies: Mapping[str, float]
    containers: Mapping[str, float]


def project(root: Path) -> Path:
    """Make a project that no engine has seen: the sample with one line more."""
    shutil.copytree(HOME / "tests" / "samples" / "greetings", root)
    with (root / "app" / "greetings" / "web.py").open("a") as module:
        module.write(f"\n# {uuid.uuid4()}\n")
    identity = ["-c", "user.name=A Bench", "-c", "user.email=bench@example.invalid", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*identity, "commit", "-q", "-m", "Start"]):
        subprocess.run(["git", "-C", root, *words], check=True)
    return root


def bodies(run: Path) -> dict[str, float]:
    """Return how long each stage took by its own record."""
    records = {path.parent.name: json.loads(path.read_bytes()) for path in run.glob("*/record.json")}
    return {
        name: (datetime.fromisoformat(record["finished"]) - datetime.fromisoformat(record["started"])).total_seconds()
        for name, record in records.items()
    }


def by_host(root: Path, run: Path) -> Measured:
    """Run the table in a process of this machine."""
    command = [sys.executable, "-m", "shipseal", "dry-run", "--json", "--run-dir", str(run)]
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=root, env={**os.environ, "PYTHONPATH": str(HOME)}, check=True, capture_output=True, text=True
    )
    total = time.monotonic() - began
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kept = {event["stage"] for event in events if event["event"] == "kept"}
    return Measured(total, {name: each for name, each in bodies(run).items() if name not in kept}, {})


def by_dagger(root: Path, run: Path) -> Measured:
    """Run the table by `dagger call dry-run`."""
    base = os.environ.get("DAGGER_TEST_BASE")
    given = [f"--store={default_root(os.environ)}", *([f"--base={base}"] if base else []), "--source=."]
    command = ["dagger", "--progress=plain", "-m", str(HOME), "call", *given, "dry-run", "export", f"--path={run}"]
    began = time.monotonic()
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    total = time.monotonic() - began
    around = containers(done.stderr)
    return Measured(total, {name: each for name, each in bodies(run).items() if name in around}, around)


def containers(log: str) -> dict[str, float]:
    """Read from Dagger's log how long each stage's container ran; those that the cache answered for are left out."""
    stages: dict[str, str] = {}
    found: dict[str, float] = {}
    for line in COLOUR.sub("", log).splitlines():
        if started := STARTED.search(line):
            stages[started[1]] = started[2]
        if (ended := ENDED.search(line)) and ended[1] in stages:
            found[stages[ended[1]]] = float(ended[2])
    return found


def table(host: tuple[Measured, Measured], dagger: tuple[Measured, Measured]) -> str:
    """Return the table; a dash is a stage that was kept or came from the cache."""
    lines = [
        "| stage | host cold | Dagger cold | its container | host warm | Dagger warm | its container |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in TABLE:
        cells = [
            measured.get(row.name)
            for one, other in zip(host, dagger, strict=True)
            for measured in (one.bodies, other.bodies, other.containers)
        ]
        shown = ["-" if cell is None else f"{cell:.1f}" for cell in cells]
        lines.append(f"| `{row.name}` | {' | '.join(shown)} |")
    totals = [f"{host[0].total:.1f} | {dagger[0].total:.1f} | ", f"{host[1].total:.1f} | {dagger[1].total:.1f} | "]
    return "\n".join([*lines, f"| the whole call | {' | '.join(totals)} |"])


def main() -> None:
    """Measure and print."""
    if not shutil.which("dagger"):
        sys.exit("error: there is no dagger\n  remedy install Dagger 0.21.8, or use tests/engines/with_engine.sh")
    with tempfile.TemporaryDirectory() as scratch:
        root = project(Path(scratch) / "greetings")
        by_dagger(
            project(Path(scratch) / "first"), Path(scratch) / "first-run"
        )  # makes the base layer, and says nothing
        host_run, dagger_runs = Path(scratch) / "host", [Path(scratch) / f"dagger-{n}" for n in (1, 2)]
        host = by_host(root, host_run), by_host(root, host_run)
        dagger = by_dagger(root, dagger_runs[0]), by_dagger(root, dagger_runs[1])
    print(f"seconds, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}\n\n{table(host, dagger)}")


if __name__ == "__main__":
    main()
