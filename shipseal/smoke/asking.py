"""Start an image's service in a sandbox, with something beside it that asks and then stops it."""

import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from shipseal.errors import SubjectFailed, flatten
from shipseal.oci.platform_image import Built
from shipseal.project.advice import ended
from shipseal.smoke import asker
from shipseal.smoke.sandbox import Sandbox
from shipseal.tools.outputs import Completed
from shipseal.tools.toolbox import LAST_LINES

# How much of the service's output is looked through: what it lacks it may say once, at its first request of many.
_LINES, _BYTES = 10_000, 1 << 20
_LOOK = 0.1  # seconds between two looks for the last answer
_LAST = b"\nmemory "
_BY_SIGTERM = {-signal.SIGTERM, 128 + signal.SIGTERM}  # as the parent and as bubblewrap tell it


@dataclass(frozen=True)
class Limits:
    """How many seconds a service may take to start and for each answer, and from SIGTERM to its end."""

    answer: float
    stop: float


@dataclass(frozen=True)
class ProbeOutcome:
    """What came of one start.

    Args:
        start_ms: from the start of the process to the first good answer, in milliseconds.
        memory: resident KiB of the first process then, None where it cannot be read.
        answers: the whole response to each request, in order.
        exit_code: how it ended after SIGTERM.
        stopped: whether that is as it should be: with 0, or by SIGTERM itself, if the service has caught it and where
            it is not the first process. A server that raises again what it has caught ends so; as the first process of
            its container, it goes on from there to its end (pid_namespaces(7)).
        said: the end of its output, more of it than people want to see: what matters may be before the last lines.
    """

    start_ms: int
    memory: int | None
    answers: tuple[bytes, ...]
    exit_code: int
    stopped: bool
    said: tuple[str, ...]

    @property
    def last_words(self) -> tuple[str, ...]:
        """The last lines of its output."""
        return self.said[-LAST_LINES:]


async def ask(
    box: Sandbox,
    built: Built,
    port: int,
    requests: Sequence[bytes],
    limits: Limits,
    answers: Path,
    *,
    settings: Mapping[str, str],
) -> ProbeOutcome:
    """Start the service, send each request, the first until it is ready, and stop it.

    Args:
        requests: each as it is sent.
        settings: environment variables besides the image's own.
        port: where the service listens; where the sandbox has no network of its own and the port is taken, the service
            is told another in `PORT`.
        limits: what time it gets.
        answers: a scratch file.

    Raises:
        SubjectFailed: the service ends by itself, does not listen, or does not stop.
        ToolFailed: the sandbox cannot be started, or answers come too slowly to end.
    """
    environment = {**built.environment, **settings}
    if not box.own_network and not _is_free(port):
        port = _free_port()
        environment["PORT"] = str(port)
    script = await anyio.Path(asker.__file__).read_text(encoding="utf-8")
    command = (*box.python, *built.entrypoint[1:])
    arguments = ("-I", "-B", "-c", script, str(port), str(limits.answer), *(each.hex() for each in requests))
    arguments += ("--", *command)
    longest = (len(requests) + 1) * limits.answer + limits.stop + 10
    completed: Completed | None = None
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_end_late, group.cancel_scope, anyio.Path(answers), limits.stop)
            completed = await box.run(*arguments, environment=environment, seconds=longest, stdout_to=answers)
            group.cancel_scope.cancel()
    except BaseExceptionGroup as failures:
        raise flatten(failures)[0] from None
    if completed is None:
        raise SubjectFailed(
            f"the service does not stop within {limits.stop:g} s of SIGTERM",
            why="a container's first process gets no default action from the kernel (pid_namespaces(7))",
            remedy="handle SIGTERM: finish the requests in flight and exit with 0; or raise smoke.stop-seconds. "
            "smoke/log.txt has what it said",
        )
    return _read(await anyio.Path(answers).read_bytes(), len(requests), completed, box)


async def _end_late(running: anyio.CancelScope, answers: anyio.Path, seconds: float) -> None:
    """End what runs when it still does some seconds after it was told to stop, which follows its last answer."""
    while not (await answers.exists() and _LAST in await _end(answers)):
        await anyio.sleep(_LOOK)
    await anyio.sleep(seconds)
    running.cancel()


async def _end(answers: anyio.Path) -> bytes:
    async with await answers.open("rb") as file:
        await file.seek(max(0, (await answers.stat()).st_size - 100))
        return await file.read()


def _read(answered: bytes, asked: int, completed: Completed, box: Sandbox) -> ProbeOutcome:
    """Read what the asker has written, beside which the service may have, and take it for nothing more than that."""
    code, said = completed.code, tuple(box.tools.last_words(completed.stderr, _LINES, _BYTES))
    lines = [line.partition(" ") for line in answered.decode("ascii", "replace").splitlines()]
    values = {word: value for word, _, value in lines}
    if "memory" not in values:
        raise ended(
            f"the service ended by itself with exit code {code}",
            said,
            "start it in the same way outside of the image; a module that is missing goes into image.modules",
        )
    try:
        answers = tuple(bytes.fromhex(value) for word, _, value in lines if word == "answer")
        start, memory = int(values["ready"]), int(values["memory"] or -1)
        catches = bool(int(values["catches"]))
    except (KeyError, ValueError):
        answers = ()
    if len(answers) != asked:
        raise SubjectFailed("the service has written between the answers that were counted", why=said[-LAST_LINES:])
    if not answers[0]:
        raise SubjectFailed(
            "the service does not listen on its port",
            why=said[-LAST_LINES:],
            remedy="see that service.port is the one that it listens on, on every address (0.0.0.0)",
        )
    stopped = code == 0 or (catches and not box.first and code in _BY_SIGTERM)
    return ProbeOutcome(start, memory if memory >= 0 else None, answers, code, stopped, said)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
