"""Docker is asked as its user has set it up, pulls from loopback, and is passed over where its daemon is far away."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.engine.stage import Stage
from shipseal.engine.world import choose
from shipseal.locked.store import Store
from shipseal.stages.smoke import smoke
from shipseal.tools.toolbox import Toolbox
from tests.release.registries import olareg
from tests.stages.services import Service
from tests.stages.test_smoke import needs_bubblewrap, served, smoked

DOCKER = Stage("smoke", smoke, needs=("image",), tools=("docker", "olareg", "oras", "bwrap"))
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


DAEMON = """#!{python}
import json, pathlib, sys, urllib.request
words = sys.argv[1:]
with pathlib.Path(__file__).with_name("asked").open("a") as log:
    log.write(json.dumps(words) + "\\n")
if words[0] == "context":
    print("unix:///var/run/docker.sock")
if words[0] == "pull":
    host, _, rest = words[-1].partition("/")
    repository, _, digest = rest.partition("@")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
    opener.open(f"http://{{host}}/v2/{{repository}}/manifests/{{digest}}").read()
if words[0] == "run":
    print("ready 1", "answer " + b"HTTP/1.0 200 OK\\r\\n\\r\\n".hex(), "catches 1", "memory 1", sep="\\n")
"""


def content(registry: Path) -> dict[str, bytes]:
    """Return all that a registry keeps, by name."""
    return {str(path.relative_to(registry)): path.read_bytes() for path in registry.rglob("*") if path.is_file()}


async def test_a_release_hands_docker_an_image_that_nobody_has_judged_from_loopback_and_from_nowhere_else(
    store: Store, locked: dict[str, Digest], programs: Path, tmp_path: Path
) -> None:
    (programs / "docker").write_text(DAEMON.format(python=sys.executable))
    (tmp_path / "registry").mkdir()
    with olareg(store.get(locked["olareg"]), tmp_path / "registry") as registry:
        dry = Service().run(store, tmp_path / "project", locked)
        image = dry.config.image.model_copy(update={"repository": f"{registry.host}/acme/sample"})
        plain = dry.config.registry.model_copy(update={"plain_http": True})
        config = dry.config.model_copy(update={"image": image, "registry": plain})
        run = replace(dry, config=config, world=choose("release", config, agreed=True))
        await Service().image(run)
        async with run.world.registry(_pushing(store, locked, tmp_path), None, writable=True) as configured:
            await configured.push_blob(tmp_path / "project/lock", Digest.of(b""))
        before = content(tmp_path / "registry/files")
        await run.perform(DOCKER)
        after = content(tmp_path / "registry/files")
    asked = [json.loads(line) for line in (programs / "asked").read_text().splitlines()]
    (pulled,) = [words[-1] for words in asked if words[0] == "pull"]
    assert pulled.startswith("127.0.0.1:")
    assert registry.host not in str(asked)
    assert before
    assert before == after


def _pushing(store: Store, locked: dict[str, Digest], work: Path) -> Toolbox:
    return Toolbox(store, locked, frozenset({"oras"}), work / "log.txt")
