"""Start the service from the image's own files, ask it, and stop it as Kubernetes will."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from pipeline import asker, oci
from pipeline.built import Built
from pipeline.bytecode import this_platform
from pipeline.config import SmokeRequest
from pipeline.digest import Digest
from pipeline.errors import SubjectFailed, ToolFailed
from pipeline.layout import Layout
from pipeline.sandbox import Sandbox, sandbox
from pipeline.stage import Context
from pipeline.venv import scratch


@dataclass(frozen=True)
class _Outcome:
    """What came of one start; `memory` is resident KiB of the first process, and nothing where it cannot be read."""

    start_ms: int
    memory: int | None
    answers: tuple[bytes, ...]
    exit_code: int


async def smoke(context: Context) -> str:
    """Write smoke.json; raise `SubjectFailed` when the service does not start, answer or stop as it must."""
    platform = this_platform(context.config.image.platforms)
    digest = Digest.parse(context.read_json("image", "image.json")["platforms"][platform]["digest"])
    built = Built.read(Layout(context.of("image") / "layout"), digest)
    requests = (SmokeRequest(path=context.config.service.health), *context.config.smoke.requests)
    async with (
        scratch(context) as work,
        sandbox(context.tools, context.world, built, oci.architecture(platform), work) as box,
    ):
        _say_isolation(context, box)
        outcome = await _start(context, built, box, requests, work)
    results = [_judge(request, answer) for request, answer in zip(requests, outcome.answers, strict=True)]
    context.write_json("smoke.json", _document(box, platform, digest, outcome, results))
    _refuse(results, outcome)
    return f"{len(results)} requests answered, first after {outcome.start_ms} ms, stopped by SIGTERM ({box.isolation})"


def _say_isolation(context: Context, box: Sandbox) -> None:
    if box.why:
        context.say(f"isolation: {box.isolation}, which has {box.limits}; because {box.why}")


async def _start(
    context: Context, built: Built, box: Sandbox, requests: Sequence[SmokeRequest], work: Path
) -> _Outcome:
    """Run the service with the asker beside it, in the sandbox, until it has ended."""
    seconds = context.config.smoke.timeout_seconds
    port = context.config.service.port
    environment = built.environment
    if not box.own_network and not _is_free(port):
        port = _free_port()
        environment["PORT"] = str(port)
        context.say(f"port {context.config.service.port} of this machine is taken: the service is told PORT={port}")
    script = await anyio.Path(asker.__file__).read_text(encoding="utf-8")
    asked = [str(port), str(seconds), *(request.path for request in requests)]
    command = [*box.python, *built.entrypoint[1:]]
    answers = work / "answers"
    try:
        completed = await box.run(
            "-I", "-B", "-c", script, *asked, "--", *command,
            environment=environment, seconds=3 * seconds + 10, stdout_to=answers,
        )  # fmt: skip
    except ToolFailed as error:
        raise _not_stopped(error, await anyio.Path(answers).read_text()) from error
    return _read(await anyio.Path(answers).read_text(), completed.code, context.tools.last_words(completed.stderr))


def _read(text: str, code: int, last_words: list[str]) -> _Outcome:
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
    return _Outcome(int(values["ready"]), memory, answers, code)


def _not_stopped(error: ToolFailed, answers: str) -> SubjectFailed | ToolFailed:
    if "memory" not in answers:
        return error
    return SubjectFailed(
        "the service does not stop on SIGTERM",
        why="it is the container's first process, which gets no default action from the kernel (pid_namespaces(7))",
        do="handle SIGTERM: take no more requests, finish those in flight, and exit with 0",
    )


def _judge(request: SmokeRequest, answer: bytes) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    parts = head.split(b"\r\n")[0].split(b" ", 2)
    status = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
    found = request.contains.encode() in body
    return {
        "path": request.path,
        "status": status,
        "expected": {"status": request.status, "contains": request.contains},
        "body": body[:500].decode("utf-8", "replace"),
        "passed": status == request.status and found,
    }


def _document(
    box: Sandbox, platform: str, digest: Digest, outcome: _Outcome, results: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "isolation": box.isolation,
        "why": box.why,
        "limits": box.limits,
        "platform": platform,
        "digest": str(digest),
        "requests": results,
        "start_ms": outcome.start_ms,
        "resident_kib": outcome.memory,
        "exit_code": outcome.exit_code,
    }


def _refuse(results: list[dict[str, Any]], outcome: _Outcome) -> None:
    failed = [each for each in results if not each["passed"]]
    if failed:
        raise SubjectFailed(
            f"the image does not answer as it should: {len(failed)} of {len(results)} requests failed",
            why=[
                f"{each['path']}: {each['status']} {each['body'][:120]!r}, expected {each['expected']['status']}"
                + (f" with {each['expected']['contains']!r}" if each["expected"]["contains"] else "")
                for each in failed
            ],
            do="see smoke/log.txt for what the service said; a module that is missing goes into image.modules",
        )
    if outcome.exit_code != 0:
        raise SubjectFailed(
            f"the service ended with exit code {outcome.exit_code} after SIGTERM",
            why="a Kubernetes rollout counts that as a crash",
            do="handle SIGTERM and exit with 0; join threads before the end",
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
