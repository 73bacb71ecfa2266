"""What goes wrong ends a call with one failure, in our words or Dagger's, that says what to do, and leaves nothing."""

import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.commands import clone
from tests.conftest import commit
from tests.engines.command import Dagger, interrupt, run

pytestmark = pytest.mark.timeout(1200)

RUNNER = "_EXPERIMENTAL_DAGGER_RUNNER_HOST"
UNREACHED = """
apiVersion: v1
kind: Config
current-context: nowhere
contexts: [{name: nowhere, context: {cluster: nowhere, user: somebody}}]
clusters: [{name: nowhere, cluster: {server: "https://cluster.invalid:6443"}}]
users: [{name: somebody, user: {token: not-used}}]
"""


def failures(output: str) -> int:
    """Count what the command calls an error."""
    return sum(line.startswith("Error:") for line in output.splitlines())


def processes(argument: str) -> list[str]:
    """Return the processes of this machine that have an argument, those in an engine's containers too."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if argument.encode() in path.read_bytes().split(b"\0"):
                found.append(path.parent.name)
    return found


def test_a_failing_stage_ends_the_call_with_its_own_words_and_exit_code(greetings: Dagger, tmp_path: Path) -> None:
    project = clone("failing-test", tmp_path / "failing-test")
    ended = greetings.of(project).call("test")
    assert ended.code == 7
    assert failures(ended.stderr) == 1
    assert "1 of 1 tests of failing-test failed" in ended.stderr
    assert "test_the_service_says_goodbye" in ended.stderr
    assert "correct the service or its tests" in ended.stderr


def test_a_failing_stage_is_told_without_a_traceback(greetings: Dagger, tmp_path: Path) -> None:
    ended = greetings.of(clone("failing-test", tmp_path / "failing-test")).call("test", progress="--progress=plain")
    assert ended.code == 7
    assert "Traceback" not in ended.output


def test_a_denied_image_ends_the_call_with_the_reasons_and_exit_code_3(greetings: Dagger, tmp_path: Path) -> None:
    project = clone("critical-advisory", tmp_path / "critical-advisory")
    ended = greetings.of(project).call("admit")
    assert ended.code == 3
    assert failures(ended.stderr) == 1
    assert "GHSA-9298-4cf8-g4wj" in ended.stderr


def test_an_unknown_stage_is_refused_with_the_names_of_those_there_are(greetings: Dagger) -> None:
    ended = greetings.call("stage", "--name=nonsense")
    assert ended.code != 0
    assert failures(ended.stderr) == 1
    assert "there is no stage nonsense" in ended.stderr
    assert "choose one of facts, inputs, tools, build" in ended.stderr


def test_a_directory_without_a_configuration_is_refused(greetings: Dagger, tmp_path: Path) -> None:
    ended = greetings.of(tmp_path).call("build")
    assert ended.code != 0
    assert failures(ended.stderr) == 1
    assert "no pipeline.toml that can be read" in ended.stderr
    assert "--source=DIR" in ended.stderr


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("env://NOT_SET_ANYWHERE", "cannot be read"),
        ("file:///not/there", "cannot be read"),
        ("env://EMPTY", "is empty"),
    ],
)
def test_a_secret_that_is_not_there_is_named_before_anything_is_done(greetings: Dagger, token: str, said: str) -> None:
    arguments = ("release", f"--token={token}", "--registry-auth=env://EMPTY")
    ended = greetings.call(*arguments, progress="--progress=plain", env={"EMPTY": ""})
    assert ended.code != 0
    assert f"the secret SIGSTORE_ID_TOKEN {said}" in ended.stderr
    assert "shipseal stage" not in ended.stderr


def test_a_release_needs_its_secrets_to_be_named(greetings: Dagger) -> None:
    ended = greetings.call("release")
    assert ended.code != 0
    assert 'required flag(s) "registry-auth", "token" not set' in ended.stderr


@pytest.mark.parametrize(
    ("kubeconfig", "code", "said"),
    [
        (None, 2, "there is no kubeconfig, and so no cluster to deploy to"),
        (UNREACHED, 5, "https://cluster.invalid:6443"),
    ],
)
def test_deploying_is_refused_before_anything_is_signed_where_the_cluster_cannot_be_reached(
    greetings: Dagger, tmp_path: Path, kubeconfig: str | None, code: int, said: str
) -> None:
    """So far the engine's own network allows it: a cluster on this machine's loopback is none of the engine's."""
    arguments = ["deploy", "--token=env://SECRET", "--registry-auth=env://SECRET"]
    if kubeconfig is not None:
        (tmp_path / "kubeconfig").write_text(kubeconfig)
        arguments.append(f"--kubeconfig=file://{tmp_path / 'kubeconfig'}")
    ended = greetings.call(*arguments, progress="--progress=plain", env={"SECRET": "not used"})
    assert ended.code == code, ended.output[-3000:]
    assert said in ended.stderr
    assert "shipseal stage" not in ended.stderr


