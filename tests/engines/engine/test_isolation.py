"""What a stage without a network has under Dagger: loopback, no privilege, and no way back to either."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.commands import clone, read
from tests.conftest import commit
from tests.engines.command import Dagger

pytestmark = pytest.mark.timeout(1200)

ASKS = """
import ctypes
import socket
from pathlib import Path

import pytest

STATUS = dict(line.split(":\\t", 1) for line in Path("/proc/self/status").read_text().splitlines())


@pytest.mark.parametrize("kind", ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
def test_it_has_no_capability(kind):
    assert int(STATUS[kind], 16) == 0


def test_it_can_get_no_privilege_by_starting_a_program():
    assert STATUS["NoNewPrivs"] == "1"


def test_it_sees_loopback_and_no_other_interface():
    assert [name for _, name in socket.if_nameindex()] == ["lo"]


def test_it_reaches_nothing():
    with socket.socket() as client, pytest.raises(OSError, match="unreachable"):
        client.connect(("192.0.2.1", 443))


def test_loopback_works():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=1).close()


def test_it_cannot_enter_the_network_that_its_container_has():
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        with open("/proc/1/ns/net") as namespace:
            assert libc.setns(namespace.fileno(), 0x40000000) == -1
    except PermissionError:
        pass  # it may not even look at it


def test_it_cannot_mount():
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mount(b"none", b"/mnt", b"tmpfs", 0, None) == -1
"""


def test_a_stage_without_a_network_has_no_privilege_either(greetings: Dagger, tmp_path: Path) -> None:
    project = clone("failing-test", tmp_path / "asks")
    (project / "tests" / "test_hello.py").write_text(ASKS)
    commit(project)
    ended = greetings.of(project).call("test", "contents")
    assert ended.code == 0, ended.output
    assert 'tests="11"' in ended.stdout
    assert 'failures="0"' in ended.stdout


@contextmanager
def watched_arguments(secret: str) -> Iterator[list[str]]:
    """Look at the arguments of every process of this machine, all the time, and collect those that hold a secret."""
    found: list[str] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    if secret.encode() in (line := path.read_bytes()):
                        found.append(line.decode(errors="replace"))
            time.sleep(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def engine_files() -> list[Path]:
    """Return what an engine of this machine has written, where that can be found from its socket."""
    host = os.environ.get("_EXPERIMENTAL_DAGGER_RUNNER_HOST", "")
    home = Path(host.removeprefix("unix://")).parent.parent
    found = [*home.glob("*.log"), *home.glob("state/**/*.db"), *home.glob("state/**/*.db-wal")]
    assert found or not host.startswith("unix://"), f"an engine has written nothing in {home}"
    return found


POLICY = """
[policies.production]
trust-root = "public"
slsa-build-level = 1
source = "https://code.invalid/acme/greetings"

[[policies.production.signers]]
identity = "https://code.invalid/acme/greetings/release"
issuer = "https://issuer.invalid"
"""


@pytest.fixture
def release(greetings: Dagger, dry_run: Path, tmp_path: Path) -> Dagger:
    """Give `dagger` on a project that may be released: it has a database, and its signer cannot be reached."""
    project = clone("greetings", tmp_path / "release")
    subprocess.run(["cp", "-r", dry_run / "scan" / "database", project / "database"], check=True)
    identity = read(project, "database/database.json")
    (project / "database" / "database.json").write_text(json.dumps({**identity, "sample": False}))
    with (project / "pipeline.toml").open("a") as configuration:
        configuration.write('\n[scan]\ndatabase = "database"\n')
    with (project / "rules" / "verification.toml").open("a") as policy:
        policy.write(POLICY)
    commit(project)
    return greetings.of(project)


def test_the_value_of_a_secret_is_in_no_output_no_argument_and_no_file_of_the_engine(
    release: Dagger, tmp_path: Path
) -> None:
    """The token is not valid, so the stage that signs ends: what it was given must be nowhere."""
    token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJuZXZlci1zaG93LXRoaXMtdG9rZW4ifQ.c2VjcmV0LXNpZ25hdHVyZQ"
    password = "never-show-this-password"
    auth = tmp_path / "config.json"
    auth.write_text(json.dumps({"auths": {"registry.invalid": {"auth": password}}}))
    with watched_arguments(token) as tokens, watched_arguments(password) as passwords:
        arguments = ("release", "--token=env://A_TOKEN", f"--registry-auth=file://{auth}")
        ended = release.call(*arguments, progress="--progress=plain", env={"A_TOKEN": token})
    assert ended.code == 5, ended.output[-3000:]
    assert "stage attest" in ended.output
    for secret in (token, password):
        assert secret not in ended.output
        assert [str(path) for path in engine_files() if secret.encode() in path.read_bytes()] == []
    assert tokens + passwords == []
