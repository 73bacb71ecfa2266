"""Start the service from the image's own files, ask it, and stop it as Kubernetes will."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio

from pipeline.config import SmokeRequest
from pipeline.digest import Digest
from pipeline.errors import SubjectFailed, ToolFailed, VerificationFailed
from pipeline.image import oci
from pipeline.image.built import Built
from pipeline.image.bytecode import this_platform
from pipeline.image.layout import Layout
from pipeline.smoke import bubblewrap, suite, touched
from pipeline.smoke.asking import Limits, Outcome, ask
from pipeline.smoke.sandbox import EMULATORS, Sandbox, emulated, sandbox
from pipeline.smoke.touched import Watch
from pipeline.stage import Context
from pipeline.venv import scratch

_SLOWER = 5  # how much longer an emulated start may take


async def smoke(context: Context) -> str:
    """Write smoke.json, trace.json, and junit.xml where the suite ran.

    Raises:
        SubjectFailed: the service does not start, answer or stop as it must, or a test fails on the image's files.
    """
    platform = this_platform(context.config.image.platforms)
    built = _built(context, platform)
    requests = (SmokeRequest(path=context.config.service.health), *context.config.smoke.requests)
    architecture = oci.architecture(platform)
    async with (
        scratch(context) as work,
        sandbox(context.tools, built, architecture, work, bubblewrap.program(context, work)) as box,
    ):
        if box.why:
            context.say(f"isolation: {box.isolation}, which has {box.limits}; because {box.why}")
        paths, limits = [request.path for request in requests], _limits(context)
        with _watch(context, box, platform) as watch:
            settings, port = context.config.smoke.environment, context.config.service.port
            outcome = await ask(box, built, port, paths, limits, work / "answers", settings=settings)
            by_service = watch.opened() if watch else set()
            results = [_judge(request, answer) for request, answer in zip(requests, outcome.answers, strict=True)]
            _refuse(results, outcome)
            tests = await suite.run(context, box, built, platform, work)
            by_tests = watch.opened() if watch else set()
            trace = touched.report(watch.watched, by_service, by_tests) if watch else touched.unknown(box.isolation)
        others = {
            name: await _emulate(context, name, requests, work)
            for name in context.config.image.platforms
            if name != platform
        }
    document = _document(box, platform, built.digest, outcome, results)
    context.write_json("smoke.json", {**document, "suite": tests.document, "emulated": others})
    context.write_json("trace.json", trace)
    if tests.junit:
        await anyio.Path(context.out / "junit.xml").write_text(tests.junit, encoding="utf-8")
    headline = f"{len(results)} requests answered, first after {outcome.start_ms} ms, stopped by SIGTERM"
    ran = f", {tests.document['passed']} tests passed" if tests.document["run"] else ""
    return f"{headline}{ran} ({box.isolation})"


def _built(context: Context, platform: str) -> Built:
    """Read a platform's image out of the layout, which has to be the one that image.json tells of."""
    image = context.read_json("image", "image.json")
    layout = Layout.of_image(context.of("image") / "layout", Digest.parse(image["digest"]))
    return Built.read(layout, Digest.parse(_entry(image, platform)["digest"]))


def _entry(image: Mapping[str, Any], platform: str) -> Mapping[str, Any]:
    entries: Mapping[str, Mapping[str, Any]] = image["platforms"]
    if platform not in entries:
        raise VerificationFailed(
            f"image/image.json has no platforms.{platform}",
            why=f"it has {', '.join(sorted(entries))}",
            do="run `python -m pipeline stage image` again",
        )
    return entries[platform]


async def _emulate(context: Context, platform: str, requests: Sequence[SmokeRequest], work: Path) -> dict[str, object]:
    """Start another platform's image by an emulator, where there is one; raise `SubjectFailed` when it does badly."""
    built = _built(context, platform)
    architecture = oci.architecture(platform)
    try:
        program = bubblewrap.program(context, work)
        box = await emulated(context.tools, built, architecture, work / architecture, program)
    except ToolFailed as error:
        return {"started": False, "why": error.what}
    context.say(f"starting {platform} by {EMULATORS[architecture]}")
    smoke, paths = context.config.smoke, [request.path for request in requests]
    outcome = await ask(
        box,
        built,
        context.config.service.port,
        paths,
        _limits(context, _SLOWER),
        work / architecture / "answers",
        settings=smoke.environment,
    )
    _refuse([_judge(request, answer) for request, answer in zip(requests, outcome.answers, strict=True)], outcome)
    return {
        "started": True,
        "by": EMULATORS[architecture],
        "digest": str(built.digest),
        "requests": len(paths),
        "start_ms": outcome.start_ms,
    }


def _limits(context: Context, slower: int = 1) -> Limits:
    smoke = context.config.smoke
    return Limits(smoke.timeout_seconds * slower, smoke.stop_seconds * slower)


@contextmanager
def _watch(context: Context, box: Sandbox, platform: str) -> Iterator[Watch | None]:
    """Watch the image's files, where they lie on this machine."""
    if box.files is None:
        yield None
        return
    entry = _entry(context.read_json("image", "image.json"), platform)
    files = {path for package in entry["packages"] for path in package["files"]} | set(entry["generated"])
    with Watch(box.files, files) as watch:
        yield watch


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
    box: Sandbox, platform: str, digest: Digest, outcome: Outcome, results: list[dict[str, Any]]
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


def _refuse(results: list[dict[str, Any]], outcome: Outcome) -> None:
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
            why=outcome.last_words,
            do="handle SIGTERM and exit with 0; join threads before the end",
        )