@pytest.mark.parametrize(
    ("reference", "code", "said"),
    [
        ("greetings", 2, "greetings is neither a reference nor a layout"),
        (f"registry.invalid/acme/greetings@sha256:{'0' * 64}", 5, "registry.invalid"),
    ],
)
def test_verify_ends_with_the_words_and_exit_code_of_the_command(
    ours: Dagger, reference: str, code: int, said: str
) -> None:
    ended = ours.call("verify", f"--reference={reference}")
    assert ended.code == code
    assert failures(ended.stderr) == 1
    assert said in ended.stderr


def test_an_engine_of_another_version_is_refused_with_both_versions(checkout: Path, tmp_path: Path) -> None:
    module = Path(shutil.copytree(checkout, tmp_path / "module"))
    description = module / "dagger.json"
    description.write_text(description.read_text().replace("v0.21.8", "v0.99.0"))
    ended = run(["dagger", "--silent", "functions"], module)
    assert ended.code != 0
    assert failures(ended.stderr) == 1
    assert "module requires dagger v0.99.0, but you have v0." in ended.stderr


@contextmanager
def relay(engine: str, between: Path) -> Iterator[Callable[[], None]]:
    """Stand between the command and an engine's socket; what it gives cuts every connection, as a restart does."""
    with ExitStack() as stack, socket.socket(socket.AF_UNIX) as server:
        connections: list[socket.socket] = []

        def copy(source: socket.socket, target: socket.socket) -> None:
            with suppress(OSError):
                while data := source.recv(1 << 16):
                    target.sendall(data)
            with suppress(OSError):
                target.shutdown(socket.SHUT_WR)

        def accept() -> None:
            with suppress(OSError):  # the server is closed
                while True:
                    client = stack.enter_context(server.accept()[0])
                    upstream = stack.enter_context(socket.socket(socket.AF_UNIX))
                    upstream.connect(engine)
                    connections.extend((client, upstream))
                    for pair in ((client, upstream), (upstream, client)):
                        threading.Thread(target=copy, args=pair, daemon=True).start()

        def cut() -> None:
            for each in connections:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

        server.bind(str(between))
        server.listen()
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield cut
        finally:
            server.shutdown(socket.SHUT_RDWR)
            accepting.join()
            cut()


@pytest.fixture
def sleeper(greetings: Dagger, tmp_path: Path) -> tuple[Dagger, str]:
    """Give `dagger` on a project whose test sleeps for 300 seconds, and an argument by which its process is known."""
    mark = f"300.{os.getpid()}{time.time_ns() % 1_000_000}"
    project = clone("failing-test", tmp_path / "sleeper")
    (project / "tests" / "test_hello.py").write_text(
        f"import subprocess\n\ndef test_it_takes_long():\n    subprocess.run(['sleep', '{mark}'], check=True)\n"
    )
    commit(project)
    return greetings.of(project), mark


def sleeping(mark: str, seconds: float, *, until: bool) -> bool:
    """Wait until the process with the mark is there, or is gone; return whether it came to that."""
    deadline = time.monotonic() + seconds
    while bool(processes(mark)) is not until:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.3)
    return True


def test_an_engine_that_is_lost_in_the_middle_ends_the_call_with_an_error(
    sleeper: tuple[Dagger, str], tmp_path: Path
) -> None:
    dagger, mark = sleeper
    engine = os.environ.get(RUNNER, "")
    if not engine.startswith("unix://"):
        pytest.skip(f"only an engine behind a socket can be taken away, and {RUNNER} is {engine!r}")
    between = tmp_path / "engine.sock"
    with relay(engine.removeprefix("unix://"), between) as cut:
        call = dagger.start("test", log=tmp_path / "log", env={RUNNER: f"unix://{between}"})
        try:
            assert sleeping(mark, 600, until=True), (tmp_path / "log").read_text()[-2000:]
            cut()
            assert call.wait(timeout=60) == 1
        finally:
            if call.poll() is None:
                os.killpg(call.pid, signal.SIGKILL)
                call.wait()
    assert failures((tmp_path / "log").read_text()) == 1
    assert sleeping(mark, 60, until=False), "the engine went on for a caller that it had lost"


def test_a_cancelled_call_leaves_nothing_running(sleeper: tuple[Dagger, str], tmp_path: Path) -> None:
    dagger, mark = sleeper
    call = dagger.start("dry-run", "export", f"--path={tmp_path / 'run'}", log=tmp_path / "log")
    try:
        assert sleeping(mark, 600, until=True), (tmp_path / "log").read_text()[-2000:]
    finally:
        code = interrupt(call)
    assert code != 0
    assert sleeping(mark, 60, until=False), f"still running: {processes(mark)}"
    assert not (tmp_path / "run").exists()
