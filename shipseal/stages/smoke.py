"""Start the service from the image's own files, ask it, and stop it as Kubernetes will."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import anyio

from shipseal.canonical import canonical
from shipseal.digest import Digest
from shipseal.documents.image import ImageDocument, ImagePlatform
from shipseal.documents.smoke import Emulated, NotEmulated, SmokeAnswer, SmokeDocument, TraceDocument, Workload
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
from shipseal.smoke import bubblewrap, file_trace, suite
from shipseal.smoke.asking import Limits, ProbeOutcome, ask
from shipseal.smoke.file_trace import FileWatch
from shipseal.smoke.request import judge, wire
from shipseal.smoke.sandbox import EMULATORS, Sandbox, emulated, said, sandbox

_SLOWER = 5  # how much longer an emulated start may take


async def smoke(context: Context) -> str:
    """Write smoke.json, trace.json, and junit.xml where the suite ran.

    Raises:
        SubjectFailed: the service does not start, answer or stop as it must, or a test fails on the image's files.
    """
    platform = this_platform(context.config.image.platforms)
    image = ImageDocument.read(context)
    built = _built(context, image, platform)
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
        with _watch(box, _entry(image, platform)) as watch:
            outcome, results = await _ask(context, box, built, work / "answers")
            by_service = watch.opened() if watch else set()
            tests = await suite.run(context, box, built, platform, work)
            trace = file_trace.unknown(box.isolation)
            if watch:
                trace = _trace(context, watch, by_service, image, platform, tests.passed)
        rest = (name for name in context.config.image.platforms if name != platform)
        others = {name: await _emulate(context, image, name, work) for name in rest}
    document = _document(box, (platform, built.digest), outcome, results, tests, others)
    document.write(context)
    trace.write(context)
    if tests.junit:
        await anyio.Path(context.out / "junit.xml").write_text(tests.junit, encoding="utf-8")
    headline = f"{len(results)} requests answered, first after {outcome.start_ms} ms, stopped by SIGTERM"
    ran = f", {tests.passed} tests passed" if tests.told.run else ""
    not_started = "".join(f"; {name} was not started" for name in others.keys() - document.started.keys())
    return f"{headline}{ran} ({box.isolation}){not_started}"


async def _ask(
    context: Context, box: Sandbox, built: Built, answers: Path, slower: int = 1
) -> tuple[ProbeOutcome, tuple[SmokeAnswer, ...]]:
    """Start the service once, and judge what came of it."""
    service, smoke = context.config.service, context.config.smoke
    requests = _requests(context)
    limits = Limits(smoke.timeout_seconds * slower, smoke.stop_seconds * slower)
    sent = [wire(request) for request in requests]
    outcome = await ask(box, built, service.port, sent, limits, answers, settings=smoke.environment)
    results = tuple(judge(request, answer) for request, answer in zip(requests, outcome.answers, strict=True))
    _refuse(results, outcome, elsewhere(outcome.answers[0]))
    return outcome, results


def _built(context: Context, image: ImageDocument, platform: str) -> Built:
    """Read a platform's image out of the layout, which has to be the one that image.json tells of."""
    layout = Layout.of_image(context.of("image") / "layout", image.digest)
    return Built.read(layout, _entry(image, platform).digest)


def _entry(image: ImageDocument, platform: str) -> ImagePlatform:
    if platform not in image.platforms:
        raise VerificationFailed(
            f"image/image.json has no platforms.{platform}",
            why=f"it has {', '.join(sorted(image.platforms))}",
            remedy="run `shipseal stage image` again",
        )
    return image.platforms[platform]


async def _emulate(context: Context, image: ImageDocument, platform: str, work: Path) -> Emulated | NotEmulated:
    """Start another platform's image by an emulator, where there is one; raise what it does badly, with its name."""
    built = _built(context, image, platform)
    architecture = Platform.parse(platform).architecture
    try:
        program = bubblewrap.program(context, work)
        root = work / architecture
        box = await emulated(context.tools, built, architecture, root, program, context.config.smoke.writable)
    except ToolFailed as error:
        return NotEmulated(why=said(error))
    by = EMULATORS[architecture]
    context.say(f"starting {platform} by {by}")
    try:
        outcome, results = await _ask(context, box, built, work / f"{architecture}.answers", _SLOWER)
    except (SubjectFailed, ToolFailed) as error:
        raise type(error)(
            f"on {platform}, started by {by}: {error.what}", why=error.why, remedy=error.remedy, reason=error.reason
        ) from error
    return Emulated(
        by=by,
        digest=built.digest,
        requests=len(results),
        start_ms=outcome.start_ms,
        exit_code=outcome.exit_code,
    )


@contextmanager
def _watch(box: Sandbox, entry: ImagePlatform) -> Iterator[FileWatch | None]:
    """Watch the image's files, where they lie on this machine."""
    if box.files is None:
        yield None
        return
    with FileWatch(box.files, entry.paths) as watch:
        yield watch


def _trace(
    context: Context, watch: FileWatch, by_service: set[str], image: ImageDocument, platform: str, passed: int
) -> TraceDocument:
    """Say what was opened, on which image, and by how much work."""
    entry, service = _entry(image, platform), str(Purl("pypi", "", image.service.name, image.service.version))
    own = file_trace.modules(path for package in entry.packages if package.purl == service for path in package.files)
    requests = [wire(each).hex() for each in _requests(context)]
    work = {
        "requests": requests,
        "environment": dict(context.config.smoke.environment),
        "tests": [str(checkout.digest(context.config.root, path)) for path in context.config.smoke.suite],
        "left_out": sorted(context.config.smoke.left_out),
    }
    workload = Workload(
        digest=Digest.of(canonical(work)),
        requests=len(requests),
        tests=passed,
        modules=len(own),
        loaded=len(own & by_service),
    )
    return file_trace.report(
        watch.watched, by_service, watch.opened(), platform=platform, digest=entry.digest, workload=workload
    )


def _document(
    box: Sandbox,
    here: tuple[str, Digest],
    outcome: ProbeOutcome,
    results: tuple[SmokeAnswer, ...],
    tests: suite.SuiteResult,
    others: Mapping[str, Emulated | NotEmulated],
) -> SmokeDocument:
    """Say what came of it; `here` is the platform that was started without an emulator, and its manifest."""
    platform, digest = here
    started = {name: other.digest for name, other in others.items() if isinstance(other, Emulated)}
    return SmokeDocument(
        isolation=box.isolation,
        why=box.why,
        limits=box.limits,
        platform=platform,
        digest=digest,
        requests=results,
        start_ms=outcome.start_ms,
        resident_kib=outcome.memory,
        exit_code=outcome.exit_code,
        suite=tests.told,
        emulated=others,
        started={platform: digest, **started},
    )


def _requests(context: Context) -> tuple[SmokeRequest, ...]:
    return (SmokeRequest(path=context.config.service.health), *context.config.smoke.requests)


def _refuse(results: Sequence[SmokeAnswer], outcome: ProbeOutcome, elsewhere: str) -> None:
    """Raise `SubjectFailed` for answers that are wrong, and for a service that does not end as it should."""
    failed = [each for each in results if not each.passed]
    if failed:
        raise unanswered(failed, len(results), outcome.said, elsewhere)
    if not outcome.stopped:
        raise SubjectFailed(
            f"the service ended with exit code {outcome.exit_code} after SIGTERM",
            why=outcome.last_words,
            remedy="handle SIGTERM and exit with 0; join threads before the end",
        )
