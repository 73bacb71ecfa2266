"""What a stage without a network has under Dagger: loopback, no privilege, and no way back to either."""

import json
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shipseal.local import advisories
from shipseal.project.config import HOME
from tests.commands import clone, pipeline, read
from tests.conftest import commit
from tests.engines.command import Dagger
from tests.engines.engine.conftest import with_suite

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


def test_it_finds_no_device_of_the_engines_machine():
    found = {path for path in Path("/dev").iterdir() if path.is_block_device() or path.is_char_device()}
    devices = {path.name for path in found if not path.is_symlink()}
    assert devices <= {"full", "null", "random", "tty", "urandom", "zero"}


@pytest.mark.parametrize("setting", ["core_pattern", "hostname", "panic"])
def test_it_cannot_write_what_the_kernel_goes_by(setting):
    \"""Root owns these files, and needs no capability to write what it owns.\"""
    with pytest.raises(OSError):
        open(f"/proc/sys/kernel/{setting}", "r+b").close()
"""


@pytest.fixture(scope="module")
def asking(greetings: Dagger, tmp_path_factory: pytest.TempPathFactory) -> Dagger:
    """Give `dagger` on a project whose tests ask what they may do, as what they are run by."""
    project = clone("failing-test", tmp_path_factory.mktemp("asks") / "asks")
    (project / "tests" / "test_hello.py").write_text(ASKS)
    return greetings.of(with_suite(project, 'packages = ["libffi8"]'))  # for ctypes


def test_a_stage_without_a_network_has_no_privilege_either(asking: Dagger) -> None:
    ended = asking.call("test", "contents")
    assert ended.code == 0, ended.output
    assert 'tests="15"' in ended.stdout
    assert 'failures="0"' in ended.stdout


def test_what_smoke_starts_has_none_either(asking: Dagger, tmp_path: Path) -> None:
    ended = asking.call("stage", "--name=smoke", "export", f"--path={tmp_path}/run")
    assert ended.code == 0, ended.output
    found = read(tmp_path / "run", "smoke/smoke.json")
    assert (found["isolation"], found["suite"]["passed"]) == ("bubblewrap", 15)


SMOKE = """
import ctypes
import os
import socket
import stat
import time
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_NAMESPACE, NETWORK, DETACH = 0x00020000, 0x40000000, 0x2


def checked(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def enter_the_network():
    with open("/proc/1/ns/net") as namespace:
        checked(LIBC.setns(namespace.fileno(), NETWORK))


def mount(kind):
    return lambda: checked(LIBC.mount(b"/dev/loop0", b"/mnt", kind, 0, None))


ASKS = {
    "enter the network that its container has": enter_the_network,
    "mount": mount(b"tmpfs"),
    "unmount": lambda: checked(LIBC.umount2(b"/proc", DETACH)),
    "make a device": lambda: os.mknod("/tmp/disk", stat.S_IFBLK | 0o600, os.makedev(7, 0)),
    "set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
    "name the machine": lambda: socket.sethostname(socket.gethostname()),
    "make a mount namespace": lambda: checked(LIBC.unshare(NEW_NAMESPACE)),
    "mount in it": mount(b"tmpfs"),
    "mount a disk in it": mount(b"ext4"),
}


def may(ask):
    try:
        ask()
    except PermissionError:
        return False
    return True


async def smoke(context):
    devices = [path.name for path in Path("/dev").iterdir() if path.is_block_device()]
    users = Path("/proc/self/uid_map").read_text().split()
    answers = {what: may(ask) for what, ask in ASKS.items()}
    context.write_json("smoke.json", {"may": answers, "block devices": devices, "users": users})
    return "asked"
"""


def test_smoke_itself_may_make_namespaces_and_nothing_that_reaches_out_of_them(
    greetings: Dagger, tmp_path: Path
) -> None:
    """Its own code is replaced by one that asks, and is started as it is."""
    shutil.copytree(greetings.module, tmp_path / "module")
    (tmp_path / "module/shipseal/stages/smoke.py").write_text(SMOKE)
    asking = replace(greetings, module=tmp_path / "module")
    ended = asking.call("stage", "--name=smoke", "export", f"--path={tmp_path}/run")
    assert ended.code == 0, ended.output
    found = read(tmp_path / "run", "smoke/smoke.json")
    assert [what for what, may in found["may"].items() if may] == ["make a mount namespace", "mount in it"]
    assert found["block devices"] == []
    assert found["users"] == ["0", "0", "1"]


BETRAYS = "open('/dev/stderr', 'w').write('BETRAYED as ' + open('/proc/self/status').read())\nraise SystemExit(9)\n"


def test_a_project_whose_files_have_the_names_of_our_modules_runs_none_of_them(
    greetings: Dagger, tmp_path: Path
) -> None:
    """Whatever `pipeline.toml` has mounted, an interpreter of ours imports nothing of it; and the project builds."""
    project = clone("greetings", tmp_path / "shadowing")
    configuration = (project / "pipeline.toml").read_text()
    (source,) = re.findall(r'^source = "(.*)"$', configuration, re.MULTILINE) or ["service"]
    (project / source).rename(project / "shipseal")
    moved = configuration.replace(f'"{source}/', '"shipseal/').replace(f'source = "{source}"', 'source = "shipseal"')
    (project / "pipeline.toml").write_text(moved)
    for name in ("offline.py", "socket.py", "__main__.py", "checkout.py"):
        (project / "shipseal" / name).write_text(BETRAYS)
    for name in ("anyio", "shipseal"):
        (project / "rules" / name).mkdir()
        (project / "rules" / name / "__init__.py").write_text(BETRAYS)
    commit(project)
    ended = greetings.of(project).call("admit")
    assert ended.code == 0, ended.output[-3000:]
    assert "BETRAYED" not in ended.output


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


def content_of(file: Path) -> bytes:
    """Return what is in a file; one that the engine has removed in the meantime is nowhere, and holds nothing."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


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
def release(greetings: Dagger, tmp_path: Path) -> Dagger:
    """Give `dagger` on a project that may be released: it has a database, and its signer cannot be reached."""
    project = clone("greetings", tmp_path / "release")
    with (project / "pipeline.toml").open("a") as configuration:
        configuration.write('\n[scan]\ndatabase = "database"\n')
    known = advisories.read(HOME / "policy" / "sample-advisories.toml")
    yesterday = known.model_copy(update={"built": datetime.now(UTC) - timedelta(days=1)})
    advisories.build(yesterday, tmp_path / "vulnerability.db", processor="tests")
    assert pipeline("db", "import", tmp_path / "vulnerability.db", cwd=project).code == 0
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
        assert [str(path) for path in engine_files() if secret.encode() in content_of(path)] == []
    assert tokens + passwords == []
