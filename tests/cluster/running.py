"""Start clusters as people do, by the command line, and speak to them by their own kubectl."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.commands import Ended, arguments


@dataclass(frozen=True)
class Kubectl:
    """The kubectl of a cluster, as one of its users, in one namespace.

    Args:
        program: where it is.
        kubeconfig: how its user reaches the cluster; `HOME` is beside it, so that nobody's own settings matter.
        namespace: where it works unless a command says otherwise; "" for wherever each object says.
    """

    program: Path
    kubeconfig: Path
    namespace: str = "default"

    def __call__(self, *words: str, given: object = None, code: int | None = 0, timeout: float = 60) -> Ended:
        """Run a command that is to end with a code, if one is named; `given` is for its standard input: objects."""
        given = given if isinstance(given, list) else [given]
        done = subprocess.run(
            [self.program, f"--namespace={self.namespace}", *words],
            input="\n---\n".join(map(json.dumps, given)),
            env={"HOME": str(self.kubeconfig.parent), "KUBECONFIG": str(self.kubeconfig)},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert code in {None, done.returncode}, done.stdout + done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    def read(self, *words: str) -> Any:
        """Return what `get` says, as objects."""
        return json.loads(self("get", "-o", "json", *words).stdout)

    def within(self, namespace: str) -> "Kubectl":
        """Return the same in another namespace."""
        return replace(self, namespace=namespace)

    def of(self, kubeconfig: Path) -> "Kubectl":
        """Return the same as another user."""
        return replace(self, kubeconfig=kubeconfig)


@dataclass(frozen=True)
class Running:
    """A cluster that a command keeps running: that command, its kubectl, and the seconds that the start took."""

    process: subprocess.Popen[str]
    kubectl: Kubectl
    seconds: float
    log: Path

    @property
    def directory(self) -> Path:
        """Where everything of it lies."""
        return self.kubectl.kubeconfig.parent

    def servers(self) -> dict[int, str]:
        """Return the processes that run out of its directory, zombies left out: number and command line."""
        return processes_of(self.directory)


@contextmanager
def cluster(log: Path, *words: str) -> Iterator[Running]:
    """Run `shipseal cluster`; kill it at the end if it runs still."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            arguments("cluster", "--json", *words), stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        ready = json.loads(line) if line else {}
        assert ready.get("event") == "cluster", f"{line}{log.read_text()}"
        kubectl = Kubectl(Path(ready["kubectl"]), Path(ready["kubeconfig"]))
        yield Running(process, kubectl, ready["seconds"], log)
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)


def processes_of(directory: Path) -> dict[int, str]:
    """Return the processes whose command lines name a directory; one that has ended has none."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(directory) in line and int(entry.name) != os.getpid():
            found[int(entry.name)] = line
    return found


def gone(directory: Path, within: float = 10) -> bool:
    """Say whether no process of a directory is left, at the latest after so many seconds."""
    return soon(lambda: not processes_of(directory), within)


def soon(holds: Callable[[], bool], within: float = 10) -> bool:
    """Say whether something holds, at the latest after so many seconds."""
    end = time.monotonic() + within
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.05)
    return held
