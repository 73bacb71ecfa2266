"""Run the pipeline's command line as people do: another process, on a project of its own."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SAMPLES = Path(__file__).parent / "samples"


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Both outputs."""
        return self.stdout + self.stderr


def commit(root: Path) -> None:
    """Commit everything below a directory, as nobody in particular."""
    identity = ["-c", "user.name=A Tester", "-c", "user.email=tester@example.invalid", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], [*identity, "commit", "-q", "-m", "Start"]):
        subprocess.run(["git", "-C", root, *arguments], check=True)


def clone(sample: str, root: Path) -> Path:
    """Make a repository with one commit of a sample service."""
    shutil.copytree(SAMPLES / sample, root)
    commit(root)
    return root


def arguments(*words: str | Path) -> list[str]:
    """Return the command line of the pipeline; a dry run judges dates as of the tests' own day, whatever today is."""
    said = list(map(str, words))
    if said[:1] == ["dry-run"] and "--as-of" not in said:
        said += ["--as-of", NOW.isoformat()]
    return [sys.executable, "-P", "-m", "shipseal", *said]


def pipeline(
    *words: str | Path, cwd: Path, prefix: tuple[str, ...] = (), env: dict[str, str] | None = None, timeout: float = 240
) -> Ended:
    """Run a verb to its end; `prefix` is a command in front of it, such as unshare."""
    done = subprocess.run(
        [*prefix, *arguments(*words)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def read(run: Path, name: str) -> Any:
    """Read a JSON file of a run directory."""
    return json.loads((run / name).read_bytes())


def stages(run: Path) -> set[str]:
    """Return the stages that have finished in a run directory."""
    return {path.parent.name for path in run.glob("*/record.json")}


def flip(path: Path, offset: int = -1) -> None:
    """Change one byte of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(data))
