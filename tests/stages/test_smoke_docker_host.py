"""Docker is asked as its user has set it up, and passed over with a reason where its daemon is on another machine."""

import os
from pathlib import Path

import pytest

from pipeline.locked.store import Store
from pipeline.stage import Stage
from pipeline.stages.smoke import smoke
from pipeline.toolbox import Toolbox
from tests.stages.test_smoke import needs_bubblewrap, served, smoked

DOCKER = Stage(smoke, needs=("image",), tools=("docker", "olareg", "oras", "bwrap"))
SETTINGS = {
    "DOCKER_HOST": "unix:///run/user/1000/docker.sock",
    "DOCKER_CONTEXT": "rootless",
    "DOCKER_CONFIG": "/home/somebody/.docker",
    "DOCKER_CERT_PATH": "/home/somebody/certificates",
    "DOCKER_TLS_VERIFY": "1",
}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a directory that is looked into first, with two programs that say what they see."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in ("docker", "git"):
        (directory / name).write_text("#!/bin/sh\nenv\n")
        (directory / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return directory


@pytest.mark.parametrize(("program", "seen"), [("docker", SETTINGS), ("git", {})])
async def test_docker_alone_sees_how_its_user_has_set_it_up(
    program: str, seen: dict[str, str], programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    tools = Toolbox(Store(tmp_path / "store"), {}, frozenset({program}), tmp_path / "log.txt")
    said = (await tools.run(program)).stdout.decode().splitlines()
    assert {line for line in said if line.startswith("DOCKER_")} == {f"{name}={seen[name]}" for name in seen}


@needs_bubblewrap
@pytest.mark.parametrize("address", ["tcp://192.0.2.1:2376", "ssh://somebody@builder.invalid"])
async def test_a_daemon_on_another_machine_is_passed_over_with_the_reason(
    address: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    found = await smoked(served({}), store, tmp_path / "far", DOCKER)
    assert found["isolation"] == "bubblewrap"
    assert (
        f"its daemon is on another machine ({address.replace('somebody@', '').removesuffix(':2376')})" in found["why"]
    )
    assert "it can reach neither the registry on loopback nor the files that smoke lends" in found["why"]
