"""Verify what is published, and judge it by today's policy and vulnerability database, whatever was signed of it.

What an image holds is known best by building it again from the commit that its provenance names: then every stage looks
at it as at a new one, with what has been learnt since. Nothing is signed, and nothing is written outside.
"""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import anyio

from shipseal.digest import Digest
from shipseal.documents.image import ImageDocument
from shipseal.engine.run import Run
from shipseal.engine.schedule import execute, wanted
from shipseal.engine.table import TABLE
from shipseal.engine.world import choose
from shipseal.errors import ShipsealError, UsageError, VerificationFailed, as_shipseal_error, flatten
from shipseal.locked.inputs import Inputs
from shipseal.project.config import Config
from shipseal.released.provenance_check import prove
from shipseal.released.rebuilding import from_clone
from shipseal.released.release_context import ReleaseContext
from shipseal.released.release_list import PolicyState, PublishedImage, releases
from shipseal.reporting import evidence, html_page

_GATE = "admit"


@dataclass(frozen=True)
class Rescanned:
    """A published image, and what is to be said of it today.

    Args:
        release: the image, as the registry has it.
        revision: the commit that it was built from; empty where nobody who may has said so.
        same: whether this pipeline makes the same bytes of that commit; what was judged is what it makes.
        failures: why it may not be used; none where it may.
    """

    release: PublishedImage
    revision: str
    same: bool
    failures: tuple[ShipsealError, ...]


async def rescan(ground: ReleaseContext, clone: Path, inside: Path, into: Path, last: int) -> AsyncIterator[Rescanned]:
    """Look at the newest published images, one after another.

    Args:
        ground: of the verb.
        clone: a git clone that has the commits which they were built from.
        inside: the place of pipeline.toml in a commit.
        into: where the explanation of each image goes, in a directory named by its digest.
        last: how many images.

    Raises:
        UsageError: there is no whole vulnerability database, or nothing is published.
        RemoteFailed: the registry does not answer as it should.
    """
    if ground.config.scan.database is None:
        raise UsageError(
            "a sample of a vulnerability database says nothing of what is published",
            remedy="name a directory with [scan] database, and fill it: `shipseal db update`",
        )
    found = await releases(ground, last)
    if not found.releases:
        raise UsageError(f"nothing is published in {ground.config.image.repository}", remedy="release something first")
    for release in found.releases:
        if release.state is PolicyState.VERIFIED:
            yield await _judged(ground, clone, inside, into / release.digest.hex, release)
        else:
            what = f"{release.digest} ({', '.join(release.tags)}) is {release.state}"
            refused = VerificationFailed(what, why=release.why, remedy="move its tags, or release it again")
            yield Rescanned(release, "", same=False, failures=(refused,))


async def _judged(ground: ReleaseContext, clone: Path, inside: Path, into: Path, release: PublishedImage) -> Rescanned:
    """Build the commit again up to the gate, by today's policy and database, and leave a report."""
    policy, root = ground.policy()
    work = ground.work / f"judged-{release.digest.hex[:12]}"
    work.mkdir()
    reference = f"{ground.config.image.repository}@{release.digest}"
    ground.say(f"judging {reference}, {release.tags[0]}")
    proven = await prove(reference, policy, root=root, tools=ground.tools, work=work, now=ground.now)
    bundle, project = from_clone(clone, proven.records, work)
    config = Config.load(project / inside)
    config = config.model_copy(update={"scan": ground.config.scan, "policy": ground.config.policy})
    world = choose("release", config, agreed=False)
    run = Run(into / "run", config, ground.store, Inputs.of_tools().locked(), world, ground.observe)
    failures = await _failures(run)
    await anyio.to_thread.run_sync(_report, run, into, failures)
    shutil.rmtree(work)
    same = _image(run) == release.digest
    return Rescanned(release, proven.records[bundle].revision, same, failures)


async def _failures(run: Run) -> tuple[ShipsealError, ...]:
    run.begin()
    try:
        await execute(wanted(TABLE, _GATE), run.once)
    except Exception as error:  # of each image, so that one that fails hides no other
        return tuple(as_shipseal_error(each) for each in flatten(error))
    run.end()
    return ()


def _report(run: Run, into: Path, failures: tuple[ShipsealError, ...]) -> None:
    summary = evidence.gather(
        run.directory, [stage.name for stage in TABLE], failures, policy=evidence.policy_of(run.config)
    )
    html_page.write(into, summary, to_run=run.directory.name)


def _image(run: Run) -> Digest | None:
    try:
        data = (run.directory / ImageDocument.STAGE / ImageDocument.NAME).read_bytes()
    except OSError:  # it did not come to that
        return None
    return ImageDocument.parse(data).digest
