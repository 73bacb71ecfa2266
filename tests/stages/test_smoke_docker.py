"""The image of this repository's own service runs in Docker as a cluster would run it."""

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import HOME, Config
from pipeline.digest import Digest
from pipeline.host import wanted
from pipeline.locked.store import Store
from pipeline.run import Run
from pipeline.table import TABLE
from pipeline.world import choose

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("dockerd") or not shutil.which("docker"),
    reason="no Docker daemon can be started here: apt-get install docker.io, and be root",
)
CONTEXT = "private"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a home directory whose Docker speaks to a daemon of these tests' own, on a socket that nobody else knows."""
    base = tmp_path_factory.mktemp("docker")
    address = f"unix://{base}/socket"
    places = [f"--data-root={base}/data", f"--exec-root={base}/exec", f"--pidfile={base}/pid", f"--host={address}"]
    with (base / "log").open("wb") as log:
        daemon = subprocess.Popen(
            ["dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none", *places], stdout=log, stderr=log
        )
    try:
        until = time.monotonic() + 60
        while subprocess.run(["docker", "--host", address, "info"], capture_output=True, check=False).returncode:
            if daemon.poll() is not None or time.monotonic() > until:
                pytest.skip(f"the Docker daemon does not start here: {(base / 'log').read_text()[-300:]}")
            time.sleep(0.2)
        yield made_home(base / "home", address)
    finally:
        daemon.terminate()
        daemon.wait(60)


def made_home(home: Path, address: str) -> Path:
    """Write the context by which the Docker client finds the daemon."""
    meta = home / ".docker" / "contexts" / "meta" / hashlib.sha256(CONTEXT.encode()).hexdigest()
    meta.mkdir(parents=True)
    (home / ".docker" / "config.json").write_text(json.dumps({"currentContext": CONTEXT}))
    endpoint = {"docker": {"Host": address, "SkipTLSVerify": False}}
    (meta / "meta.json").write_text(json.dumps({"Name": CONTEXT, "Metadata": {}, "Endpoints": endpoint}))
    return home


@pytest.fixture
def docker(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have whatever a test starts speak to that daemon."""
    monkeypatch.setenv("HOME", str(home))


async def test_the_service_of_this_repository_is_started_asked_tested_and_stopped(
    docker: None, store: Store, locked: dict[str, Digest], tmp_path: Path
) -> None:
    config = Config.load(HOME / "pipeline.toml")
    run = Run(tmp_path / "run", config, store, locked, choose("dry-run", config))
    for stage in wanted(TABLE, "smoke"):
        await run.perform(stage)
    found: dict[str, Any] = json.loads((run.directory / "smoke" / "smoke.json").read_bytes())
    assert (found["isolation"], found["exit_code"]) == ("docker", 0)
    assert all(each["passed"] for each in found["requests"])
    assert found["suite"]["passed"] > 200
    trace = json.loads((run.directory / "smoke" / "trace.json").read_bytes())
    assert trace["how"] == "not watched", "the files lie with the daemon"
