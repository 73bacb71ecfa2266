"""Start an image's service in a sandbox, with something beside it that asks and then stops it."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from pipeline.errors import SubjectFailed, ToolFailed
from pipeline.image.built import Built
from pipeline.smoke import asker
from pipeline.smoke.sandbox import Sandbox


@dataclass(frozen=True)
class Outcome:
    """What came of one start.

    Args:
        start_ms: from the start of the process to the first good answer, in milliseconds.
        memory: resident KiB of the first process then, None where it cannot be read.
        answers: the whole response to each request, in order.
        exit_code: how it ended after SIGTERM.
        last_words: the end of its output.
    """

    start_ms: int
    memory: int | None
    answers: tuple[bytes, ...]
    exit_code: int
    last_words: tuple[str, ...]


async def ask(
    box: Sandbox,
    built: Built,
    port: int,
    paths: Sequence[str],
    seconds: float,
    answers: Path,
    *,
    settings: Mapping[str, str],
) -> Outcome:
    """Start the service, ask for each path, the first until it is ready, and stop it.

    Args:
        settings: environment variables besides the image's own.
        port: where the service listens; where the sandbox has no network of its own and the port is taken, the service
            is told another in `PORT`.
        seconds: what it gets to start, and again to stop.
        answers: a scratch file.

    Raises:
        SubjectFailed: the service ends by itself, does not listen, or does not stop.
    """
    environment = {**built.environment, **settings}
    if not box.own_network and not _is_free(port):
        port = _free_port()
        environment["PORT"] = str(port)
    script = await anyio.Path(asker.__file__).read_text(encoding="utf-8")
    command = (*box.python, *built.entrypoint[1:])
    try:
        completed = await box.run(
            "-I", "-B", "-c", script, str(port), str(seconds), *paths, "--", *command,
            environment=environment, seconds=3 * seconds + 10, stdout_to=answers,
        )  # fmt: skip
    except ToolFailed as error:
        raise _not_stopped(error, await anyio.Path(answers).read_text()) from error
    last_words = box.tools.last_words(completed.stderr)
    return _read(await anyio.Path(answers).read_text(), completed.code, tuple(last_words))


def _read(text: str, code: int, last_words: tuple[str, ...]) -> Outcome:
    lines = [line.partition(" ") for line in text.splitlines()]
    values = {word: value for word, _, value in lines}
    answers = tuple(bytes.fromhex(value) for word, _, value in lines if word == "answer")
    if "memory" not in values:
        raise SubjectFailed(
            f"the service ended by itself with exit code {code}",
            why=last_words,
            do="start it in the same way outside of the image; a module that is missing goes into image.modules",
        )
    if not answers[0]:
        raise SubjectFailed(
            "the service does not listen on its port",
            why=last_words,
            do="see that service.port is the one that it listens on, on every address (0.0.0.0)",
        )
    memory = int(values["memory"]) if values["memory"] else None
    return Outcome(int(values["ready"]), memory, answers, code, last_words)


def _not_stopped(error: ToolFailed, answers: str) -> SubjectFailed | ToolFailed:
    if "memory" not in answers:
        return error
    return SubjectFailed(
        "the service does not stop on SIGTERM",
        why="it is the container's first process, which gets no default action from the kernel (pid_namespaces(7))",
        do="handle SIGTERM: take no more requests, finish those in flight, and exit with 0",
    )


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
