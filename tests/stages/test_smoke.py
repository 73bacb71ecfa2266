"""The service is started from the image's own files, asked, and stopped; what is wrong with it is told apart."""

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.engine.run import Run
from shipseal.engine.stage import Stage
from shipseal.errors import SubjectFailed, VerificationFailed
from shipseal.locked.inputs import sandbox
from shipseal.locked.store import Store
from shipseal.stages.smoke import smoke
from tests.commands import pipeline
from tests.stages.services import PROGRAM, SERVER, Service

NO_DOCKER = Stage("smoke", smoke, needs=("image",), tools=("bwrap",))
NEITHER = Stage("smoke", smoke, needs=("image",))
ASKS = {"smoke": 'requests = [{ path = "/", contains = "hello" }]\ntimeout-seconds = 3\nstop-seconds = 2'}

needs_bubblewrap = pytest.mark.skipif(
    shutil.which("bwrap") is None
    or subprocess.run(["bwrap", "--ro-bind", "/", "/", "true"], check=False).returncode != 0,
    reason="bubblewrap is not installed or may not make namespaces here: apt-get install bubblewrap",
)


def served(change: Mapping[str, str]) -> Service:
    """Return the service with parts of its source replaced."""
    source = SERVER
    for old, new in change.items():
        assert old in source
        source = source.replace(old, new)
    return Service(files={**PROGRAM, "sample/server.py": source}, settings=ASKS)


async def smoked(
    service: Service,
    store: Store,
    root: Path,
    stage: Stage = NO_DOCKER,
    locked: Mapping[str, Digest] | None = None,
) -> dict[str, Any]:
    run = service.run(store, root, locked)
    await service.image_once(run)
    await run.perform(stage)
    found: dict[str, Any] = json.loads((run.directory / "smoke" / "smoke.json").read_bytes())
    return found


@needs_bubblewrap
async def test_a_good_service_is_started_asked_and_stopped(store: Store, tmp_path: Path) -> None:
    found = await smoked(served({}), store, tmp_path / "good")
    assert [(each["path"], each["status"], each["passed"]) for each in found["requests"]] == [
        ("/health", 200, True),
        ("/", 200, True),
    ]
    assert found["exit_code"] == 0
    assert found["started"] == {found["platform"]: found["digest"]}
    assert 0 < found["start_ms"] < 3000
    assert found["isolation"] == "bubblewrap"
    assert found["why"].startswith("Docker: ")


PROBES = {
    "it is process 1": "os.getpid() == 1",
    "its user is nobody": "os.getuid() == 65532 and os.getgid() == 65532",
    "it has no capabilities": "'CapEff:\\t0000000000000000' in open('/proc/self/status').read()",
    "it gets no more rights": "'NoNewPrivs:\\t1' in open('/proc/self/status').read()",
    "it finds no shell and no package manager": "not any(os.path.exists(f'/{where}/{name}') "
    "for where in ('bin', 'sbin', 'usr/bin', 'usr/sbin', 'usr/local/bin') "
    "for name in ('sh', 'bash', 'dash', 'busybox', 'apt', 'dpkg', 'pip', 'pip3'))",
    "no file of it raises rights": "not [name for top, _, names in os.walk('/usr') for name in names "
    "if os.lstat(os.path.join(top, name)).st_mode & 0o6000]",
    "nothing can be written anywhere in it": "not [top for top, _, _ in os.walk('/') "
    "if not top.startswith(('/proc', '/dev', '/sys')) and os.access(top, os.W_OK)]",
    "its files cannot be written": "not any(os.access(path, os.W_OK) for path in ('/', '/etc', '/usr', '/etc/passwd'))",
    "it sees no file of this machine": "set(os.listdir('/')) <= "
    "{'dev', 'etc', 'lib', 'lib64', 'proc', 'usr', 'var', 'sys', '.dockerenv'}",
    "it cannot write what the kernel goes by": "not any(os.access(os.path.join(top, name), os.W_OK) "
    "for top, _, names in os.walk('/proc/sys') for name in names)",
    "it sees no network but loopback": "[name for _, name in socket.if_nameindex()] == ['lo']",
    "it sees none of this machine's variables": "os.environ.keys() <= {'PATH', 'HOME', 'PWD', 'LC_CTYPE', 'HOSTNAME'}",
}


def probing() -> Service:
    """Return a service that says of each probe whether it holds."""
    checks = "{" + ", ".join(f"{name!r}: {probe}" for name, probe in PROBES.items()) + "}"
    return served(
        {
            "import signal": "import os, signal",
            'b"HTTP/1.0 200 OK\\r\\n\\r\\nhello"': f'b"HTTP/1.0 200 OK\\r\\n\\r\\nhello " + repr({checks}).encode()',
        }
    )


def require_isolated(found: Mapping[str, Any]) -> None:
    """Fail where a probe does not hold."""
    body = found["requests"][0]["body"]
    assert not re.findall(r"'([^']*)': False", body), body
    assert body.count(": True") == len(PROBES)


@needs_bubblewrap
async def test_a_machine_without_bubblewrap_takes_the_locked_one_and_records_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    require_isolated(found := await smoked(probing(), store, tmp_path / "locked"))
    assert found["isolation"] == "bubblewrap"
    (locked,) = sandbox()
    record = json.loads((tmp_path / "locked/.run/smoke/record.json").read_bytes())
    assert (record["tools"], list(record["materials"].values())) == ({}, [str(locked.digest)])


