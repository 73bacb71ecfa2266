"""Start the service from the image's own files, ask it, and stop it as Kubernetes will."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio

from shipseal.canonical import canonical
from shipseal.digest import Digest
from shipseal.engine.stage import Context
from shipseal.engine.workspace import scratch
from shipseal.errors import SubjectFailed, ToolFailed, VerificationFailed
from shipseal.image.bytecode import this_platform
from shipseal.oci.layout import Layout
from shipseal.oci.platform_image import Built
from shipseal.platforms import Platform
from shipseal.project import checkout
from shipseal.project.advice import elsewhere, unanswered
from shipseal.project.smoke import SmokeRequest
from shipseal.purl import Purl
from shipseal.smoke import bubblewrap, suite, touched
from shipseal.smoke.asking import Limits, Outcome, ask
from shipseal.smoke.request import judge, wire
from shipseal.smoke.sandbox import EMULATORS, Sandbox, emulated, said, sandbox
from shipseal.smoke.touched import Watch

_SLOWER = 5  # how much longer an emulated start may take


async def smoke(context: Context) -> str:
    """Write smoke.json, trace.json, and junit.xml where the suite ran.

    Raises:
        SubjectFailed: the service does not start, answer or stop as it must, or a test fails on the image's files.
    """
    platform = this_platform(context.config.image.platforms)
    built = _built(context, platform)
    architecture = Platform.parse(platform).architecture
    async with (
        scratch(context) as work,
        sandbox(
            *(context.tools, built, architecture, work, bubblewrap.program(context, work)),
            named=context.config.smoke.writable,
        ) as box,
    ):
        if box.why:
            context.say(f"isolation: {box.isolation}, which has {box.limits}; because {box.why}")
        with _watch(context, box, platform) as watch:
            outcome, results = await _ask(context, box, built, work / "answers")
            by_service = watch.opened() if watch else set()
            tests = await suite.run(context, box, built, platform, work)
            trace = _trace(context, watch, by_service, built, tests) if watch else touched.unknown(box.isolation)
        others = {
            name: await _emulate(context, name, work) for name in context.config.image.platforms if name != platform
        }
    started = {platform: str(built.digest)}
    started |= {name: other["digest"] for name, other in others.items() if other["started"]}
    document = _document(box, platform, built.digest, outcome, results)
    context.write_json("smoke.json", {**document, "suite": tests.document, "emulated": others, "started": started})
    context.write_json("trace.json", trace)
    if tests.junit:
        await anyio.Path(context.out / "junit.xml").write_text(tests.junit, encoding="utf-8")
    headline = f"{len(results)} requests answered, first after {outcome.start_ms} ms, stopped by SIGTERM"
    ran = f", {tests.document['passed']} tests passed" if tests.document["run"] else ""
    not_started = "".join(f"; {name} was not started" for name in others.keys() - started.keys())
    return f"{headline}{ran} ({box.isolation}){not_started}"


async def _ask(
    context: Context, box: Sandbox, built: Built, answers: Path, slower: int = 1
) -> tuple[Outcome, list[dict[str, Any]]]:
    """Start the service once, and judge what came of it."""
    service, smoke = context.config.service, context.config.smoke
    requests = _requests(context)
    limits = Limits(smoke.timeout_seconds * slower, smoke.stop_seconds * slower)
    sent = [wire(request) for request in requests]
    outcome = await ask(box, built, service.port, sent, limits, answers, settings=smoke.environment)
    results = [judge(request, answer) for request, answer in zip(requests, outcome.answers, strict=True)]
    _refuse(results, outcome, elsewhere(outcome.answers[0]))
    return outcome, results


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
            do="run `shipseal stage image` again",
        )
    return entries[platform]


async def _emulate(context: Context, platform: str, work: Path) -> dict[str, Any]:
    """Start another platform's image by an emulator, where there is one; raise what it does badly, with its name."""
    built = _built(context, platform)
    architecture = Platform.parse(platform).architecture
    try:
        program = bubblewrap.program(context, work)
        root = work / architecture
        box = await emulated(context.tools, built, architecture, root, program, context.config.smoke.writable)
    except ToolFailed as error:
        return {"started": False, "why": said(error)}
    by = EMULATORS[architecture]
    context.say(f"starting {platform} by {by}")
    try:
        outcome, results = await _ask(context, box, built, work / f"{architecture}.answers", _SLOWER)
    except (SubjectFailed, ToolFailed) as error:
        raise type(error)(
            f"on {platform}, started by {by}: {error.what}", why=error.why, do=error.do, reason=error.reason
        ) from error
    return {
        "started": True,
        "by": by,
        "digest": str(built.digest),
        "requests": len(results),
        "start_ms": outcome.start_ms,
        "exit_code": outcome.exit_code,
    }


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


def _trace(
    context: Context, watch: Watch, by_service: set[str], built: Built, tests: suite.Result
) -> dict[str, object]:
    """Say what was opened, on which image, and by how much work."""
    image, platform = context.read_json("image", "image.json"), this_platform(context.config.image.platforms)
    own = [
        path
        for package in _entry(image, platform)["packages"]
        if package["purl"] == str(Purl("pypi", "", image["service"]["name"], image["service"]["version"]))
        for path in package["files"]
    ]
    work = {
        "requests": [wire(each).hex() for each in _requests(context)],
        "environment": dict(context.config.smoke.environment),
        "tests": [str(checkout.digest(context.config.root, path)) for path in context.config.smoke.suite],
        "left_out": sorted(context.config.smoke.left_out),
    }
    about = {
        "platform": platform,
        "digest": str(built.digest),
        "workload": {
            "digest": str(Digest.of(canonical(work))),
            "requests": len(work["requests"]),
            "tests": tests.document.get("passed", 0),
            **touched.coverage(own, by_service),
        },
    }
    return touched.report(watch.watched, by_service, watch.opened(), about)


def _requests(context: Context) -> tuple[SmokeRequest, ...]:
    return (SmokeRequest(path=context.config.service.health), *context.config.smoke.requests)


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


def _refuse(results: list[dict[str, Any]], outcome: Outcome, elsewhere: str) -> None:
    """Raise `SubjectFailed` for answers that are wrong, and for a service that does not end as it should."""
    failed = [each for each in results if not each["passed"]]
    if failed:
        raise unanswered(failed, len(results), outcome.said, elsewhere)
    if not outcome.stopped:
        raise SubjectFailed(
            f"the service ended with exit code {outcome.exit_code} after SIGTERM",
            why=outcome.last_words,
            do="handle SIGTERM and exit with 0; join threads before the end",
        )
