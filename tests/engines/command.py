"""Run the `dagger` command, with a checkout of the pipeline as its module."""

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.commands import Ended

PATIENCE = 900  # seconds: a cold engine installs what stages need before the first one starts


@dataclass(frozen=True)
class Dagger:
    """The `dagger` command, with a checkout of the pipeline as its module.

    Args:
        module: the checkout.
        given: the constructor's arguments that this engine needs.
        project: where it is called from.
    """

    module: Path
    given: tuple[str, ...]
    project: Path

    def arguments(self, *words: str | Path, progress: str = "--silent") -> list[str]:
        """Return the command line of a call; the project is always this one."""
        return ["dagger", progress, "-m", str(self.module), "call", *self.given, "--source=.", *map(str, words)]

    def call(self, *words: str | Path, progress: str = "--silent", env: dict[str, str] | None = None) -> Ended:
        """Call a function to its end."""
        return run(self.arguments(*words, progress=progress), self.project, env)

    def start(self, *words: str | Path, log: Path, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a call and leave it; its output goes into a file."""
        with log.open("wb") as output:
            return subprocess.Popen(
                self.arguments(*words, progress="--progress=plain"),
                cwd=self.project,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def of(self, project: Path) -> "Dagger":
        """Return the same command on another project."""
        return Dagger(self.module, self.given, project)


def run(command: list[str], where: Path, env: dict[str, str] | None = None, timeout: float = PATIENCE) -> Ended:
    """Run a command to its end."""
    done = subprocess.run(
        command,
        cwd=where,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def interrupt(process: subprocess.Popen[bytes]) -> int:
    """Press Ctrl-C, and return the exit code."""
    os.killpg(process.pid, signal.SIGINT)
    return process.wait(timeout=60)
