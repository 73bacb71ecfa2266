"""The image of this repository's own service runs in Docker as a cluster would run it."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.engine.stage import Stage
from shipseal.engine.table import TABLE
from shipseal.errors import SubjectFailed
from shipseal.image.bytecode import this_platform
from shipseal.locked.store import Store
from shipseal.stages.smoke import smoke
from shipseal.tools.toolbox import Toolbox
from tests.stages.ours import Ours, ours
from tests.stages.services import PROGRAM, Service
from tests.stages.test_smoke import probing, require_isolated, smoked
from tests.stages.test_smoke_bounds import BOMB, asking, writing

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("dockerd") or not shutil.which("docker"),
    reason="no Docker daemon can be started here: apt-get install docker.io, and be root",
)
CONTEXT = "private"
DOCKER = Stage("smoke", smoke, needs=("image",), tools=("docker", "olareg", "oras"))


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


@pytest.fixture(scope="module")
def image(store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory) -> Ours:
    """Give the image of this repository's own service."""
    return anyio.run(ours, tmp_path_factory.mktemp("ours") / "run", store, locked, "image")


@asynccontextmanager
async def pulled(image: Ours, work: Path, digest: Digest) -> AsyncIterator[str]:
    """Have Docker pull a digest from a registry on loopback; give the name that it has then, and remove it."""
    tools = Toolbox(image.run.store, image.run.locked, frozenset({"olareg", "oras"}), work / "log")
    (work / "registry").mkdir()
    async with image.run.world.registry(tools, work / "registry", writable=True) as registry:
        await registry.push(image.layout.path, image.index)
        name = str(registry.reference(digest))
        await anyio.run_process(["docker", "pull", "--quiet", name])
    try:
        yield name
    finally:
        await anyio.run_process(["docker", "rmi", "--force", name])


def said(*words: str) -> bytes:
    return subprocess.run(["docker", *words], check=True, capture_output=True).stdout


# Docker makes these in every container, and their parents: they are in no image.
MOUNTS = {".dockerenv", "dev/console", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab"}


@pytest.mark.parametrize("digest", ["index", "linux/amd64", "linux/arm64"])
async def test_docker_pulls_by_digest_what_the_image_is_said_to_hold(
    docker: None, image: Ours, tmp_path: Path, digest: str
) -> None:
    platform = this_platform(["linux/amd64", "linux/arm64"]) if digest == "index" else digest
    wanted = image.index if digest == "index" else image.manifest(digest)
    async with pulled(image, tmp_path, wanted) as name:
        (found,) = json.loads(said("image", "inspect", name))
        container = said("create", name).decode().strip()
        exported = said("export", container)
        said("rm", container)
    assert (f"{found['Os']}/{found['Architecture']}", found["RepoDigests"]) == (platform, [name])
    with tarfile.open(fileobj=io.BytesIO(exported)) as archive:
        assert {member.name for member in archive if not member.isdir()} - MOUNTS == image.files(platform)


FLAGS = (
    "--rm", "--pull", "never", "--read-only", "--cap-drop", "ALL", "--user", "65532:65532",
    "--security-opt", "no-new-privileges", "--network", "none",
)  # fmt: skip


async def test_docker_finds_no_other_program_in_it(docker: None, image: Ours, tmp_path: Path) -> None:
    async with pulled(image, tmp_path, image.manifest(this_platform(["linux/amd64", "linux/arm64"]))) as name:
        command = ["docker", "run", *FLAGS, "--entrypoint", "/usr/bin/python3.11", name, "-I", "-c", "print('here')"]
        assert (await anyio.run_process(command)).stdout == b"here\n"
        for program in ("sh", "/bin/sh", "/bin/bash", "apt", "dpkg", "pip", "/usr/bin/env"):
            command = ["docker", "run", *FLAGS, "--entrypoint", program, name]
            ended = await anyio.run_process(command, check=False)
            assert ended.returncode == 127, program
            assert b"no such file or directory" in ended.stderr or b"executable file not found" in ended.stderr


async def test_what_docker_starts_is_alone_and_has_no_rights(
    docker: None, store: Store, locked: dict[str, Digest], tmp_path: Path
) -> None:
    found = await smoked(probing(), store, tmp_path / "alone", DOCKER, locked)
    assert found["isolation"] == "docker"
    require_isolated(found)


async def test_what_docker_starts_writes_where_it_is_allowed_to_and_nowhere_else(
    docker: None, store: Store, locked: dict[str, Digest], tmp_path: Path
) -> None:
    service = writing(asking("/tmp /var/cache/sample"))
    found = await smoked(service, store, tmp_path / "writes", DOCKER, locked)
    assert (found["isolation"], found["requests"][1]["passed"]) == ("docker", True)


async def test_what_docker_starts_cannot_fork_without_end(
    docker: None, store: Store, locked: dict[str, Digest], tmp_path: Path
) -> None:
    service = Service(files={**PROGRAM, "sample/server.py": BOMB})
    with pytest.raises(SubjectFailed, match="ended by itself") as caught:
        await smoked(service, store, tmp_path / "forks", DOCKER, locked)
    assert any("Resource temporarily unavailable" in line for line in caught.value.why)


async def test_the_service_of_this_repository_is_started_asked_tested_and_stopped(
    docker: None, image: Ours, tmp_path: Path
) -> None:
    run = replace(image.run, directory=shutil.copytree(image.run.directory, tmp_path / "run", symlinks=True))
    await run.perform(next(stage for stage in TABLE if stage.name == "smoke"))
    found: dict[str, Any] = json.loads((run.directory / "smoke" / "smoke.json").read_bytes())
    assert (found["isolation"], found["exit_code"]) == ("docker", 0)
    assert all(each["passed"] for each in found["requests"])
    assert found["suite"]["passed"] > 200
    trace = json.loads((run.directory / "smoke" / "trace.json").read_bytes())
    assert trace["how"] == "not watched", "the files lie with the daemon"