@needs_bubblewrap
async def test_what_is_started_is_alone_and_has_no_rights(store: Store, tmp_path: Path) -> None:
    require_isolated(await smoked(probing(), store, tmp_path / "alone"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hello": "bye"}, "1 of 2 requests failed"),
        ({"200 OK": "500 Broken"}, "2 of 2 requests failed"),
        ({"sys.exit(0)": "sys.exit(3)"}, "exit code 3 after SIGTERM"),
        ({"while True:": "while broken_at_the_start:"}, "ended by itself with exit code 1"),
        ({'"0.0.0.0", 8080': '"0.0.0.0", 8181'}, "does not listen on its port"),
        ({"sys.exit(0)": "None"}, "does not stop within 2 s of SIGTERM"),
    ],
)
@needs_bubblewrap
async def test_each_way_to_fail_has_its_own_message(
    store: Store, tmp_path: Path, change: dict[str, str], message: str
) -> None:
    with pytest.raises(SubjectFailed, match=message):
        await smoked(served(change), store, tmp_path / "bad")


@needs_bubblewrap
async def test_what_a_service_said_before_it_ended_is_in_the_message(store: Store, tmp_path: Path) -> None:
    service = served({"while True:": "while broken_at_the_start:"})
    with pytest.raises(SubjectFailed) as caught:
        await smoked(service, store, tmp_path / "bad")
    assert "NameError: name 'broken_at_the_start' is not defined" in caught.value.why


@needs_bubblewrap
async def test_a_module_that_reading_could_not_find_is_named_with_where_to_add_it(store: Store, tmp_path: Path) -> None:
    late = "__import__('colorsys') and connection.sendall("
    with pytest.raises(SubjectFailed, match="ended by itself") as caught:
        await smoked(served({"connection.sendall(": late}), store, tmp_path / "late")
    assert "ModuleNotFoundError: No module named 'colorsys'" in caught.value.why
    assert '[image] modules = ["colorsys"]' in caught.value.remedy


@pytest.fixture
def taken_port() -> Iterator[None]:
    """Have something else listen on the service's port."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("0.0.0.0", 8080))
            other.listen()
        except OSError:
            pass  # somebody has it already, which does as well
        yield


PORT = 'int(__import__("os").environ.get("PORT", "8080"))'


async def test_without_a_sandbox_the_images_own_loader_starts_it_and_this_is_said_aloud(
    store: Store, tmp_path: Path, taken_port: None
) -> None:
    found = await smoked(served({"8080": PORT}), store, tmp_path / "loader", NEITHER)
    assert found["isolation"] == "loader"
    assert found["limits"].startswith("none at all")
    assert "bubblewrap: " in found["why"]
    assert found["exit_code"] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="the machine's root alone is root in and outside of a namespace")
async def test_root_in_a_namespace_starts_nothing_without_a_sandbox(store: Store, tmp_path: Path) -> None:
    """As a container's stage is started; what such a root owns it may write, whatever its capabilities."""
    run = served({}).run(store, tmp_path / "root")
    await served({}).image_once(run)
    broken = tmp_path / "programs" / "bwrap"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    ended = pipeline(
        *("stage", "smoke", "--run-dir", run.directory, "--store", store.root),
        cwd=run.config.root,
        prefix=("unshare", "--user", "--map-root-user", "--"),
        env={"PATH": f"{broken.parent}:{os.environ['PATH']}"},
    )
    assert ended.code == 4, ended.output
    assert "nothing here can start the image apart from this machine" in ended.stderr
    assert "bubblewrap: " in ended.stderr
    assert not (run.directory / "smoke").exists()


@needs_bubblewrap
async def test_a_port_that_is_taken_on_this_machine_does_not_matter_in_a_sandbox(
    store: Store, tmp_path: Path, taken_port: None
) -> None:
    assert (await smoked(served({}), store, tmp_path / "taken"))["exit_code"] == 0


@needs_bubblewrap
async def test_a_callable_is_served(store: Store, tmp_path: Path) -> None:
    source = (
        "def app(environ, start):\n    start('200 OK', [])\n    return [b'hello ', environ['PATH_INFO'].encode()]\n"
    )
    service = Service(
        files={"greet.py": source},
        start='callable = "greet:app"',
        waitress=True,
        settings={"smoke": 'requests = [{ path = "/you", contains = "hello /you" }]'},
    )
    found = await smoked(service, store, tmp_path / "callable")
    assert all(each["passed"] for each in found["requests"])


async def test_settings_for_the_smoke_test_reach_the_service_and_not_the_image(store: Store, tmp_path: Path) -> None:
    source = SERVER.replace('b"HTTP/1.0 200 OK\\r\\n\\r\\nhello"', 'b"HTTP/1.0 200 OK\\r\\n\\r\\nhello" + mood')
    source = source.replace("import signal", "import os\nmood = os.environ.get('MOOD', 'none').encode()\nimport signal")
    settings = {"smoke": 'requests = [{ path = "/", contains = "hellobright" }]\nenvironment = { MOOD = "bright" }'}
    service = Service(files={**PROGRAM, "sample/server.py": source}, settings=settings)
    run = service.run(store, tmp_path / "mood")
    await service.image(run)
    await run.perform(NO_DOCKER if shutil.which("bwrap") else NEITHER)
    configurations = [p.read_text() for p in (run.directory / "image/layout/blobs").rglob("*") if _has(p, b"rootfs")]
    assert configurations
    assert not any("MOOD" in text for text in configurations)


def _has(path: Path, word: bytes) -> bool:
    return path.is_file() and path.stat().st_size < 10_000 and word in path.read_bytes()


async def test_an_altered_layer_is_never_started(store: Store, tmp_path: Path) -> None:
    service = served({})
    run: Run = service.run(store, tmp_path / "altered")
    document = await service.image(run)
    layer = document["platforms"]["linux/amd64"]["layers"][-1]["digest"].partition(":")[2]
    blob = run.directory / "image/layout/blobs/sha256" / layer
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    with pytest.raises(VerificationFailed, match="altered"):
        await run.perform(NEITHER)
