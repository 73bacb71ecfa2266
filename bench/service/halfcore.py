"""Half a core: the service and Go in containers with `--cpus .5`, at full speed and at a pace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.service.contestants import Contestant
from bench.service.processes import await_answer, free_port
from bench.service.programs import HERE, ROOT, MissingError, program

LIMIT = 5.0  # milliseconds: the p99 that the architecture promises
PACES = (500, 1000, 1500, 2000, 3000, 4000, 5000, 6000, 8000, 10000, 12000, 15000, 20000)  # requests/s
TRIES = 3  # other load can only make a run worse
# Latency under other load says nothing of a server: the container comes first within its quota (--cpu-shares), and so
# does the client, where we may say so.
FIRST = ["nice", "-n", "-15"] if os.geteuid() == 0 else []


@dataclass(frozen=True)
class HalfCore:
    """What a contestant reaches in half a core: requests/s at full speed, and the highest paced rate within LIMIT."""

    name: str
    rate: float
    paced: int


@contextmanager
def docker() -> Iterator[str]:
    """Give the address of a Docker daemon: the one that runs, or one of our own for as long as it is needed.

    Raises:
        MissingError: there is none, and none can be started.
    """
    client = program("docker", "install Debian's docker.io")
    if subprocess.run([client, "info"], capture_output=True, check=False).returncode == 0:
        yield os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        return
    if os.geteuid() != 0:
        raise MissingError("no Docker daemon answers, and only root can start one")
    daemon = program("dockerd", "install Debian's docker.io")
    with tempfile.TemporaryDirectory(prefix="bench-docker-", ignore_cleanup_errors=True) as folder:
        address = f"unix://{folder}/docker.sock"
        places = ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
        command = [daemon, "-H", address, *places, "--bridge=none", "--iptables=false", "--ip6tables=false"]
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            _await_daemon(client, address, process, Path(folder, "log"))
            yield address
        finally:
            process.terminate()
            process.wait(30)
            left = f"{folder}/exec/netns/default"  # the daemon leaves a mount behind
            subprocess.run(["umount", "-l", left], capture_output=True, check=False)


def _await_daemon(client: str, address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 30
    while subprocess.run([client, "-H", address, "info"], capture_output=True, check=False).returncode:
        if process.poll() is not None or time.monotonic() > end:
            raise MissingError(f"dockerd does not start: {log.read_text(errors='replace')[-400:]}")
        time.sleep(0.2)


def measure(chosen: Sequence[Contestant], address: str, wrk: str, vegeta: Path, seconds: int) -> list[HalfCore]:
    """Start all in containers, then load them in turn, so that what else the machine does meets all alike."""
    with ExitStack() as stack:
        urls = {one.name: f"http://127.0.0.1:{stack.enter_context(_contained(one, address))}/" for one in chosen}
        rates = {name: _full_speed(wrk, url, seconds) for name, url in urls.items()}
        paces = highest_paces(vegeta, urls, seconds)
        return [HalfCore(name, rates[name], paces[name]) for name in urls]


def _full_speed(wrk: str, url: str, seconds: int) -> float:
    command = [wrk, "-t1", "-c64", f"-d{seconds}s", "-s", str(HERE / "wrk.lua"), url]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    told = json.loads(report.splitlines()[-1])
    return float(told["requests"]) / (float(told["microseconds"]) / 1e6)


@contextmanager
def _contained(contestant: Contestant, address: str) -> Iterator[int]:
    """Run a contestant in a container that sees this machine's files, read-only, and has half a core."""
    port, client = free_port(), ["docker", "-H", address]
    empty = subprocess.run(["tar", "-cT", "/dev/null"], capture_output=True, check=True).stdout
    image = (
        subprocess.run([*client, "import", "-"], input=empty, capture_output=True, check=True).stdout.decode().strip()
    )
    folders = {"/usr", "/lib", "/lib64", str(ROOT), sys.base_prefix, str(Path(contestant.command[0]).parent)}
    mounts = [f"--volume={folder}:{folder}:ro" for folder in sorted(folders) if Path(folder).exists()]
    variables = {"PYTHONPATH": str(ROOT), **contestant.environment}
    settings = [f"--env={name}={value.format(port=port)}" for name, value in variables.items()]
    limits = [
        "--cpus=.5",
        "--cpu-shares=262144",
        "--read-only",
        "--cap-drop=ALL",
        "--network=host",
        "--log-driver=none",
        "--rm",
    ]
    command = [word.format(port=port) for word in contestant.command]
    process = subprocess.Popen(
        [*client, "run", f"--name=bench-{port}", *limits, *mounts, *settings, f"--workdir={ROOT}", image, *command],
        stdout=subprocess.DEVNULL,
    )
    try:
        await_answer(port, process)
        yield port
    finally:
        subprocess.run([*client, "stop", "-t", "5", f"bench-{port}"], capture_output=True, check=False)
        process.wait(20)


def highest_paces(vegeta: Path, urls: Mapping[str, str], seconds: int) -> dict[str, int]:
    """Return for each the highest rate of PACES at which the p99 stays under LIMIT and nothing fails.

    The same rate is tried on all before the next one; who fails two in a row is out.
    """
    best, misses = dict.fromkeys(urls, 0), dict.fromkeys(urls, 0)
    for rate in PACES:
        for name, url in urls.items():
            if misses[name] < 2:
                held = within(vegeta, url, rate, seconds)
                misses[name] = 0 if held else misses[name] + 1
                best[name] = rate if held else best[name]
    return best


def within(vegeta: Path, url: str, rate: int, seconds: int) -> bool:
    """Say whether the p99 at a paced rate stays under LIMIT in one of TRIES runs."""
    for _ in range(TRIES):
        attack = [
            *FIRST,
            str(vegeta),
            "attack",
            f"-rate={rate}",
            f"-duration={seconds}s",
            "-workers=64",
            "-max-workers=256",
        ]
        shots = subprocess.run(attack, input=f"GET {url}\n".encode(), capture_output=True, check=True).stdout
        report = subprocess.run([str(vegeta), "report", "-type=json"], input=shots, capture_output=True, check=True)
        told = json.loads(report.stdout)
        if told["success"] == 1 and told["latencies"]["99th"] / 1e6 < LIMIT:
            return True
    return False
