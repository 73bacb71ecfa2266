"""Ask of every file that the image keeps whether it is needed: `python -m bench.image`. Slow, about half an hour.

One file at a time is taken away; then the image is started and asked, and if that goes well, the service's tests run on
what is left. A file without which all of it passes is kept for nothing, or for something that no test shows. It works
on the run directory that `make dry-run` has left, and changes nothing in it but `.run/minimal`.
"""

import argparse
import json
from collections.abc import AsyncIterator
from pathlib import Path

import anyio

from shipseal.cli import options as shared
from shipseal.documents.image import ImageDocument
from shipseal.engine.run import Event
from shipseal.engine.stage import Context, Stage
from shipseal.engine.workspace import scratch
from shipseal.errors import ShipsealError
from shipseal.image.bytecode import this_platform
from shipseal.oci.layout import Layout
from shipseal.oci.platform_image import Built
from shipseal.platforms import Platform
from shipseal.project.smoke import SmokeRequest
from shipseal.smoke import suite
from shipseal.smoke.asking import Limits, ask
from shipseal.smoke.request import judge, wire
from shipseal.smoke.sandbox import Sandbox, sandbox

_CODE = (".pyc", ".so", ".py")
_LIMITS = Limits(answer=3, stop=3)


async def minimal(context: Context) -> str:
    """Write minimal.json: for each file, what missed it first."""
    platform = this_platform(context.config.image.platforms)
    entry = ImageDocument.read(context).platforms[platform]
    built = Built.read(Layout(context.of("image") / "layout"), entry.digest)
    files = sorted(path for package in entry.packages for path in package.files if _is_code(path))
    missed: dict[str, str] = {}
    async with (
        scratch(context) as work,
        sandbox(context.tools, built, Platform.parse(platform).architecture, work) as box,
    ):
        assert box.files, "this is for bubblewrap: the files have to lie where they can be taken away"
        context.say(f"all files: {await _miss(context, box, built, platform, work) or 'passes'}")
        async for path in _without_each(box.files, files):
            missed[path] = await _miss(context, box, built, platform, work)
            context.say(f"{path}: {missed[path] or 'NOBODY MISSED IT'}")
    context.write_json("minimal.json", missed)
    needless = [path for path, who in missed.items() if not who]
    return f"{len(missed)} files, nobody missed {len(needless)}: {', '.join(needless) or 'none'}"


def _is_code(path: str) -> bool:
    return path.endswith(_CODE) or ".so." in path


async def _without_each(root: Path, files: list[str]) -> AsyncIterator[str]:
    for path in files:
        file = root / path
        if file.is_symlink() or not file.is_file():
            continue
        hidden = file.rename(file.with_name(f"{file.name}.hidden"))
        try:
            yield path
        finally:
            hidden.rename(file)


async def _miss(context: Context, box: Sandbox, built: Built, platform: str, work: Path) -> str:
    """Return who misses something, or nothing when nobody does."""
    config = context.config
    requests = (SmokeRequest(path=config.service.health), *config.smoke.requests)
    try:
        outcome = await ask(
            box, built, config.service.port, [wire(each) for each in requests], _LIMITS, work / "answers",
            settings=config.smoke.environment,
        )  # fmt: skip
    except ShipsealError:
        return "the start"
    for request, answer in zip(requests, outcome.answers, strict=True):
        if not judge(request, answer).passed:
            return f"the request {request.path}"
    if not outcome.stopped:
        return "the stop"
    try:
        await suite.run(context, box, built, platform, await _fresh(work))
    except ShipsealError as failure:
        return failure.why[0].partition(":")[0] if failure.why else failure.what
    return ""


async def _fresh(work: Path) -> Path:
    """Return a new directory below the scratch one."""
    number = len([path async for path in anyio.Path(work).glob("suite-*")])
    await anyio.Path(work / f"suite-{number}").mkdir()
    return work / f"suite-{number}"


def main() -> None:
    """Run it over what a dry run has left, and print what it finds."""
    parser = argparse.ArgumentParser(description=__doc__)
    shared.common(parser)
    shared.run_directory(parser)
    options = parser.parse_args()
    stage = Stage("minimal", minimal, needs=("inputs", "build", "image"), tools=("bwrap",), reads=("suite", "locks"))
    run = shared.open_run(options, "dry-run", (stage,))
    run.observe = _print
    anyio.run(run.perform, stage)


def _print(event: Event) -> None:
    print(json.dumps(event.text) if event.kind == "failed" else event.text, flush=True)


if __name__ == "__main__":
    main()
